#!/usr/bin/env python3
"""Time and memory of `pack` and `inspect` on a skill as large as the largest in use, alongside crane and oras where they
are, and of `inspect` on images that were made to harm.

    bench/skill_images.py --program target/release/kubectl-skills [--hostile DIR] [--files 12941] [--megabytes 97]
                          [--crane PATH] [--oras PATH] [--rounds 3]

DIR holds layouts, as HOSTILE_IMAGES=DIR cargo test --test it skill_hostile writes them. Prints the best of the rounds and
the largest memory of them; ends with 1 if a program fails, packs to two digests, or takes a hostile image.
"""
import argparse
import ctypes
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path


PR_SET_CHILD_SUBREAPER = 36


def run(command, cwd=None):
    """Seconds, CPU seconds, peak memory in MiB, exit code and output of a command.

    A shell starts it and leaves at once: Linux counts as a process's peak also what it shared with its parent before it
    became another program, which would be the memory of this interpreter.
    """
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        begin = time.monotonic()
        shell = subprocess.Popen(
            ["sh", "-c", 'out=$1; err=$2; shift 2; "$@" </dev/null >"$out" 2>"$err" & echo $!', "sh", out, err, *command],
            cwd=cwd,
            stdout=subprocess.PIPE,
        )
        child = int(shell.stdout.readline())
        shell.wait()
        shell.stdout.close()
        _, status, usage = os.wait4(child, 0)
        seconds = time.monotonic() - begin
        cpu = usage.ru_utime + usage.ru_stime
        return seconds, cpu, usage.ru_maxrss / 1024, os.waitstatus_to_exitcode(status), out.read_bytes(), err.read_bytes()


def generate(folder, files, megabytes):
    """A skill with texts, code and pictures; the same each time."""
    chance = random.Random(8)
    words = [bytes(chance.choice(b"abcdefghijklmnopqrstuvwxyz") for _ in range(chance.randint(2, 9))) for _ in range(4000)]
    left = megabytes * 1_000_000
    (folder / "SKILL.md").write_bytes(b"---\nname: large\ndescription: As large as the largest skill in use\n---\n# Large\n")
    for number in range(files - 1):
        size = max(64, int(left / (files - 1 - number) * chance.uniform(0.2, 1.8)))
        size = min(size, left)
        left -= size
        picture = number % 3 == 0
        path = folder / f"part{number % 97}" / f"{number}.{'png' if picture else 'md'}"
        path.parent.mkdir(exist_ok=True)
        if picture:
            path.write_bytes(chance.randbytes(size))
        else:
            text = b" ".join(chance.choices(words, k=size // 5 + 1))
            path.write_bytes(text[:size])


def best(name, command, rounds, cwd=None, before=None, expected=0):
    """Runs a command some times and prints its best time and largest memory; gives its last output."""
    times, cpus, memory, out = [], [], 0.0, b""
    for _ in range(rounds):
        if before:
            before()
        seconds, cpu, peak, code, out, err = run(command, cwd)
        if code != expected:
            sys.exit(f"{name}: exit code {code}: {err.decode(errors='replace')}")
        times.append(seconds)
        cpus.append(cpu)
        memory = max(memory, peak)
    print(f"{name:<44} {min(times):7.2f} s {min(cpus):7.2f} s CPU {memory:7.1f} MiB", flush=True)
    return out


def large(args, work):
    skill = work / "large"
    skill.mkdir()
    generate(skill, args.files, args.megabytes)
    count = sum(1 for path in skill.rglob("*") if path.is_file())
    size = sum(path.stat().st_size for path in skill.rglob("*") if path.is_file())
    print(f"a skill of {count} files, {size / 1e6:.1f} MB")
    layout = work / "layout"
    fresh = lambda: shutil.rmtree(layout, ignore_errors=True)
    pack = [args.program, "pack", str(skill), "-o", "json"]
    first = json.loads(best("kubectl-skills pack (digest alone)", pack, args.rounds))
    second = json.loads(best("kubectl-skills pack --to LAYOUT", [*pack, "--to", str(layout)], args.rounds, before=fresh))
    if first != second:
        sys.exit("pack: another digest the second time")
    of_layout = json.loads(best("kubectl-skills inspect LAYOUT", [args.program, "inspect", "-o", "json", str(layout)], args.rounds))
    best("kubectl-skills inspect LAYOUT, as a table", [args.program, "inspect", str(layout)], args.rounds)
    of_folder = json.loads(best("kubectl-skills inspect DIR", [args.program, "inspect", "-o", "json", str(skill)], args.rounds))
    if not of_layout["contentIdentity"] == of_folder["contentIdentity"] == first["contentIdentity"]:
        sys.exit("three content identities of one skill")
    if args.crane:
        tar, image = work / "layer.tar", work / "crane.tar"
        best("tar", ["tar", "-C", str(skill), "-cf", str(tar), "."], 1)
        best("crane append (packs a tar that is there)", [args.crane, "append", "-f", str(tar), "-o", str(image), "-t", "x:1"], args.rounds)
        best("crane validate --tarball", [args.crane, "validate", "--tarball", str(image)], args.rounds)
    if args.oras:
        oras = work / "oras"
        fresh_oras = lambda: shutil.rmtree(oras, ignore_errors=True)
        push = [args.oras, "push", "--oci-layout", f"{oras}:1", "large"]
        best("oras push --oci-layout", push, args.rounds, cwd=work, before=fresh_oras)
        pull = [args.oras, "pull", "--oci-layout", f"{oras}:1", "-o", str(work / "pulled")]
        best("oras pull --oci-layout (unpacks)", pull, args.rounds, before=lambda: shutil.rmtree(work / "pulled", ignore_errors=True))


def hostile(args):
    figures = []
    for layout in sorted(path for path in args.hostile.iterdir() if path.is_dir()):
        seconds, _, memory, code, out, err = run([args.program, "inspect", "-o", "json", str(layout)])
        if code != 3 or out:
            sys.exit(f"{layout.name}: exit code {code}: {err.decode(errors='replace')}")
        figures.append((seconds, memory, layout.name))
    if not figures:
        sys.exit(f"{args.hostile}: no images")
    slow, heavy = max(figures), max(figures, key=lambda figure: figure[1])
    print(f"{len(figures)} hostile images, each refused: at most {slow[0]:.2f} s ({slow[2]}), {heavy[1]:.1f} MiB ({heavy[2]})")
    for seconds, memory, name in sorted(figures, reverse=True)[:5]:
        print(f"  {name:<42} {seconds:7.2f} s {memory:7.1f} MiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--hostile", type=Path)
    parser.add_argument("--files", type=int, default=12941)
    parser.add_argument("--megabytes", type=int, default=97)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--crane", default=shutil.which("crane"))
    parser.add_argument("--oras", default=shutil.which("oras"))
    args = parser.parse_args()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    args.program = str(Path(args.program).resolve())
    with tempfile.TemporaryDirectory() as work:
        large(args, Path(work))
    if args.hostile:
        hostile(args)


if __name__ == "__main__":
    main()
