#!/usr/bin/env python3
"""Writes an OCI image layout: one image per architecture, one layer each. Standard library only.

The same input gives the same bytes: entries in a fixed order with fixed owners, modes and times, gzip without a name.
Prints the digest of the index. SOURCE_DATE_EPOCH is the time of everything.
"""

import argparse
import gzip
import hashlib
import io
import json
import os
import pathlib
import tarfile
import time

USER = 65532
# What an engine starts; a KRM function gets no arguments.
ENTRYPOINTS = {"all": ["/kubectl-skills"], "fn": ["/kubectl-skills", "fn"]}
TITLES = {"all": "kubectl-skills", "fn": "kubectl-skills-fn"}


def put(blobs, data):
    digest = hashlib.sha256(data).hexdigest()
    (blobs / digest).write_bytes(data)
    return {"digest": f"sha256:{digest}", "size": len(data)}


def layer(files, epoch):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, mode, data in files:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(data), mode, epoch
            tar.addfile(entry, io.BytesIO(data))
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=packed, mode="wb", compresslevel=9, mtime=0) as stream:
        stream.write(raw.getvalue())
    return raw.getvalue(), packed.getvalue()


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--kind", choices=sorted(ENTRYPOINTS), default="all")
    parser.add_argument("--version", required=True)
    parser.add_argument("--license", required=True, type=pathlib.Path)
    parser.add_argument("programs", nargs="+", metavar="ARCH=FILE")
    args = parser.parse_args()

    epoch = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))
    blobs = args.out / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    labels = {
        "org.opencontainers.image.licenses": "Apache-2.0",
        "org.opencontainers.image.source": "https://github.com/kagenti/kubectl-skills",
        "org.opencontainers.image.title": TITLES[args.kind],
        "org.opencontainers.image.version": args.version,
    }
    manifests = []
    for program in sorted(args.programs):
        arch, path = program.split("=", 1)
        files = [
            ("LICENSE", 0o644, args.license.read_bytes()),
            ("kubectl-skills", 0o755, pathlib.Path(path).read_bytes()),
        ]
        raw, packed = layer(files, epoch)
        config = {
            "architecture": arch,
            "config": {
                "Entrypoint": ENTRYPOINTS[args.kind],
                "Labels": labels,
                "User": f"{USER}:{USER}",
                "WorkingDir": "/",
            },
            "created": created,
            "history": [{"created": created, "created_by": "hack/image.sh"}],
            "os": "linux",
            "rootfs": {"diff_ids": [f"sha256:{hashlib.sha256(raw).hexdigest()}"], "type": "layers"},
        }
        manifest = {
            "annotations": labels,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **put(blobs, canonical(config))},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", **put(blobs, packed)}],
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "schemaVersion": 2,
        }
        manifests.append({
            "mediaType": manifest["mediaType"],
            "platform": {"architecture": arch, "os": "linux"},
            **put(blobs, canonical(manifest)),
        })
    index = {
        "manifests": manifests,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "schemaVersion": 2,
    }
    # The image's own index is a blob, so that a tag has one digest for all architectures.
    entry = {"mediaType": index["mediaType"], **put(blobs, canonical(index))}
    entry["annotations"] = {"org.opencontainers.image.ref.name": f"v{args.version}"}
    top = {"manifests": [entry], "mediaType": index["mediaType"], "schemaVersion": 2}
    (args.out / "index.json").write_bytes(canonical(top))
    (args.out / "oci-layout").write_bytes(canonical({"imageLayoutVersion": "1.0.0"}))
    print(entry["digest"])


if __name__ == "__main__":
    main()
