#!/usr/bin/env python3
"""Prints what a program is made of, as CycloneDX 1.6 in JSON, from `cargo metadata` and Cargo.lock. Standard library only.

    sbom.py --target TRIPLE

cargo-cyclonedx makes the same list, but names folders of the machine in its references, and writes into the source tree;
here the same commit gives the same bytes: packages by name, no serial number, the time of SOURCE_DATE_EPOCH.
Crates that only tests need are left out; those that only run while it is built have the scope `excluded`.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time
import tomllib
import urllib.parse

CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"


def metadata(arguments):
    run = subprocess.run(
        ["cargo", "metadata", "--locked", "--format-version", "1", *arguments], capture_output=True, text=True, check=False
    )
    if run.returncode != 0:
        sys.exit(f"sbom: cargo metadata: {run.stderr}")
    return json.loads(run.stdout)


def reached(nodes, root, build_too):
    """Packages below the root, through dependencies of the program, and of what builds it as well where `build_too`.

    A crate of macros or a build script runs while it is built, as does everything below it."""
    found, ahead = set(), [root]
    while ahead:
        here = ahead.pop()
        if here in found:
            continue
        found.add(here)
        for dependency in nodes[here]["deps"]:
            kinds = {kind["kind"] for kind in dependency["dep_kinds"]}
            if None in kinds or (build_too and "build" in kinds):
                ahead.append(dependency["pkg"])
    return found


def at_run_time(nodes, packages, root):
    """As `reached`, but not into macros, which are not in the program."""
    macros = {
        package["id"] for package in packages.values() if any("proc-macro" in target["kind"] for target in package["targets"])
    }
    pruned = {
        key: {"deps": [] if key in macros else [one for one in node["deps"] if one["pkg"] not in macros]}
        for key, node in nodes.items()
    }
    return reached(pruned, root, False)


def component(package, checksums, is_run):
    name, version = package["name"], package["version"]
    purl = f"pkg:cargo/{urllib.parse.quote(name)}@{urllib.parse.quote(version)}"
    out = {"type": "library", "bom-ref": purl, "name": name, "version": version}
    if package["description"]:
        out["description"] = " ".join(package["description"].split())
    out["scope"] = "required" if is_run else "excluded"
    if digest := checksums.get((name, version)):
        out["hashes"] = [{"alg": "SHA-256", "content": digest}]
    if package["license"]:
        # The way of before SPDX expressions.
        out["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    out["purl"] = purl
    if package["repository"]:
        out["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--target", required=True)
    args = parser.parse_args()

    found = metadata(["--filter-platform", args.target])
    packages = {package["id"]: package for package in found["packages"]}
    nodes = {node["id"]: node for node in found["resolve"]["nodes"]}
    root = found["resolve"]["root"]
    lock = tomllib.loads(pathlib.Path("Cargo.lock").read_text())
    checksums = {(one["name"], one["version"]): one["checksum"] for one in lock["package"] if "checksum" in one}
    everything, run = reached(nodes, root, True), at_run_time(nodes, packages, root)
    for key in everything - {root}:
        if packages[key]["source"] != CRATES_IO:
            sys.exit(f"sbom: {key} is not of crates.io")

    parts = {key: component(packages[key], checksums, key in run) for key in everything}
    top = parts.pop(root)
    del top["scope"]
    top["type"] = "application"
    reference = {root: top["bom-ref"], **{key: part["bom-ref"] for key, part in parts.items()}}
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    bom = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch)),
            "component": top,
            "properties": [{"name": "kubectl-skills:target", "value": args.target}],
        },
        "components": sorted(parts.values(), key=lambda part: part["bom-ref"]),
        "dependencies": sorted(
            (
                {
                    "ref": reference[key],
                    "dependsOn": sorted({reference[one["pkg"]] for one in nodes[key]["deps"] if one["pkg"] in reference}),
                }
                for key in reference
            ),
            key=lambda entry: entry["ref"],
        ),
    }
    print(json.dumps(bom, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
