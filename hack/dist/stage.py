#!/usr/bin/env python3
"""Gathers what every archive has besides the program: licence, README, changelog, manual pages, completions, the manifests
of README's first screen. Standard library only.

    stage.py --program PROGRAM --version vX.Y.Z --out FOLDER

PROGRAM has to run on this machine; pages and completions are what it prints. FOLDER is made anew.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys

REPOSITORY = "https://github.com/kagenti/kubectl-skills/blob"
# Files as they are, at the same place as here, so that README's commands work in an unpacked archive as well.
FILES = [
    "LICENSE",
    "CHANGELOG.md",
    "docs/examples/quickstart/weather.yaml",
    "docs/examples/skill-binding/weather.yaml",
    "docs/examples/skill-binding/on-workload.yaml",
]
COMPLETIONS = {
    "bash": "kubectl-skills.bash",
    "zsh": "_kubectl-skills",
    "fish": "kubectl-skills.fish",
    "powershell": "kubectl-skills.ps1",
    # A program to kubectl: executable, and with this name on the PATH.
    "kubectl": "kubectl_complete-skills",
}


def printed(program, *arguments):
    # Nothing of who builds it: neither a configuration file nor a terminal.
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "NO_COLOR": "1"}
    run = subprocess.run([program, *arguments], capture_output=True, timeout=60, env=environment, cwd="/", check=False)
    if run.returncode != 0 or not run.stdout:
        sys.exit(f"dist: {program} {' '.join(arguments)} ended with {run.returncode}: {run.stderr.decode()}")
    return run.stdout


def readme(text, present, version):
    """Links to what is not in the archive lead to the repository as it was."""

    def link(match):
        path = match[1].split("#")[0]
        return match[0] if path in present else f"]({REPOSITORY}/{version}/{match[1]})"

    return re.sub(r"\]\((?!https?://|#)([^)]+)\)", link, text)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True, type=pathlib.Path)
    parser.add_argument("--version", required=True)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    args = parser.parse_args()
    program, out = args.program.resolve(), args.out

    shutil.rmtree(out, ignore_errors=True)
    contents = {name: pathlib.Path(name).read_bytes() for name in FILES}
    verbs = printed(program, "__docs", "--list").decode().split()
    contents["man/man1/kubectl-skills.1"] = printed(program, "__docs", "--man")
    for verb in verbs:
        contents[f"man/man1/kubectl-skills-{verb}.1"] = printed(program, "__docs", "--man", verb)
    for shell, name in COMPLETIONS.items():
        contents[f"completions/{name}"] = printed(program, "completion", shell)
    text = pathlib.Path("README.md").read_text(encoding="utf-8")
    contents["README.md"] = readme(text, set(contents), args.version).encode()
    for name, data in contents.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o755 if name.endswith("kubectl_complete-skills") else 0o644)


if __name__ == "__main__":
    main()
