#!/usr/bin/env python3
"""Prints the krew manifest of a release: krew/skills.yaml with version, addresses and checksums. Standard library only.

    krew.py --url BASE --version vX.Y.Z ARCHIVE...
"""

import hashlib
import pathlib
import re
import sys

import release

TEMPLATE = pathlib.Path("krew/skills.yaml")


def main():
    args = release.arguments()

    platforms = []
    for archive in sorted(args.archives):
        found = re.fullmatch(r"kubectl-skills_(.+)_([a-z]+)_([a-z0-9]+)\.(?:tar\.gz|zip)", archive.name)
        if not found or found[1] != args.version:
            sys.exit(f"krew: {archive.name} is no archive of {args.version}")
        binary = "kubectl-skills.exe" if found[2] == "windows" else "kubectl-skills"
        platforms.append(
            f"  - selector:\n      matchLabels:\n        os: {found[2]}\n        arch: {found[3]}\n"
            f"    uri: {args.url}/{archive.name}\n    sha256: {hashlib.sha256(archive.read_bytes()).hexdigest()}\n    bin: {binary}"
        )
    text = "".join(line for line in TEMPLATE.read_text().splitlines(True) if not line.startswith("#"))
    print(text.replace("@VERSION@", args.version).replace("@PLATFORMS@", "\n".join(platforms)), end="")


if __name__ == "__main__":
    main()
