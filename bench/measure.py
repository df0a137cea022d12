#!/usr/bin/env python3
"""Measures programs side by side: CPU seconds, peak memory, and seconds from start to exit.

    measure.py --ours FILE --peer FILE --kubectl FILE --data FOLDER [--rounds N] [--kustomize FILE] [--json FILE]

Runs of the programs alternate, so that a busy moment of the machine hits all of them; the median counts. Prints a table
and ends with 1 if a goal is missed. --json writes the figures into the part "transform" of docs/benchmarks.json, from which
bench/plots.py draws. Needs Linux and nothing beside the standard library.
"""

import argparse
import ctypes
import json
import os
import statistics
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
LIMIT_SECONDS = 180


def fail(command, status):
    sys.exit(f"bench: {' '.join(command)} ended with {status}")


def cpu_and_memory(command, stdin):
    """Returns CPU seconds (user and system) and peak memory in MiB of one run.

    Linux counts as a process's peak also what it shared with its parent before it became another program, here the
    memory of a Python interpreter. So a shell starts the program and leaves at once; the program, whose parent was
    then small, is handed to us as its subreaper.
    """
    shell = subprocess.Popen(["sh", "-c", 'input=$0; "$@" <"$input" >/dev/null 2>&1 & echo $!', stdin, *command], stdout=subprocess.PIPE)
    child = int(shell.stdout.readline())
    shell.wait()
    end = time.monotonic() + LIMIT_SECONDS
    while True:
        pid, status, usage = os.wait4(child, os.WNOHANG)
        if pid == child:
            break
        if time.monotonic() > end:
            os.kill(child, 9)
            os.wait4(child, 0)
            fail(command, f"more than {LIMIT_SECONDS} s")
        time.sleep(0.002)
    if status != 0:
        fail(command, os.waitstatus_to_exitcode(status))
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def start_to_exit(command, stdin):
    """Returns seconds from start to exit of one run."""
    with open(stdin, "rb") as source, open(os.devnull, "wb") as sink:
        # Notes on stderr were seen once, when the outputs were compared.
        streams = ((source, 0), (sink, 1), (sink, 2))
        actions = [(os.POSIX_SPAWN_DUP2, file.fileno(), to) for file, to in streams]
        begin = time.perf_counter()
        pid = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
        _, status = os.waitpid(pid, 0)
        seconds = time.perf_counter() - begin
    if status != 0:
        fail(command, os.waitstatus_to_exitcode(status))
    return seconds


def alternate(runs, rounds, measure):
    """Returns the median of each run's figures; the first round only warms the caches."""
    figures = [[] for _ in runs]
    for number in range(rounds + 1):
        for index, (command, stdin) in enumerate(runs):
            taken = measure(command, stdin)
            if number > 0:
                figures[index].append(taken)
    return figures


def median(values):
    return statistics.median(values)


def brief(value):
    """Three digits, and never an exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def spread(values):
    return f"[{brief(min(values))}-{brief(max(values))}]"


def write_figures(path, figures):
    """Replaces the figures of one part of the file; a line each, so that a diff of two runs is readable."""
    with open(path, encoding="utf-8") as file:
        data = json.load(file)
    data["transform"]["figures"] = figures
    text = json.dumps(data, indent=2)
    # Lists of figures in one line.
    for one in [*figures, *data["policy"]["lines"], data["policy"]["bindings"]]:
        long = json.dumps(one, indent=2)
        for indent in (4, 6):
            text = text.replace(long.replace("\n", "\n" + " " * indent), json.dumps(one))
    with open(path, "w", encoding="utf-8") as file:
        file.write(text + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("ours", "peer", "kubectl", "data"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kustomize")
    parser.add_argument("--json")
    options = parser.parse_args()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    data = {name: os.path.join(options.data, f"{name}.yaml") for name in ("stream", "list", "one")}
    render = [options.ours, "render", "--profile", "pr332-merged", "-f", "-"]
    cases = [
        ("stream, 10,000 documents", (render, data["stream"]), ([options.peer, "--stream"], data["stream"]), 60, 30),
        ("ResourceList, 10,000 items", ([options.ours, "fn"], data["list"]), ([options.peer], data["list"]), 30, None),
    ]
    missed, kept = [], []
    print(f"{'':28} {'':13} {'ours':>27} {'kyaml function':>27} {'ratio':>8} {'goal':>8}")

    def keep(case, what, unit, ours, peer, peer_name, goal):
        three = lambda values: [float(f"{value:.4g}") for value in (median(values), min(values), max(values))]
        kept.append({"case": case, "what": what, "unit": unit, "ours": three(ours), "peer": three(peer), "peerName": peer_name, "goal": goal})

    def row(name, what, ours, peer, ratio, goal, unit):
        text = [f"{brief(median(v))} {unit} {spread(v)}" for v in (ours, peer)]
        wanted = f">= {goal}" if goal else ""
        print(f"{name:28} {what:13} {text[0]:>27} {text[1]:>27} {ratio:>8.1f} {wanted:>8}", flush=True)
        if goal and ratio < goal:
            missed.append(f"{name}: {what} {ratio:.1f}, goal {goal}")

    for name, ours, peer, cpu_goal, memory_goal in cases:
        figures = alternate([ours, peer], options.rounds, cpu_and_memory)
        for position, what, unit, goal in ((0, "CPU", "s", cpu_goal), (1, "peak memory", "MiB", memory_goal)):
            left, right = ([run[position] for run in program] for program in figures)
            keep(name.replace(", ", " of "), what, unit, left, right, "kyaml function", goal)
            row(name, what, left, right, median(right) / max(median(left), 1e-9), goal, unit)

    # One small manifest takes milliseconds: more runs, by the clock.
    runs = [
        (render, data["one"]),
        ([options.peer, "--stream"], data["one"]),
        ([options.kubectl, "version", "--client"], data["one"]),
    ]
    seconds = alternate(runs, 10 * options.rounds, start_to_exit)
    milliseconds = [[1000 * value for value in values] for values in seconds]
    ours, peer, kubectl = milliseconds
    row("two documents", "start to exit", ours, peer, median(peer) / median(ours), None, "ms")
    keep("two documents", "start to exit", "ms", ours, kubectl, "kubectl version --client", 4)
    ratio = median(kubectl) / median(ours)
    print(
        f"{'kubectl version --client':28} {'start to exit':13} {'':>27} "
        f"{f'{brief(median(kubectl))} ms {spread(kubectl)}':>27} {ratio:>8.1f} {'>= 4':>8}"
    )
    if ratio < 4:
        missed.append(f"start to exit against kubectl version --client: {ratio:.1f}, goal 4")

    if options.kustomize:
        folder = os.path.join(options.data, "kustomize")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "kustomization.yaml"), "w", encoding="utf-8") as file:
            file.write("resources:\n- stream.yaml\n")
        target = os.path.join(folder, "stream.yaml")
        if not os.path.exists(target):
            os.link(data["stream"], target)
        cpu, memory = cpu_and_memory([options.kustomize, "build", folder], os.devnull)
        print(f"{'kustomize build, no function':28} {'CPU':13} {'':>27} {f'{brief(cpu)} s, {memory:.0f} MiB':>27}")

    if options.json:
        write_figures(options.json, kept)
    for line in missed:
        print(f"bench: missed: {line}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
