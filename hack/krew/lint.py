#!/usr/bin/env python3
"""Holds a krew manifest against the rules of krew-index: validate.go and what its CI does when it installs. krew itself
lets unknown fields pass; this does not. Reads the subset of YAML that our template is written in. Standard library only.

    lint.py MANIFEST FOLDER-OF-ARCHIVES
"""

import hashlib
import pathlib
import re
import sys
import tarfile
import zipfile

PLATFORMS = {(system, arch) for system, arches in {
    "linux": ("386", "amd64", "arm", "arm64", "ppc64le"),
    "darwin": ("386", "amd64", "arm64"),
    "windows": ("386", "amd64", "arm64"),
}.items() for arch in arches}


def fail(message):
    sys.exit(f"krew: {message}")


def need(condition, message):
    if not condition:
        fail(message)


def read(text):
    """Mappings, lists of mappings, plain scalars and `|` blocks, by indentation."""
    lines = [line for line in text.split("\n")]

    def indent(line):
        return len(line) - len(line.lstrip(" "))

    def block(at, depth):
        while at < len(lines) and not lines[at].strip():
            at += 1
        if at >= len(lines) or indent(lines[at]) < depth:
            return None, at
        if lines[at].lstrip().startswith("- "):
            depth, out = indent(lines[at]), []
            while at < len(lines) and lines[at].strip() and indent(lines[at]) == depth and lines[at].lstrip().startswith("- "):
                lines[at] = lines[at].replace("- ", "  ", 1)
                value, at = block(at, depth + 2)
                out.append(value)
            return out, at
        depth, out = indent(lines[at]), {}
        while at < len(lines):
            line = lines[at]
            if not line.strip():
                at += 1
                continue
            if indent(line) < depth:
                break
            need(indent(line) == depth and ":" in line, f"line {at + 1}: {line!r} is not understood")
            key, rest = line.strip().split(":", 1)
            need(key not in out, f"line {at + 1}: {key} is there twice")
            rest, at = rest.strip(), at + 1
            if rest == "|":
                text_lines = []
                while at < len(lines) and (not lines[at].strip() or indent(lines[at]) > depth):
                    text_lines.append(lines[at].strip())
                    at += 1
                out[key] = "\n".join(text_lines).strip() + "\n"
            elif rest:
                out[key] = rest
            else:
                out[key], at = block(at, depth + 1 if not (at < len(lines) and lines[at].lstrip().startswith("- ")) else depth)
        return out, at

    return block(0, 0)[0]


def check_archive(path, binary):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            names = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}
    else:
        with tarfile.open(path) as archive:
            names = {entry.name: entry.mode for entry in archive}
    need("LICENSE" in names, f"{path.name}: no LICENSE in it")
    need(binary in names, f"{path.name}: no {binary} in it")
    need(names[binary] & 0o111, f"{path.name}: {binary} is not executable")
    need(all(not name.startswith("/") and ".." not in name for name in names), f"{path.name}: a path leads out of it")


def main():
    manifest_path, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    text = manifest_path.read_text()
    need("@" not in text, "a place of the template is not filled in")
    manifest = read(text)
    need(set(manifest) == {"apiVersion", "kind", "metadata", "spec"}, f"fields {sorted(manifest)}")
    need(manifest["apiVersion"] == "krew.googlecontainertools.github.com/v1alpha2", "apiVersion")
    need(manifest["kind"] == "Plugin", "kind")
    name = manifest["metadata"]["name"]
    need(re.fullmatch(r"[\w-]+", name) and f"{name}.yaml" == manifest_path.name, f"metadata.name {name!r} and the file's name")
    spec = manifest["spec"]
    fields = {"version", "homepage", "shortDescription", "description", "caveats", "platforms"}
    need(set(spec) == fields, f"fields of spec: {sorted(set(spec) ^ fields)}")
    need(re.fullmatch(r"v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?", spec["version"]), f"version {spec['version']}")
    short = spec["shortDescription"]
    need(short and "\n" not in short and len(short) <= 60 and not short.endswith("."), f"shortDescription: {short!r}")
    need(spec["platforms"], "no platforms")
    seen = set()
    for platform in spec["platforms"]:
        need(set(platform) == {"selector", "uri", "sha256", "bin"}, f"fields of a platform: {sorted(platform)}")
        labels = platform["selector"]["matchLabels"]
        need(set(platform["selector"]) == {"matchLabels"} and set(labels) == {"os", "arch"}, f"selector {platform['selector']}")
        pair = (labels["os"], labels["arch"])
        need(pair in PLATFORMS, f"krew knows no {pair[0]}/{pair[1]}")
        need(pair not in seen, f"{pair[0]}/{pair[1]} is there twice")
        seen.add(pair)
        need(platform["uri"].startswith("https://") and platform["uri"].endswith((".tar.gz", ".zip")), platform["uri"])
        need(spec["version"] in platform["uri"], f"{platform['uri']} does not name {spec['version']}")
        archive = folder / platform["uri"].rsplit("/", 1)[1]
        need(re.fullmatch(r"[a-f0-9]{64}", platform["sha256"]), f"sha256 {platform['sha256']}")
        need(hashlib.sha256(archive.read_bytes()).hexdigest() == platform["sha256"], f"{archive.name}: another checksum")
        check_archive(archive, platform["bin"])
    print(f"ok  {name} {spec['version']}: {', '.join(sorted('/'.join(pair) for pair in seen))}")


if __name__ == "__main__":
    main()
