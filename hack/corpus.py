#!/usr/bin/env python3
"""`make corpus DIR=...`: tries the program on a folder of manifests that somebody has, and changes nothing in it.

  hack/corpus.py --program PROGRAM --oracle GO-ORACLE [options] DIR...

Each folder of manifests is copied, and `render -i`, `render -i` again and `render -i --remove` run over the copy: with the
AgentRuntimes and SkillBindings that are there and, but for --as-is, an AgentRuntime of ours with two skills for every other
Deployment and StatefulSet.
What is refused as a folder is tried file by file. Held, with Kubernetes' own YAML library as the reader:

  lost        nothing of a document goes, and nothing but what a render adds is new
  skills      every list's skills are in its workload
  idempotent  a second render changes no byte
  remove      --remove gives the meaning back, and the bytes where no empty collection was filled
  untouched   no byte changes in a document that no list is about
  reader      no document is changed that Kubernetes' library refuses
  failed      the program ends with 0 or, with a reason, with 3, within its time

Prints counts, why what was refused, and every difference. Ends with 1 if there is a difference, with 2 if time ran out.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ENDINGS = (".yaml", ".yml", ".json")
SKIPPED_FOLDERS = {".git", "node_modules", ".terraform", "target"}
LONGEST = 4 << 20
RECORD = "skills.kagenti.dev/record"
KINDS = {"Deployment": "template", "StatefulSet": "template", "Sandbox": "podTemplate"}
GROUPS = {"agent.kagenti.dev": "kagenti.io", "agent.rossoctl.dev": "rossoctl.io"}
OURS = {
    "labels": {"kagenti.io/type", "rossoctl.io/type", "app.kubernetes.io/managed-by"},
    "annotations": {"kagenti.io/skills", "rossoctl.io/skills", RECORD},
    "podLabels": {"kagenti.io/type", "rossoctl.io/type"},
    "podAnnotations": {"kagenti.io/config-hash", "rossoctl.io/config-hash"},
}
MARKER = re.compile(r"^---(?=[ \t\r\n]|$)", re.M)


def documents(text):
    """The documents of a file, each with its marker; what stands before the first marker is one if it says anything."""
    starts = [found.start() for found in MARKER.finditer(text)]
    bounds = [0, *[start for start in starts if start], len(text)]
    return [text[start:end] for start, end in zip(bounds, bounds[1:])] or [""]


def plain(value):
    """Without the oracle's wrapping of numbers; absent, null and empty are one."""
    if isinstance(value, dict):
        if set(value) == {"number"}:
            return ("number", value["number"])
        kept = {key: plain(inner) for key, inner in value.items()}
        return {key: inner for key, inner in kept.items() if inner is not None} or None
    if isinstance(value, list):
        return [plain(inner) for inner in value] or None
    return value


def holds_empty(value):
    """Whether a collection in it is empty or null: a render may fill it, and --remove may then leave it out."""
    if isinstance(value, dict):
        return not value or any(inner is None or holds_empty(inner) for inner in value.values())
    if isinstance(value, list):
        return not value or any(holds_empty(inner) for inner in value)
    return False


def at(value, *keys):
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def objects(value):
    """The objects of a document, those in lists as well."""
    if isinstance(value, dict):
        items = value.get("items")
        if isinstance(items, list) and str(value.get("kind", "")).endswith("List"):
            for item in items:
                yield from objects(item)
        else:
            yield value


def identity(value):
    return (str(value.get("kind")), str(at(value, "metadata", "namespace") or ""), str(at(value, "metadata", "name")))


