#!/usr/bin/env python3
"""Has the real cosign sign images in real registries, with the referrers API and without, and holds the verdicts of `verify`
against what was done, and against cosign's own.

    hack/e2e-verify.py --program FILE --crane FILE --registries FILE --cosign FILE
"""
import argparse
import contextlib
import importlib.util
import json
import os
import re
import socket
import subprocess
import tempfile
from pathlib import Path

# The registries, the proxy and the list of checks are those of e2e-registry.
spec = importlib.util.spec_from_file_location("e2e_registry", Path(__file__).with_name("e2e-registry.py"))
e2e = importlib.util.module_from_spec(spec)
spec.loader.exec_module(e2e)
MANIFEST, INDEX, digest, same = e2e.MANIFEST, e2e.INDEX, e2e.digest, e2e.same

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
REFERRERS = 120


class Repository:
    """Images in a repository, written without any tool."""

    def __init__(self, registry, name):
        self.registry, self.name = registry, name

    def reference(self, end):
        return f"{self.registry.host}/{self.name}{end}"

    def blob(self, data, kind):
        status, headers, _ = self.registry.ask("POST", f"/v2/{self.name}/blobs/uploads/")
        same(status, 202)
        location = headers["location"]
        location = location[location.index("/v2/"):]
        mark = "&" if "?" in location else "?"
        status, _, _ = self.registry.ask("PUT", f"{location}{mark}digest={digest(data)}", data, {"Content-Type": "application/octet-stream"})
        same(status, 201)
        return {"mediaType": kind, "digest": digest(data), "size": len(data)}

    def manifest(self, value, kind, tag=None):
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        name = digest(data)
        status, _, body = self.registry.ask("PUT", f"/v2/{self.name}/manifests/{tag or name}", data, {"Content-Type": kind})
        if status != 201:
            raise AssertionError(f"PUT {tag or name}: {status} {body!r}")
        return {"mediaType": kind, "digest": name, "size": len(data)}

    def image(self, tag, text, machine="amd64"):
        layer = self.blob(text.encode(), "application/vnd.oci.image.layer.v1.tar")
        config = {"architecture": machine, "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}
        config = self.blob(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json")
        return self.manifest({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}, MANIFEST, tag)

    def index(self, tag):
        images = [self.image(None, f"{tag} {machine}", machine) | {"platform": {"os": "linux", "architecture": machine}} for machine in ("amd64", "arm64")]
        return self.manifest({"schemaVersion": 2, "mediaType": INDEX, "manifests": images}, INDEX, tag), images

    def read(self, name):
        accept = {"Accept": f"{MANIFEST}, {INDEX}"}
        status, _, body = self.registry.ask("GET", f"/v2/{self.name}/manifests/{name}", headers=accept)
        same(status, 200)
        return body

    def referrers(self, image):
        if self.registry.native:
            status, _, body = self.registry.ask("GET", f"/v2/{self.name}/referrers/{image['digest']}")
            same(status, 200)
        else:
            body = self.read(image["digest"].replace(":", "-"))
        return json.loads(body)["manifests"]

    def listed(self, image, entries):
        """Writes the list that clients keep, where the registry keeps none."""
        if not self.registry.native:
            self.manifest({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}, INDEX, image["digest"].replace(":", "-"))


class Cosign:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder

    def run(self, *words, code=0):
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "DOCKER_CONFIG": str(self.folder), "COSIGN_PASSWORD": ""}
        done = subprocess.run([self.program, *words], env=environment, cwd=self.folder, capture_output=True, text=True, timeout=300)
        if code is not None and done.returncode != code:
            raise AssertionError(f"cosign {' '.join(words)}: exit code {done.returncode}: {done.stderr}")
        return done.returncode

    def key(self, name):
        self.run("generate-key-pair", "--output-key-prefix", name)
        return Key(self, str(self.folder / name))

    def accepts(self, key, reference):
        """What cosign itself thinks of it."""
        words = ["verify", "--key", key.public, "--insecure-ignore-tlog=true", "--allow-http-registry", reference]
        return self.run(*words, code=None) == 0


class Key:
    OFFLINE = ["--use-signing-config=false", "--tlog-upload=false", "--allow-http-registry", "--yes"]

    def __init__(self, cosign, prefix):
        self.cosign, self.private, self.public = cosign, f"{prefix}.key", f"{prefix}.pub"

    def sign(self, reference, *more):
        self.cosign.run("sign", "--key", self.private, *self.OFFLINE, *more, reference)

    def sign_as_before(self, reference):
        self.sign(reference, "--new-bundle-format=false")

    def attest(self, reference, kind, predicate):
        file = self.cosign.folder / "predicate.json"
        file.write_text(json.dumps(predicate))
        self.cosign.run("attest", "--key", self.private, *self.OFFLINE, "--type", kind, "--predicate", str(file), reference)


class Closed(e2e.Handler):
    """A registry that answers 401 where the lists and signatures of clients are."""

    def handle_closed(self):
        if re.search(self.server.fault, self.path):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            return self.plain(401, b"no")
        return self.handle_any()

    do_GET = do_HEAD = handle_closed


class ClosedProxy(e2e.Proxy):
    def __init__(self, upstream, fault):
        super().__init__(upstream, fault)
        self.RequestHandlerClass = Closed


class Checks:
    """What is done in one registry, and what `verify` must say of it."""

    def __init__(self, run, cosign, registry):
        self.run, self.cosign, self.registry = run, cosign, registry
        self.key, self.other = cosign.key(f"key-{registry.port}"), cosign.key(f"other-{registry.port}")

    def repository(self, name):
        return Repository(self.registry, f"e2e/{name}")

    def verify(self, reference, *more, key=None, code=0):
        done = self.run.skills("verify", reference, "--key", (key or self.key).public, "-o", "json", *more, code=code)
        return (json.loads(done.stdout)["images"][0] if done.stdout else None), done.stderr

    def refused(self, reference, *words, key=None, more=()):
        found, said = self.verify(reference, *more, key=key, code=1)
        same((found["verified"], found["signatures"]), (False, []))
        for word in words:
            if word not in said:
                raise AssertionError(f"{word!r} is not said: {said}")
        return found

    def accepted(self, reference, *more, key=None):
        found, _ = self.verify(reference, *more, key=key)
        same(found["verified"], True)
        return found

    def cosign_says(self, reference, wanted, key=None):
        same(self.cosign.accepts(key or self.key, reference), wanted)

    def good(self):
        place = self.repository("good")
        image = place.image("1", "good")
        self.key.sign(place.reference(f"@{image['digest']}"))
        found = self.accepted(place.reference(":1"))
        same([one["format"] for one in found["signatures"]], ["bundle"])
        same(found["signatures"][0]["digest"], image["digest"])
        self.cosign_says(place.reference(":1"), True)
        self.refused(place.reference(":1"), "no log entry", more=["--require-log"])

    def two_signers(self):
        place = self.repository("two")
        image = place.image("1", "two")
        for key in (self.key, self.other):
            key.sign(place.reference(f"@{image['digest']}"))
        for key in (self.key, self.other):
            same(len(self.accepted(place.reference(":1"), key=key)["signatures"]), 1)
        same(len(self.accepted(place.reference(":1"), "--key", self.other.public)["signatures"]), 2)

    def wrong_key(self):
        place = self.repository("wrong-key")
        image = place.image("1", "wrong")
        self.other.sign(place.reference(f"@{image['digest']}"))
        self.refused(place.reference(":1"), "none of its signatures counts", "another key", "--key")
        self.cosign_says(place.reference(":1"), False)

    def unsigned(self):
        place = self.repository("unsigned")
        place.image("1", "unsigned")
        self.refused(place.reference(":1"), "it has no signature", "cosign sign --key")
        self.cosign_says(place.reference(":1"), False)

    def attested_only(self):
        place = self.repository("attested")
        image = place.image("1", "attested")
        self.key.attest(place.reference(f"@{image['digest']}"), "slsaprovenance1", {"buildDefinition": {"buildType": "x", "externalParameters": {}}, "runDetails": {"builder": {"id": "x"}}})
        self.refused(place.reference(":1"), "it is attested and not signed", "cosign takes it for a signature")
        # cosign accepts it: the check is stricter.
        self.cosign_says(place.reference(":1"), True)
        self.accepted(place.reference(":1"), "--any-predicate", "--attestation", "slsaprovenance1")
        self.key.sign(place.reference(f"@{image['digest']}"))
        found = self.accepted(place.reference(":1"), "--attestation", "slsaprovenance1")
        same([one["predicateType"] for one in found["attestations"]], ["https://slsa.dev/provenance/v1"])

    def of_another(self):
        place = self.repository("another")
        good, evil = place.image("1", "good"), place.image("2", "evil")
        self.key.sign(place.reference(f"@{good['digest']}"))
        self.key.sign_as_before(place.reference(f"@{good['digest']}"))
        # What who may write into the registry can do: the same bundle, said to be about another image.
        (entry,) = place.referrers(good)
        copied = json.loads(place.read(entry["digest"]))
        copied["subject"] = evil
        copy = place.manifest(copied, MANIFEST)
        place.listed(evil, [copy | {"artifactType": BUNDLE}])
        tag = good["digest"].replace(":", "-")
        place.manifest(place.read(f"{tag}.sig"), MANIFEST, evil["digest"].replace(":", "-") + ".sig")
        found = self.refused(place.reference(":2"), f"and signs {good['digest']}", "another image counts for that image only")
        same([one["reason"] for one in found["refused"]], ["other-image", "other-image"])
        self.cosign_says(place.reference(":2"), False)

    def moved(self):
        place = self.repository("moved")
        image = place.image("1", "signed")
        self.key.sign(place.reference(":1"))
        self.accepted(place.reference(":1"))
        place.image("1", "moved")
        self.refused(place.reference(":1"), "it has no signature", "has been moved since")
        self.accepted(place.reference(f":1@{image['digest']}"))

    def old(self):
        place = self.repository("old")
        image = place.image("1", "old")
        self.key.sign_as_before(place.reference(f"@{image['digest']}"))
        same([one["format"] for one in self.accepted(place.reference(":1"))["signatures"]], ["signature-tag"])
        self.refused(place.reference(":1"), "another key", key=self.other)
        self.refused(place.reference(":1"), "no log entry", more=["--require-log"])

    def index(self):
        place = self.repository("index")
        root, images = place.index("1")
        self.key.sign(place.reference(":1"))
        found = self.accepted(place.reference(":1"))
        same([(one["of"], one["digest"]) for one in found["signatures"]], [("index", root["digest"])])
        root, images = place.index("2")
        arm = images[1]["digest"]
        self.key.sign(place.reference(f"@{arm}"))
        self.refused(place.reference(":2"), "it is an index", "--platform")
        self.refused(place.reference(":2"), more=["--platform", "linux/amd64"])
        # The nodes of the other platform may have anything: what is signed is named, and holds by itself.
        found, said = self.verify(place.reference(":2"), "--platform", "linux/arm64", code=1)
        same((found["verified"], f"@{arm}" in said), (False, True))
        self.accepted(place.reference(f"@{arm}"))
        same([(one["of"], one["platform"], one["digest"]) for one in found["signatures"]], [("manifest", "linux/arm64", arm)])
        root, images = place.index("3")
        self.key.sign(place.reference(":3"), "--recursive")
        same(len(self.accepted(place.reference(":3"), "--platform", "linux/amd64")["signatures"]), 2)

    def many(self):
        place = self.repository("many")
        image = place.image("1", "many")
        empty = place.blob(b"{}", "application/vnd.oci.empty.v1+json")
        entries = []
        for number in range(REFERRERS):
            value = {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/vnd.example", "config": empty, "layers": [empty],
                     "subject": image, "annotations": {"number": str(number)}}
            entries.append(place.manifest(value, MANIFEST) | {"artifactType": value["artifactType"]})
        place.listed(image, entries)
        self.refused(place.reference(":1"), "it has no signature")
        self.key.sign(place.reference(f"@{image['digest']}"))
        same(len(place.referrers(image)), REFERRERS + 1)
        self.accepted(place.reference(":1"))

    def closed(self):
        place = self.repository("good")
        hex_digits = "[0-9a-f]{64}"
        faults = [f"/manifests/sha256-{hex_digits}[.]sig"]
        faults.append(f"/referrers/sha256:{hex_digits}" if self.registry.native else f"/manifests/sha256-{hex_digits}$")
        for fault in faults:
            proxy = ClosedProxy(self.registry, fault)
            try:
                found, said = self.verify(f"{proxy.host}/{place.name}:1", code=4)
            finally:
                proxy.shutdown()
                proxy.server_close()
            same(found, None)
            if "no signature" in said:
                raise AssertionError(said)

    def saved(self):
        place = self.repository("saved")
        image = place.image("1", "saved")
        self.key.sign(place.reference(f"@{image['digest']}"))
        self.key.sign_as_before(place.reference(f"@{image['digest']}"))
        folder = self.run.fresh()
        self.cosign.run("save", "--allow-http-registry", "--dir", folder, place.reference(":1"))
        self.accepted(folder)
        self.run.skills("verify", folder, "--key", self.other.public, code=1)
        copied = self.run.fresh()
        self.run.skills("pull", place.reference(":1"), copied)
        same([one["format"] for one in self.accepted(copied)["signatures"]], ["bundle", "signature-tag"])

    def all(self):
        for name, body in [
            ("good", self.good), ("two signers", self.two_signers), ("wrong key", self.wrong_key), ("unsigned", self.unsigned),
            ("attested only", self.attested_only), ("a signature of another digest", self.of_another), ("a tag that was moved", self.moved),
            ("the older kind", self.old), ("index and platform", self.index), (f"{REFERRERS} referrers", self.many),
            ("401 is not unsigned", self.closed), ("layouts of cosign save and pull", self.saved),
        ]:
            self.run.check(f"{self.registry.name}: {name}", body)


def main():
    parser = argparse.ArgumentParser()
    for name in ("program", "crane", "registries", "cosign"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    options.program = str(Path(options.program).resolve())
    options.cosign = str(Path(options.cosign).resolve())
    with tempfile.TemporaryDirectory(prefix="e2e-verify-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        run = e2e.Run(options, folder)
        keys = folder / "keys"
        keys.mkdir()
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        crane = e2e.Registry("without the API", [options.crane, "registry", "serve", "--address", f"127.0.0.1:{port}"], port=port)
        stack.callback(crane.stop)
        native = e2e.Registry("with the API", [options.registries, "referrers"], native=True)
        stack.callback(native.stop)
        for registry in (crane, native):
            Checks(run, Cosign(options.cosign, keys), registry).all()
        if run.failed:
            raise SystemExit(f"e2e-verify: {len(run.failed)} failed: {', '.join(run.failed)}")


if __name__ == "__main__":
    main()
