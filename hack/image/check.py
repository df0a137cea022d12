#!/usr/bin/env python3
"""Checks an OCI image layout of ours, apart from what wrote it: digests, sizes, user, entry point, one layer with two files,
a static program of the right architecture. smoke.py starts it. Standard library only; ends non-zero with a reason."""

import gzip
import hashlib
import io
import json
import pathlib
import struct
import sys
import tarfile

MACHINES = {"amd64": 62, "arm64": 183}
ENTRYPOINTS = {"kubectl-skills": ["/kubectl-skills"], "kubectl-skills-fn": ["/kubectl-skills", "fn"]}


def fail(message):
    sys.exit(f"image: {message}")


def want(what, found, wanted):
    if found != wanted:
        fail(f"{what} is {found!r}, not {wanted!r}")


def blob(root, entry):
    kind, digest = entry["digest"].split(":")
    want("the kind of a digest", kind, "sha256")
    data = (root / "blobs" / "sha256" / digest).read_bytes()
    want(f"the size of {digest}", len(data), entry["size"])
    want("a blob's digest", hashlib.sha256(data).hexdigest(), digest)
    return data


def dynamic_loader(program):
    """The interpreter and needed libraries that an ELF file asks for; empty for a static one."""
    if program[:6] != b"\x7fELF\x02\x01":
        fail("the program is no 64-bit little-endian ELF file")
    offset, = struct.unpack_from("<Q", program, 32)
    size, count = struct.unpack_from("<HH", program, 54)
    asks = []
    for number in range(count):
        kind, _, at, _, _, length = struct.unpack_from("<IIQQQQ", program, offset + number * size)
        if kind == 3:
            asks.append(program[at:at + length].rstrip(b"\0").decode())
        if kind == 2:
            for place in range(at, at + length, 16):
                tag, _ = struct.unpack_from("<qQ", program, place)
                if tag == 1:
                    asks.append("a shared library")
    return asks


def check_image(root, entry):
    arch = entry["platform"]["architecture"]
    want("the system", entry["platform"]["os"], "linux")
    manifest = json.loads(blob(root, entry))
    config = json.loads(blob(root, manifest["config"]))
    want("the configuration's architecture", config["architecture"], arch)
    want("the user", config["config"]["User"], "65532:65532")
    title = config["config"]["Labels"]["org.opencontainers.image.title"]
    want("the entry point", config["config"]["Entrypoint"], ENTRYPOINTS[title])
    want("the number of layers", len(manifest["layers"]), 1)
    raw = gzip.decompress(blob(root, manifest["layers"][0]))
    want("the layer's own digest", config["rootfs"]["diff_ids"], [f"sha256:{hashlib.sha256(raw).hexdigest()}"])
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        found = {entry.name: (entry.mode, entry.uid, entry.gid, entry.isfile()) for entry in tar}
        want("the layer's content", found, {"LICENSE": (0o644, 0, 0, True), "kubectl-skills": (0o755, 0, 0, True)})
        program = tar.extractfile("kubectl-skills").read()
    want("what the program loads", dynamic_loader(program), [])
    machine, = struct.unpack_from("<H", program, 18)
    want("the program's machine", machine, MACHINES[arch])
    print(f"ok  linux/{arch}: static, {len(program)} bytes, {manifest['layers'][0]['size']} packed")


def main():
    root = pathlib.Path(sys.argv[1])
    want("oci-layout", json.loads((root / "oci-layout").read_text()), {"imageLayoutVersion": "1.0.0"})
    top = json.loads((root / "index.json").read_text())
    want("the number of images by tag", len(top["manifests"]), 1)
    index = json.loads(blob(root, top["manifests"][0]))
    for entry in index["manifests"]:
        check_image(root, entry)
    known = {p.name for p in (root / "blobs" / "sha256").iterdir()}
    want("the number of blobs", len(known), 1 + 3 * len(index["manifests"]))
    print(f"ok  {top['manifests'][0]['digest']}")


if __name__ == "__main__":
    main()