def stripped(before, after, wanted):
    """`after` without what a render may have added to `before`; `wanted`: names of skills of its AgentRuntimes."""
    after = json.loads(json.dumps(after))
    if not isinstance(after, dict):
        return after
    if after.get("kind") == "AgentRuntime":
        return after
    template = KINDS.get(after.get("kind"))
    if template is None:
        return after

    def entries(names, *keys):
        old, new = at(before, *keys) or {}, at(after, *keys)
        for name in names:
            if isinstance(new, dict) and name in new:
                # A type or a list of skills that was there may be brought up to date; who manages it may not.
                if name not in old:
                    del new[name]
                elif name != "app.kubernetes.io/managed-by":
                    new[name] = old[name]

    entries(OURS["labels"], "metadata", "labels")
    entries(OURS["annotations"], "metadata", "annotations")
    entries(OURS["podLabels"], "spec", template, "metadata", "labels")
    entries(OURS["podAnnotations"], "spec", template, "metadata", "annotations")
    old_pod, pod = at(before, "spec", template, "spec"), at(after, "spec", template, "spec")
    if not isinstance(pod, dict):
        return after
    adopted = {f"skill-{name}" for name in wanted}
    added = set()

    def items(old, new, key, ours):
        old = old if isinstance(old, list) else []
        if not isinstance(new, list):
            return new
        known = {str(item.get(key)): item for item in old if isinstance(item, dict)}
        out = []
        for item in new:
            name = str(item.get(key)) if isinstance(item, dict) else ""
            if name not in known and ours(item):
                continue
            out.append(known[name] if name in known and ours(item) else item)
        return out

    def volume(item):
        ours = isinstance(item, dict) and item.get("name") in adopted and isinstance(item.get("image"), dict)
        if ours:
            added.add(item["name"])
        return ours

    if "volumes" in pod:
        pod["volumes"] = items(at(old_pod, "volumes"), pod["volumes"], "name", volume)
    old_containers = at(old_pod, "containers") or []
    for index, container in enumerate(pod.get("containers") or []):
        old = old_containers[index] if index < len(old_containers) else {}
        if not isinstance(container, dict):
            continue
        if "volumeMounts" in container:
            container["volumeMounts"] = items(at(old, "volumeMounts"), container["volumeMounts"], "mountPath",
                                              lambda item: isinstance(item, dict) and item.get("name") in adopted)
        if "env" in container:
            container["env"] = items(at(old, "env"), container["env"], "name",
                                     lambda item: isinstance(item, dict) and item.get("name") == "SKILL_FOLDERS")
    return after


def places(one, other, path=""):
    """Where two values differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}, key=str):
            yield from places(one.get(key), other.get(key), f"{path}.{key}" if path else key)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (left, right) in enumerate(zip(one, other)):
            yield from places(left, right, f"{path}[{index}]")
    elif one != other:
        yield f"{path}: {json.dumps(one)[:120]} became {json.dumps(other)[:120]}"


class Reader:
    """Kubernetes' YAML library, asked for many documents at once."""

    def __init__(self, oracle, seconds):
        self.oracle, self.seconds = oracle, seconds

    def read(self, texts):
        if not texts:
            return []
        lines = "".join(json.dumps(text) + "\n" for text in texts)
        done = subprocess.run([self.oracle], input=lines.encode(), capture_output=True, timeout=self.seconds, check=True)
        return [json.loads(line) for line in done.stdout.split(b"\n") if line]

    def files(self, texts):
        """By file: its documents, and what each means."""
        split = {name: documents(text) for name, text in texts.items()}
        answers = iter(self.read([document for parts in split.values() for document in parts]))
        return {name: [(document, next(answers)) for document in parts] for name, parts in split.items()}


class Tally:
    def __init__(self):
        self.counts = collections.Counter()
        self.refused = collections.Counter()
        self.differences = []

    def add(self, other):
        self.counts += other.counts
        self.refused += other.refused
        self.differences += other.differences


def agents_for(read, own, group):
    """AgentRuntimes for the workloads of a file that have none, and which workloads they are for."""
    out = []
    for _, answer in read:
        for value in objects(answer.get("value")):
            kind, namespace, name = identity(value)
            pod = at(value, "spec", "template", "spec", "containers")
            api = str(value.get("apiVersion"))
            if kind not in ("Deployment", "StatefulSet") or not api.startswith("apps/") or not isinstance(pod, list):
                continue
            if (kind, namespace, name) in own or not isinstance(at(value, "metadata", "name"), str):
                continue
            label = at(value, "metadata", "labels", f"{GROUPS[group]}/type")
            metadata = {"name": re.sub(r"[^a-z0-9-]", "-", name.lower()).strip("-")[:40] or "agent"}
            if namespace:
                metadata["namespace"] = namespace
            out.append(json.dumps({
                "apiVersion": f"{group}/v1alpha1", "kind": "AgentRuntime", "metadata": metadata,
                "spec": {"type": label if label in ("agent", "tool") else "agent",
                         "targetRef": {"apiVersion": "apps/v1", "kind": kind, "name": name},
                         "skills": [{"name": f"corpus-{skill}", "image": f"ghcr.io/acme/skills/{skill}:1.4.0",
                                     "mountPath": f"/corpus-skills/{skill}"} for skill in ("forecast", "alerts")]}}))
    return "---\n".join(text + "\n" for text in out)


