#!/usr/bin/env python3
"""What a lock costs: `render --locked` alongside `render` on the manifests of `make bench`.

    locked.py --program FILE --data FOLDER [--rounds N]

Every skill image of the manifests is in the lock: first 72 images for all agents, then a version of its own for most of them.
Runs alternate; the median of the ratios of two runs next to each other counts. Prints both, and ends with 1 if the lock of 72 images costs more than a tenth. Needs Linux and nothing but the standard library.
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
IMAGE = re.compile(r"image: (registry\.example/skills/\w+):(\d+)\.(\d+)\.0$", re.M)


def write_lock(path, images):
    with open(path, "w", encoding="utf-8") as file:
        file.write("apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillLock\nskills:\n")
        for image in images:
            digest = "sha256:" + hashlib.sha256(image.encode()).hexdigest()
            file.write(f"- image: {image}\n  digest: {digest}\n  content: {digest}\n  name: pdf\n  version: 1.2.0\n")
            file.write("  description: Reads PDF files\n  license: Apache-2.0\n  allowedTools:\n  - Bash\n  - Read\n")
            file.write("  files: 12\n  bytes: 34567\n  tokens: 1234\n  descriptionTokens: 40\n")
            file.write("  platforms:\n  - linux/amd64\n  - linux/arm64\n")
            file.write(f"  signed:\n  - by: key\n    key: {digest}\n    format: bundle\n    digest: {digest}\n    of: index\n    log: false\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    with open(os.path.join(options.data, "stream.yaml"), encoding="utf-8") as file:
        text = file.read()
    # As an organisation has them, and each agent with versions of its own.
    few = IMAGE.sub(lambda found: f"image: {found[1]}:{int(found[2]) % 3}.0.0", text)
    missed = False
    for name, manifests, goal in (("few", few, GOAL), ("many", text, None)):
        stream, lock = (os.path.join(options.data, f"locked-{name}.{end}") for end in ("yaml", "lock"))
        with open(stream, "w", encoding="utf-8") as file:
            file.write(manifests)
        images = sorted({found[0].removeprefix("image: ") for found in IMAGE.finditer(manifests)})
        write_lock(lock, images)
        render = [options.program, "render", "--profile", "pr332-merged", "-f", "-"]
        plain, locked = alternate([(render, stream), ([*render, f"--locked={lock}"], stream)], options.rounds, cpu_and_memory)
        print(f"{len(images)} images in the lock, {os.path.getsize(lock) / 1e6:.2f} MB")
        for which, runs in (("render", plain), ("render --locked", locked)):
            cpu, memory = (statistics.median(run[at] for run in runs) for at in (0, 1))
            low, high = (end(run[0] for run in runs) for end in (min, max))
            print(f"  {which:16} {cpu:6.3f} s CPU [{low:.3f}-{high:.3f}] {memory:6.0f} MiB")
        # Of runs next to each other, so that a busy moment of the machine hits both.
        ratio = statistics.median(one[0] / other[0] for one, other in zip(locked, plain))
        print(f"  ratio            {ratio:6.3f}{f', goal <= {goal}' if goal else ''}", flush=True)
        missed |= goal is not None and ratio > goal
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
