#!/usr/bin/env python3
"""Packs programs for krew and fills the manifest's template in. Standard library only; the same input, the same bytes."""

import argparse
import gzip
import hashlib
import io
import os
import pathlib
import tarfile
import time
import zipfile


def tar_gz(files, epoch):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, mode, data in files:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(data), mode, epoch
            tar.addfile(entry, io.BytesIO(data))
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=packed, mode="wb", compresslevel=9, mtime=0) as stream:
        stream.write(raw.getvalue())
    return packed.getvalue()


def zipped(files, epoch):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, mode, data in files:
            entry = zipfile.ZipInfo(name, time.gmtime(max(epoch, 315532800))[:6])
            entry.compress_type, entry.create_system = zipfile.ZIP_DEFLATED, 3
            entry.external_attr = (0o100000 | mode) << 16
            archive.writestr(entry, data)
    return packed.getvalue()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True, type=pathlib.Path)
    for name in ("--url", "--version"):
        parser.add_argument(name, required=True)
    for name in ("--license", "--template"):
        parser.add_argument(name, required=True, type=pathlib.Path)
    parser.add_argument("programs", nargs="+", metavar="OS/ARCH=PROGRAM")
    args = parser.parse_args()

    epoch = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    platforms = []
    for program in sorted(args.programs):
        platform, path = program.split("=", 1)
        system, arch = platform.split("/")
        windows = system == "windows"
        binary = "kubectl-skills.exe" if windows else "kubectl-skills"
        files = [("LICENSE", 0o644, args.license.read_bytes()), (binary, 0o755, pathlib.Path(path).read_bytes())]
        data = (zipped if windows else tar_gz)(files, epoch)
        name = f"kubectl-skills_{args.version}_{system}_{arch}.{'zip' if windows else 'tar.gz'}"
        (args.out / name).write_bytes(data)
        platforms.append(
            f"  - selector:\n      matchLabels:\n        os: {system}\n        arch: {arch}\n"
            f"    uri: {args.url}/{name}\n    sha256: {hashlib.sha256(data).hexdigest()}\n    bin: {binary}"
        )
        print(f"{args.out / name}")
    text = "".join(line for line in args.template.read_text().splitlines(True) if not line.startswith("#"))
    text = text.replace("@VERSION@", args.version).replace("@PLATFORMS@", "\n".join(platforms))
    (args.out / "skills.yaml").write_text(text)


if __name__ == "__main__":
    main()