def selects(selector, value):
    """Whether a selector's labels and expressions choose a workload."""
    labels = at(value, "metadata", "labels") or {}
    if any(labels.get(name) != wanted for name, wanted in (at(selector, "matchLabels") or {}).items()):
        return False
    tests = {"In": lambda name, values: labels.get(name) in values,
             "NotIn": lambda name, values: labels.get(name) not in values,
             "Exists": lambda name, values: name in labels, "DoesNotExist": lambda name, values: name not in labels}
    return all(tests[one["operator"]](one["key"], one.get("values") or []) for one in at(selector, "matchExpressions") or [])


def wanted_skills(files):
    """By workload: the skills of its AgentRuntimes, and of the SkillBindings that write into pod templates."""
    out = collections.defaultdict(list)
    every = [value for read in files.values() for _, answer in read for value in objects(answer.get("value"))]
    for value in every:
        kind, namespace, _ = identity(value)
        if kind not in ("AgentRuntime", "SkillBinding") or at(value, "spec", "delivery") == "Pod":
            continue
        skills = [skill for skill in at(value, "spec", "skills") or [] if isinstance(skill, dict)]
        target, selector = at(value, "spec", "targetRef"), at(value, "spec", "selector")
        if target or kind == "AgentRuntime":
            out[(str(at(target, "kind")), namespace, str(at(target, "name")))] += skills
            continue
        for workload in every:
            key = identity(workload)
            if key[0] in KINDS and key[1] == namespace and selects(selector, workload):
                out[key] += skills
    return out


