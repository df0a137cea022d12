#!/usr/bin/env python3
"""Packs a program with what stage.py gathered, one archive for each platform. Standard library only.

    archive.py --stage FOLDER --version vX.Y.Z --out DIR [--level 9] OS/ARCH=PROGRAM...

The same input gives the same bytes: entries by name, nobody's owner, times of SOURCE_DATE_EPOCH. Windows gets a zip. Prints
the path of each archive.

    archive.py --repack FILE.tar.gz

writes an archive of another tool (`helm package`) anew in the same way, its entries' content and modes as they are.
"""

import argparse
import gzip
import io
import os
import pathlib
import tarfile
import time
import zipfile

# The first day that a zip can name.
ZIP_EPOCH = 315532800


def tar_gz(files, epoch, level):
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=packed, mode="wb", compresslevel=level, mtime=0) as stream:
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for name, mode, data in files:
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode, entry.mtime = len(data), mode, epoch
                tar.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def zipped(files, epoch, level):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, mode, data in files:
            entry = zipfile.ZipInfo(name, time.gmtime(max(epoch, ZIP_EPOCH))[:6])
            entry.compress_type, entry.create_system = zipfile.ZIP_DEFLATED, 3
            entry.external_attr = (0o100000 | mode) << 16
            archive.writestr(entry, data, compresslevel=level)
    return packed.getvalue()


def repack(path, epoch):
    with tarfile.open(path) as tar:
        files = sorted((entry.name, entry.mode & 0o777, tar.extractfile(entry).read()) for entry in tar if entry.isfile())
    path.write_bytes(tar_gz(files, epoch, 9))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--repack", type=pathlib.Path)
    parser.add_argument("--stage", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--version")
    parser.add_argument("--level", type=int, default=9)
    parser.add_argument("programs", nargs="*", metavar="OS/ARCH=PROGRAM")
    args = parser.parse_args()
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    if args.repack:
        repack(args.repack, epoch)
        return
    if not (args.stage and args.out and args.version and args.programs):
        parser.error("--stage, --out, --version and at least one OS/ARCH=PROGRAM")

    shared = [
        (path.relative_to(args.stage).as_posix(), path.stat().st_mode & 0o777, path.read_bytes())
        for path in args.stage.rglob("*") if path.is_file()
    ]
    for program in sorted(args.programs):
        platform, path = program.split("=", 1)
        system, arch = platform.split("/")
        windows = system == "windows"
        binary = "kubectl-skills.exe" if windows else "kubectl-skills"
        files = sorted([*shared, (binary, 0o755, pathlib.Path(path).read_bytes())])
        name = args.out / f"kubectl-skills_{args.version}_{system}_{arch}.{'zip' if windows else 'tar.gz'}"
        name.write_bytes((zipped if windows else tar_gz)(files, epoch, args.level))
        print(name)


if __name__ == "__main__":
    main()
