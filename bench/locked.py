#!/usr/bin/env python3
"""What a lock costs: `render --locked` alongside `render` on the manifests of `make bench`.

    locked.py --program FILE --data FOLDER [--rounds N]

Every skill image of the manifests is in the lock. Runs alternate; the median of the CPU seconds counts. Prints both, and ends
with 1 if the lock costs more than a tenth. Needs Linux and nothing beside the standard library.
"""

import argparse
import ctypes
import hashlib
import os
import re
import statistics
import sys

from measure import PR_SET_CHILD_SUBREAPER, alternate, cpu_and_memory

GOAL = 1.10


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    stream = os.path.join(options.data, "stream.yaml")
    with open(stream, encoding="utf-8") as file:
        text = file.read()
    skills = text.split("kind: AgentRuntime")[1:]
    images = sorted({image for part in skills for image in re.findall(r"image: (\S+)", part.split("\n---")[0])})
    lock = os.path.join(options.data, "skills.lock")
    with open(lock, "w", encoding="utf-8") as file:
        file.write("apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillLock\nskills:\n")
        for image in images:
            digest = "sha256:" + hashlib.sha256(image.encode()).hexdigest()
            file.write(f"- image: {image}\n  digest: {digest}\n  content: {digest}\n  name: pdf\n  version: 1.2.0\n")
            file.write("  description: Reads PDF files\n  license: Apache-2.0\n  allowedTools:\n  - Bash\n  - Read\n")
            file.write("  files: 12\n  bytes: 34567\n  tokens: 1234\n  descriptionTokens: 40\n")
            file.write("  platforms:\n  - linux/amd64\n  - linux/arm64\n")
            file.write(f"  signed:\n  - by: key\n    key: {digest}\n    format: bundle\n    digest: {digest}\n    of: index\n    log: false\n")

    render = [options.program, "render", "--profile", "pr332-merged", "-f", "-"]
    plain, locked = alternate(
        [(render, stream), ([*render, f"--locked={lock}"], stream)], options.rounds, cpu_and_memory
    )
    print(f"{len(images)} images in the lock, {os.path.getsize(lock) / 1e6:.1f} MB")
    for name, figures in (("render", plain), ("render --locked", locked)):
        cpu, memory = (statistics.median(run[at] for run in figures) for at in (0, 1))
        print(f"{name:16} {cpu:6.3f} s CPU [{min(run[0] for run in figures):.3f}-{max(run[0] for run in figures):.3f}] {memory:6.0f} MiB")
    ratio = statistics.median(run[0] for run in locked) / statistics.median(run[0] for run in plain)
    print(f"ratio            {ratio:6.3f}, goal <= {GOAL}")
    return 1 if ratio > GOAL else 0


if __name__ == "__main__":
    sys.exit(main())