class Unit:
    """One folder, or one file of it, in a copy."""

    def __init__(self, options, reader, label, profile, texts, tally):
        self.options, self.reader, self.label, self.profile = options, reader, label, profile
        self.texts, self.tally = texts, tally

    def differs(self, what, name, detail):
        self.tally.differences.append((what, f"{self.label}/{name}" if name else self.label, self.profile, detail))

    def run(self, folder, *flags):
        """Runs the program in place; its exit code and errors, or none where it failed."""
        command = [self.options.program, "render", "-q", "-i", "--profile", self.profile, *flags, "-f", str(folder)]
        try:
            done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace",
                                  timeout=self.options.timeout)
        except subprocess.TimeoutExpired:
            self.differs("failed", "", f"no end within {self.options.timeout} s: {' '.join(command[1:])}")
            return None
        if done.returncode not in (0, 3) or (done.returncode == 3 and not done.stderr.strip()):
            self.differs("failed", "", f"exit {done.returncode} of {' '.join(command[1:])}: {done.stderr.strip()[:500]}")
            return None
        return done

    def try_out(self, before):
        """Whether it was rendered; counts and differences go into the tally. `before`: what the files mean."""
        with tempfile.TemporaryDirectory(prefix="corpus-") as folder:
            folder = Path(folder)
            for name, text in self.texts.items():
                (folder / name).write_bytes(text.encode("utf-8"))

            def now():
                return {name: (folder / name).read_bytes().decode("utf-8") for name in self.texts}

            done = self.run(folder, "--drop-skills")
            if done is None:
                return True
            if done.returncode == 3:
                if now() != self.texts:
                    self.differs("failed", "", "refused, and files were written all the same")
                return done.stderr
            once = now()
            self.run(folder, "--drop-skills")
            for name, text in now().items():
                if text != once[name]:
                    self.differs("idempotent", name, "a second render changes the file")
            removed = self.run(folder, "--remove")
            if removed is not None and removed.returncode == 3:
                self.differs("remove", "", f"refused: {removed.stderr.strip()[:500]}")
                removed = None
            back = now() if removed else None
        self.hold(before, once, back)
        return True

    def hold(self, before, once, back):
        wanted = wanted_skills(before)
        after = self.reader.files({name: text for name, text in once.items() if text != self.texts[name]})
        returned = self.reader.files({name: back[name] for name in after}) if back else {}
        counts = self.tally.counts
        for name, text in self.texts.items():
            counts["documents"] += len(before[name])
            if name not in after:
                counts["unchanged files"] += 1
                if back and back[name] != text and not self.was_rendered(before[name]):
                    self.differs("remove", name, "--remove changes a file that a render left as it was")
                continue
            counts["rendered files"] += 1
            if len(after[name]) != len(before[name]):
                self.differs("lost", name, f"{len(before[name])} documents became {len(after[name])}")
                continue
            for index, ((old, meant), (new, means)) in enumerate(zip(before[name], after[name])):
                back_document = returned[name][index] if name in returned and index < len(returned[name]) else None
                self.document(f"{name}#{index + 1}", wanted, (old, meant), (new, means), back_document)
        self.mounted(wanted, before, after)

    @staticmethod
    def was_rendered(read):
        text = "".join(document for document, _ in read)
        return RECORD in text or "/config-hash" in text

    def document(self, name, wanted, before, after, back):
        (old, meant), (new, means) = before, after
        if old == new:
            return
        if "error" in meant and "json" not in meant:
            return self.differs("reader", name, f"Kubernetes refuses the document: {meant['error'][:200]}")
        if "error" in means:
            return self.differs("lost", name, f"Kubernetes refuses the result: {means['error'][:200]}")
        self.tally.counts["rendered documents"] += 1
        olds, news = list(objects(meant["value"])), list(objects(means["value"]))
        if len(olds) != len(news):
            return self.differs("lost", name, f"{len(olds)} objects became {len(news)}")
        rendered_before = self.was_rendered([before])
        for one, other in zip(olds, news):
            key = identity(one)
            self.tally.counts["rendered objects"] += one != other
            if one.get("kind") == "AgentRuntime":
                if isinstance(one.get("spec"), dict) and "skills" not in (other.get("spec") or {}):
                    one["spec"].pop("skills", None)
            elif one != other and key not in wanted:
                self.differs("untouched", name, f"no list is about {' '.join(key)}: {next(places(one, other), '')}")
            names = [str(skill.get("name")) for skill in wanted.get(key, [])]
            left, right = plain(one), plain(stripped(one, other, names))
            if left != right and not rendered_before:
                self.differs("lost", name, "; ".join(list(places(left, right))[:3]))
        if rendered_before or back is None:
            self.tally.counts["rendered before"] += rendered_before
            return
        text, value = back
        if text == old:
            self.tally.counts["given back to the byte"] += 1
            return
        for one, other in zip(olds, list(objects(value.get("value")))):
            if plain(one) != plain(other):
                self.differs("remove", name, "; ".join(list(places(plain(one), plain(other)))[:3]))
                return
        dropped = any(value.get("kind") == "AgentRuntime" for value in olds)
        if not dropped and not holds_empty(meant["value"]):
            self.differs("remove", name, "other bytes come back")
        else:
            self.tally.counts["given back in meaning"] += 1

    def mounted(self, wanted, before, after):
        if any("skillImageVolumes" in document for read in before.values() for document, _ in read):
            return
        for name, read in after.items():
            for _, answer in read:
                for value in objects(answer.get("value")):
                    key = identity(value)
                    if key[0] not in ("Deployment", "StatefulSet"):
                        continue
                    pod = at(value, "spec", "template", "spec") or {}
                    volumes = {volume.get("name"): volume for volume in pod.get("volumes") or []}
                    mounts = {(mount.get("name"), mount.get("mountPath")) for container in pod.get("containers") or []
                              for mount in container.get("volumeMounts") or []}
                    for skill in wanted.get(key, []):
                        volume = f"skill-{skill.get('name')}"
                        if at(volumes.get(volume), "image", "reference") != skill.get("image"):
                            self.differs("skills", name, f"{' '.join(key)} lacks the volume {volume}")
                        elif (volume, skill.get("mountPath")) not in mounts:
                            self.differs("skills", name, f"{' '.join(key)} lacks the mount of {volume}")
                        else:
                            self.tally.counts["skills mounted"] += 1


def reasons(stderr):
    """Errors without their places, names and numbers, to be counted."""
    for line in stderr.splitlines():
        if line.startswith("error: "):
            line = re.sub(r"^error: (?:\S*:\d+(?::\d+)?: )?(?:document \d+: )?", "", line)
            line = re.sub(r"^(\w+) [^\s:]+/[^\s:]+: ", r"\1: ", line)
            line = re.sub(r"\"[^\"]*\"|'[^']*'", "'...'", line)
            line = re.sub(r"/\S*/corpus-[^\s:;,]+", "FILE", line).removeprefix("FILE: ")
            yield re.sub(r"\d+", "N", line)[:200]


