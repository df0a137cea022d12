#!/usr/bin/env python3
"""Holds the folder of a release against what docs/releases.md says of it, apart from what wrote it. Standard library only;
ends non-zero with a reason.

    check.py FOLDER
"""

import hashlib
import json
import pathlib
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import zipfile

COMPLETIONS = ["_kubectl-skills", "kubectl-skills.bash", "kubectl-skills.fish", "kubectl-skills.ps1", "kubectl_complete-skills"]
EXAMPLES = ["quickstart/weather.yaml", "skill-binding/on-workload.yaml", "skill-binding/weather.yaml"]
# What reads each completion for faults, where it is there.
READERS = {
    "kubectl-skills.bash": ["bash", "-n"],
    "kubectl_complete-skills": ["sh", "-n"],
    "_kubectl-skills": ["zsh", "-n"],
    "kubectl-skills.fish": ["fish", "--no-execute"],
}


def fail(message):
    sys.exit(f"dist-check: {message}")


def need(condition, message):
    if not condition:
        fail(message)


def read(path):
    """Entries of an archive: name to mode, time, content. Owners are nobody's, and the order is by name."""
    entries = {}
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            for one in archive.infolist():
                entries[one.filename] = (stat.S_IMODE(one.external_attr >> 16), one.date_time, archive.read(one))
    else:
        with tarfile.open(path) as archive:
            for one in archive:
                need(one.isfile() and (one.uid, one.gid, one.uname, one.gname) == (0, 0, "", ""), f"{path.name}: {one.name}")
                entries[one.name] = (one.mode, one.mtime, archive.extractfile(one).read())
    need(list(entries) == sorted(entries), f"{path.name}: its entries are not by name")
    need(len({time for _, time, _ in entries.values()}) == 1, f"{path.name}: its entries have several times")
    return entries


def verbs():
    """The verbs that have a page of documentation."""
    return sorted(path.stem for path in pathlib.Path("docs/verbs").glob("*.md"))


def archive(path):
    binary = "kubectl-skills.exe" if path.suffix == ".zip" else "kubectl-skills"
    entries = read(path)
    pages = ["kubectl-skills.1", *(f"kubectl-skills-{verb}.1" for verb in verbs())]
    wanted = {binary, "LICENSE", "README.md", "CHANGELOG.md"}
    wanted |= {f"man/man1/{page}" for page in pages} | {f"completions/{name}" for name in COMPLETIONS}
    wanted |= {f"docs/examples/{name}" for name in EXAMPLES}
    need(set(entries) == wanted, f"{path.name}: not what should be in it: {sorted(set(entries) ^ wanted)}")
    executable = {name for name, (mode, _, _) in entries.items() if mode == 0o755}
    need(executable == {binary, "completions/kubectl_complete-skills"}, f"{path.name}: executable are {sorted(executable)}")
    need(all(mode in (0o644, 0o755) for mode, _, _ in entries.values()), f"{path.name}: modes")
    links(path, entries)
    return entries


def links(path, entries):
    """A link of README leads into the archive, or to the repository as it was at this version."""
    for link in re.findall(r"\]\(([^)#][^)]*)\)", entries["README.md"][2].decode()):
        need(link.startswith("https://") or link.split("#")[0] in entries, f"{path.name}: README leads to {link}")


def texts(entries):
    """Manual pages and completions are what their readers take."""
    done = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (_, _, data) in entries.items():
            short = pathlib.PurePath(name).name
            file = pathlib.Path(folder, short)
            command = READERS.get(short) if name.startswith("completions/") else None
            if name.startswith("man/"):
                text = data.decode()
                for section in ("NAME", "SYNOPSIS", "OPTIONS", "EXAMPLES", '"EXIT STATUS"', '"SEE ALSO"'):
                    need(f".SH {section}\n" in text, f"{name}: no section {section}")
                command = ["mandoc", "-T", "lint", "-W", "error"]
            if command and shutil.which(command[0]):
                file.write_bytes(data)
                run = subprocess.run([*command, file], capture_output=True, text=True, timeout=60, check=False)
                need(run.returncode == 0, f"{name}: {command[0]}: {run.stdout}{run.stderr}")
                done.append(command[0])
    return ", ".join(f"{done.count(one)} by {one}" for one in sorted(set(done))) or "by no program, there is none"


def parts(path, version):
    """An SBOM: each part once, each with checksum and licence, each dependency known."""
    bom = json.loads(path.read_text(encoding="utf-8"))
    need((bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6"), f"{path.name}: its format")
    top = bom["metadata"]["component"]
    need(f"v{top['version']}" == version, f"{path.name}: of another version")
    references = [part["bom-ref"] for part in bom["components"]]
    need(len(set(references)) == len(references) > 100, f"{path.name}: {len(references)} parts")
    for part in bom["components"]:
        need(part.get("hashes") and part.get("licenses"), f"{path.name}: {part['bom-ref']} has no checksum or no licence")
    known = {*references, top["bom-ref"]}
    named = {one for entry in bom["dependencies"] for one in [entry["ref"], *entry["dependsOn"]]}
    need(named == known, f"{path.name}: dependencies name {sorted(named ^ known)}")
    need("path+file" not in path.read_text(encoding="utf-8"), f"{path.name}: a folder of this machine")
    return len(references)


def sums(folder):
    listed = {}
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ", 1)
        listed[name] = digest
    signatures = {"SHA256SUMS", "SHA256SUMS.sigstore.json"}
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - signatures
    need(set(listed) == files, f"SHA256SUMS is not about these files: {sorted(set(listed) ^ files)}")
    for name, digest in listed.items():
        need(hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, f"{name}: another checksum")
    return len(listed)


def main():
    folder = pathlib.Path(sys.argv[1])
    print(f"ok  {sums(folder)} files are what SHA256SUMS says")
    archives = sorted(path for path in folder.iterdir() if path.name.endswith((".tar.gz", ".zip")))
    need(archives, "no archive")
    version = archives[0].name.split("_")[1]
    for path in archives:
        entries = archive(path)
        print(f"ok  {path.name}: {len(entries)} files, {path.stat().st_size} bytes")
        name = path.name.removesuffix(".zip").removesuffix(".tar.gz")
        print(f"ok  {name}.cdx.json: {parts(folder / f'{name}.cdx.json', version)} parts")
    print(f"ok  pages and completions: {texts(entries)}")


if __name__ == "__main__":
    main()
