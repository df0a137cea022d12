#!/usr/bin/env python3
"""Writes cosign-registry/: what a registry has after cosign has signed four images into it, as an OCI layout. Keys are thrown away.

usage: make-registry.py CRANE COSIGN    (both as `make e2e-verify` leaves them in .cache/tools)
"""
import hashlib, io, json, os, shutil, socket, subprocess, sys, tarfile, tempfile, time, urllib.request
from pathlib import Path

SKILL = b"---\nname: %s\ndescription: Says how a greeting is written.\n---\nGreet people by their name.\n"
NAMES = ["hello-world", "unsigned", "wrong-key", "attested-only"]
ACCEPT = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"


def layer(path, name):
    with tarfile.open(path, "w:gz") as archive:
        content = SKILL % name.encode()
        entry = tarfile.TarInfo("SKILL.md")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))


def get(url):
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": ACCEPT})) as answer:
        return answer.read(), answer.headers.get("Content-Type")


def main():
    crane, cosign = (str(Path(program).resolve()) for program in sys.argv[1:3])
    out = Path(__file__).parent / "cosign-registry"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    with tempfile.TemporaryDirectory() as work:
        registry = subprocess.Popen([crane, "registry", "serve", "--address", host], stderr=subprocess.DEVNULL)
        try:
            environment = {**os.environ, "COSIGN_PASSWORD": ""}
            run = lambda *command: subprocess.run(command, cwd=work, env=environment, check=True)
            for _ in range(100):
                try:
                    get(f"http://{host}/v2/")
                    break
                except OSError:
                    time.sleep(0.1)
            for key in ["cosign", "other"]:
                run(cosign, "generate-key-pair", "--output-key-prefix", key)
            digests = {}
            for name in NAMES:
                layer(Path(work) / "layer.tar.gz", name)
                run(crane, "append", "--oci-empty-base", "-f", "layer.tar.gz", "-t", f"{host}/skills/{name}:1.0.0")
                body, _ = get(f"http://{host}/v2/skills/{name}/manifests/1.0.0")
                digests[name] = f"{host}/skills/{name}@sha256:{hashlib.sha256(body).hexdigest()}"
            offline = ["--yes", "--use-signing-config=false", "--tlog-upload=false", "--allow-http-registry"]
            run(cosign, "sign", "--key", "cosign.key", *offline, digests["hello-world"])
            run(cosign, "sign", "--key", "cosign.key", "--new-bundle-format=false", *offline, digests["hello-world"])
            run(cosign, "sign", "--key", "other.key", *offline, digests["wrong-key"])
            (Path(work) / "sbom.json").write_text(json.dumps({"spdxVersion": "SPDX-2.3", "name": "attested-only"}))
            run(cosign, "attest", "--key", "cosign.key", "--type", "spdxjson", "--predicate", "sbom.json", *offline,
                digests["attested-only"])

            shutil.rmtree(out, ignore_errors=True)
            blobs = out / "blobs/sha256"
            blobs.mkdir(parents=True)
            keep = lambda body: (blobs / hashlib.sha256(body).hexdigest()).write_bytes(body)
            entries = []

            def manifest(name, reference):
                body, kind = get(f"http://{host}/v2/skills/{name}/manifests/{reference}")
                keep(body)
                read = json.loads(body)
                for inner in read.get("manifests", []):
                    manifest(name, inner["digest"])
                for blob in read.get("layers", []) + ([read["config"]] if "config" in read else []):
                    keep(get(f"http://{host}/v2/skills/{name}/blobs/{blob['digest']}")[0])
                return {"mediaType": kind, "digest": f"sha256:{hashlib.sha256(body).hexdigest()}", "size": len(body)}

            for name in NAMES:
                for tag in sorted(json.loads(get(f"http://{host}/v2/skills/{name}/tags/list")[0])["tags"]):
                    annotations = {"org.opencontainers.image.ref.name": f"skills/{name}:{tag}"}
                    entries.append({**manifest(name, tag), "annotations": annotations})
            index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries}
            (out / "index.json").write_text(json.dumps(index, indent=1) + "\n")
            (out / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}\n')
            for key in ["cosign", "other"]:
                shutil.copy(Path(work) / f"{key}.pub", out / f"{key}.pub")
        finally:
            registry.kill()


main()