def try_folder(options, root, folder, names):
    reader, tally = Reader(options.oracle, options.timeout), Tally()
    texts = {}
    for name in names:
        path = folder / name
        tally.counts["files"] += 1
        try:
            if not path.is_file() or path.stat().st_size > LONGEST:
                tally.refused[f"(not tried) no file of at most {LONGEST >> 20} MiB"] += 1
                continue
            texts[name] = path.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError):
            tally.refused["(not tried) no UTF-8 that can be read"] += 1
    if not texts:
        return tally
    label = os.path.relpath(folder, root.parent)
    read = reader.files(texts)
    own = wanted_skills(read)
    rossoctl = any("agent.rossoctl.dev/" in text for text in texts.values())
    added = {}
    if not options.as_is:
        for name in texts:
            agents = agents_for(read[name], own, "agent.rossoctl.dev" if rossoctl else "agent.kagenti.dev")
            if agents:
                added[name] = (f"{name}.corpus-agents.yaml", agents)
                tally.counts["workloads given an AgentRuntime"] += agents.count('"AgentRuntime"')
    for profile in options.profile:
        if rossoctl and profile != "auto":
            continue

        def attempt(some):
            all_texts = {name: texts[name] for name in some}
            all_texts.update(added[name] for name in some if name in added)
            part = Tally()
            unit = Unit(options, reader, label, profile, all_texts, part)
            means = {name: read[name] for name in some}
            means.update(reader.files({name: text for name, text in all_texts.items() if name not in means}))
            result = unit.try_out(means)
            return part, result

        part, result = attempt(list(texts))
        if result is not True and len(texts) > 1:
            tally.counts["folders tried file by file"] += 1
            for name in texts:
                part, result = attempt([name])
                tally.add(part)
                if result is not True:
                    tally.counts["refused files"] += 1
                    tally.refused.update(set(reasons(result)))
            continue
        tally.add(part)
        if result is not True:
            tally.counts["refused files"] += len(texts)
            tally.refused.update(set(reasons(result)))
    return tally


def folders(root):
    if root.is_file():
        yield root.parent, [root.name]
        return
    for place, below, names in os.walk(root):
        below[:] = sorted(name for name in below if name not in SKIPPED_FOLDERS)
        # A configuration of ours gives flags their defaults, and is no manifest.
        some = sorted(name for name in names if name.endswith(ENDINGS) and not name.startswith(".kubectl-skills."))
        if some:
            yield Path(place), some


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, help="kubectl-skills")
    parser.add_argument("--oracle", required=True, help="hack/oracle, as `hack/tools.sh go-oracle` builds it")
    parser.add_argument("--as-is", action="store_true", help="only the lists that are there")
    parser.add_argument("--profile", action="append", help="repeatable (default: auto, and head)")
    parser.add_argument("--seconds", type=int, default=1800, help="for all (default: 1800)")
    parser.add_argument("--timeout", type=int, default=60, help="seconds for one run of the program (default: 60)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="folders at once (default: one per core)")
    parser.add_argument("roots", nargs="+", type=Path, metavar="DIR")
    options = parser.parse_args()
    options.profile = options.profile or ["auto", "head"]
    options.program = os.path.abspath(options.program)
    for root in options.roots:
        if not root.exists():
            parser.error(f"{root} does not exist")
    started, tally, late = time.monotonic(), Tally(), 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        def work(job):
            if time.monotonic() - started > options.seconds:
                return None
            try:
                return try_folder(options, *job)
            except (subprocess.SubprocessError, RecursionError, ValueError) as error:
                # One folder must not end the run; nor may it pass for held.
                part = Tally()
                part.differences.append(("failed", str(job[1]), "any", f"hack/corpus.py: {error!r}"[:500]))
                return part

        jobs = [(root.resolve(), folder, names) for root in options.roots for folder, names in folders(root.resolve())]
        for part in pool.map(work, jobs):
            if part is None:
                late += 1
            else:
                tally.add(part)
    for what, place, profile, detail in tally.differences:
        print(f"difference: {what}: {place} (profile {profile}): {detail}")
    for reason, count in tally.refused.most_common():
        print(f"{count:8}  refused: {reason}")
    print(f"{len(jobs):8}  folders, with profiles {', '.join(options.profile)}; what follows counts each profile")
    for name in ("files", "workloads given an AgentRuntime", "folders tried file by file", "documents", "rendered files",
                 "unchanged files", "refused files", "rendered documents", "rendered objects", "skills mounted",
                 "given back to the byte", "given back in meaning", "rendered before"):
        print(f"{tally.counts[name]:8}  {name}")
    print(f"{len(tally.differences):8}  differences, in {time.monotonic() - started:.0f} s")
    if tally.differences:
        sys.exit(1)
    if late:
        print(f"corpus: {options.seconds} s are over, {late} folders were not tried", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
