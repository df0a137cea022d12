#!/usr/bin/env python3
"""Pictures of the program for README and docs: what it prints in a terminal of 120x40 and of 80x24, as SVG; and the recording.

    hack/screenshots.py [--program FILE] [--cluster] [--recording] [--check]

PROGRAM is target/debug/kubectl-skills by default. It is run for real, in a pseudo-terminal; pyte (from PyPI, into .cache)
says what the terminal would show. Without options the pictures of verbs that read files are written into docs/images; --cluster
adds those of a real API server (hack/apiserver.sh), --recording the recording alone. --check writes nothing and ends with 1 where a
picture is another one. In any case it ends with 1 where a word is broken at the edge of the terminal.
"""
import argparse
import fcntl
import hashlib
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "hack/screenshots"
IMAGES = ROOT / "docs/images"
# The emulator and how wide it takes characters to be.
WHEELS = """\
pyte==0.8.2 --hash=sha256:85db42a35798a5aafa96ac4d8da78b090b2c933248819157fc0e6f78876a0135
wcwidth==0.2.13 --hash=sha256:3da69048e4540d84af32131829ff948f1e022c1c6bdb8d6102117aac784f6859
"""
SIZES = [(120, 40), (80, 24)]
# A verb: what is typed after 'kubectl skills', whether it asks the cluster, and its exit code.
SHOTS = {
    "plan": (["-f", "agents.yaml"], False, 0),
    "diff": (["-f", "weather.yaml"], False, 1),
    "lint": (["-f", "faults.yaml"], False, 1),
    "explain": (["mount-nested", "image-moves"], False, 0),
    "status": (["-n", "team1"], True, 3),
    "doctor": (["-n", "team1"], True, 0),
}
CELL, LINE, SIZE, PAD = 8.4, 19, 14, 14
COLOURS = {
    "black": "#484f58", "red": "#ff7b72", "green": "#7ee787", "brown": "#e3b341", "blue": "#79c0ff",
    "magenta": "#d2a8ff", "cyan": "#56d4dd", "white": "#e6edf3", "default": "#e6edf3",
}
# Where wrap.rs breaks words that are longer than a column.
SEAMS = "/:@,=;|"


def emulator():
    """The module pyte, installed once under .cache."""
    home = ROOT / ".cache/screenshots" / hashlib.sha256(WHEELS.encode()).hexdigest()[:12]
    if not (home / "installed").exists():
        home.mkdir(parents=True, exist_ok=True)
        (home / "requirements.txt").write_text(WHEELS)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
        pip += ["--disable-pip-version-check", "--root-user-action", "ignore", "--upgrade", "--target", home]
        subprocess.run([*pip, "-r", home / "requirements.txt"], check=True)
        (home / "installed").touch()
    sys.path.insert(0, str(home))
    import pyte

    return pyte


def printed(command, columns, rows, folder, kubeconfig):
    """All that a program writes to a terminal of that size, and its exit code."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "xterm-256color", "LC_ALL": "C.UTF-8",
        "KUBECONFIG": str(kubeconfig or "/nonexistent"),
    }
    child = subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs)
    os.close(theirs)
    out = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # Linux says so when the last writer is gone.
            break
        if not piece:
            break
        out += piece
    os.close(ours)
    return out.decode(), child.wait()


def screen_of(pyte, text, columns):
    """The lines of a terminal that is high enough: each a list of runs (text, colour, bold)."""
    screen = pyte.Screen(columns, 400)
    pyte.Stream(screen).feed(text)
    lines = []
    for row in range(400):
        runs = []
        for column in range(columns):
            cell = screen.buffer[row][column]
            look = (cell.fg if cell.fg in COLOURS else "default", cell.bold)
            if runs and runs[-1][1:] == look:
                runs[-1] = (runs[-1][0] + cell.data, *look)
            else:
                runs.append((cell.data, *look))
        lines.append(runs)
    while lines and not "".join(run[0] for run in lines[-1]).strip():
        lines.pop()
    return lines


def text_of(lines):
    return ["".join(run[0] for run in line).rstrip() for line in lines]


def parts(word):
    """A word cut after its seams, as wrap.rs cuts it."""
    return re.findall(rf"[^{re.escape(SEAMS)}]*[{re.escape(SEAMS)}]+|[^{re.escape(SEAMS)}]+", word)


def broken_words(lines, whole):
    """Words of the screen that are no words of the text, nor made of whole parts of one."""
    allowed = set()
    for word in set(re.sub(r"\x1b\[[0-9;]*m", "", whole).split()):
        pieces = parts(word)
        for begin in range(len(pieces)):
            allowed.update("".join(pieces[begin:end]) for end in range(begin + 1, len(pieces) + 1))
    return [word for line in lines for word in line.split() if word not in allowed]


def row_svg(runs, y):
    """A line of a terminal as SVG; widths are set, so that another font moves no column."""
    out, column = "", 0
    for text, colour, bold in runs:
        shown = text.strip(" ")
        if shown:
            x = PAD + (column + len(text) - len(text.lstrip(" "))) * CELL
            weight = ' font-weight="bold"' if bold else ""
            out += (
                f'<text x="{x:.1f}" y="{y}" fill="{COLOURS[colour]}"{weight} textLength="{len(shown) * CELL:.1f}"'
                f' lengthAdjust="spacingAndGlyphs" xml:space="preserve">{escape(shown)}</text>\n'
            )
        column += len(text)
    return out


def frame(columns, rows, title, body, style=""):
    """A terminal around lines; `title` is what it says to who does not see it."""
    width, height = 2 * PAD + columns * CELL, 2 * PAD + rows * LINE
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" role="img"'
        f' font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="{SIZE}">\n'
        f"<title>{escape(title)}</title>\n{style}"
        f'<rect width="100%" height="100%" rx="8" fill="#0d1117"/>\n{body}</svg>\n'
    )


def prompt(command):
    return f"\x1b[32m$\x1b[39m {command}\r\n"


def set_up(program, kubeconfig):
    """The cluster of the pictures: two agents of which one has its skills, and one that is not there."""
    kubectl = subprocess.run([ROOT / "hack/tools.sh", "kubectl"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    run = lambda *command: subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    run(kubectl, "create", "namespace", "team1")
    files = [word for name in ("agents.yaml", "cluster.yaml") for word in ("-f", HERE / name)]
    run(kubectl, "apply", "--server-side", "--field-manager=pictures", "-n", "team1", *files)
    run(program, "apply", "-q", "-n", "team1", "weather")


def with_cluster(program, work):
    """Calls `work` with the kubeconfig of an API server that ends after it."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        with open(folder / "crd.yaml", "w") as crd:
            subprocess.run([program, "crd", "--skill-binding"], check=True, stdout=crd)
        server = [ROOT / "hack/apiserver.sh", "start", "--dir", folder, "--owner", str(os.getpid()), "--crd", folder / "crd.yaml"]
        subprocess.run(server, check=True, stdout=sys.stderr)
        try:
            set_up(program, folder / "kubeconfig")
            return work(folder / "kubeconfig")
        finally:
            subprocess.run([ROOT / "hack/apiserver.sh", "stop", "--dir", folder], check=True, stdout=subprocess.DEVNULL)


def inputs(folder):
    """The files that are named in the pictures."""
    for name in ("agents.yaml", "faults.yaml"):
        shutil.copy(HERE / name, folder)
    objects = (HERE / "agents.yaml").read_text().split("\n---\n")
    (folder / "weather.yaml").write_text("\n---\n".join(objects[:2]))


def shots(pyte, program, kubeconfig, folder):
    """The pictures by name, and the words that are broken in them."""
    out, broken = {}, []
    for verb, (words, asks, exit_code) in SHOTS.items():
        if asks and not kubeconfig:
            continue
        command, typed = [program, verb, *words], f"kubectl skills {verb} {' '.join(words)}"
        whole, _ = printed(command, 1000, 40, folder, kubeconfig)
        for columns, rows in SIZES:
            text, code = printed(command, columns, rows, folder, kubeconfig)
            if code != exit_code:
                sys.exit(f"screenshots: {typed} ended with {code}:\n{text}")
            lines = screen_of(pyte, prompt(typed) + text, columns)
            broken += [f"{verb} at {columns} columns: {word}" for word in broken_words(text_of(lines)[1:], whole)]
            body = "".join(row_svg(line, PAD + SIZE + row * LINE) for row, line in enumerate(lines))
            out[f"{verb}-{columns}x{rows}.svg"] = frame(columns, max(len(lines), 8), typed, body)
    return out, broken


# The recording: what is typed, and what is run for it.
SCENES = [
    "kubectl skills plan -f weather.yaml -f on-workload.yaml",
    "kubectl skills diff -q -f weather.yaml -f on-workload.yaml",
    "kubectl skills render -i -f weather.yaml -f on-workload.yaml",
    "kubectl skills render --check -f weather.yaml -f on-workload.yaml",
    "kubectl skills render -i --remove -f weather.yaml -f on-workload.yaml",
]
# What is shown where nothing moves.
STILL = 1
COLUMNS, ROWS = 100, 31
TYPING, READING, LINE_TIME = 0.035, 1.6, 0.16


def recording(pyte, program, folder):
    """The quickstart as an animation: each command is typed, then its output is there; without animations one of them stands."""
    for name in ("weather.yaml", "on-workload.yaml"):
        shutil.copy(ROOT / "docs/examples/skill-binding" / name, folder)
    screens, begin = [], 0.0
    for number, typed in enumerate(SCENES):
        text, code = printed([program, *typed.split()[2:]], COLUMNS, ROWS, folder, None)
        if code not in (0, 1):
            sys.exit(f"screenshots: {typed} ended with {code}:\n{text}")
        lines = screen_of(pyte, prompt(typed) + text, COLUMNS)
        typing = len(typed) * TYPING
        end = begin + typing + READING + len(lines) * LINE_TIME
        screens.append((number, typed, lines, begin, typing, end))
        begin = end
    total, style, body = begin, "", ""
    for number, typed, lines, start, typing, end in screens:
        show, out, gone = (f"{100 * at / total:.2f}%" for at in (start, start + typing + 0.2, end))
        first, last = number == 0, number == len(screens) - 1
        style += f"@keyframes scene{number}{{0%{{opacity:{int(first)}}}{show}{{opacity:1}}" + ("" if last else f"{gone}{{opacity:0}}") + f"100%{{opacity:{int(last)}}}}}\n"
        style += f"@keyframes out{number}{{0%{{opacity:0}}{out}{{opacity:1}}100%{{opacity:1}}}}\n"
        style += f"@keyframes type{number}{{0%{{opacity:1}}{show}{{opacity:1;transform:translateX(0)}}{100 * (start + typing) / total:.2f}%{{transform:translateX({len(typed) * CELL:.1f}px);opacity:1}}{out}{{opacity:0;transform:translateX({len(typed) * CELL:.1f}px)}}100%{{opacity:0;transform:translateX({len(typed) * CELL:.1f}px)}}}}\n"
        for name in ("scene", "out"):
            style += f".{name}{number}{{animation:{name}{number} {total:.1f}s step-end infinite}}\n"
        style += f".type{number}{{animation:type{number} {total:.1f}s steps({len(typed)}) infinite}}\n"
        rows = [row_svg(line, PAD + SIZE + row * LINE) for row, line in enumerate(lines)]
        cover = f'<rect class="type{number}" x="{PAD + 2 * CELL:.1f}" y="{PAD}" width="{len(typed) * CELL + 4:.1f}" height="{LINE}" fill="#0d1117" opacity="0"/>\n'
        body += f'<g class="scene{number}" opacity="{int(number == STILL)}">\n{rows[0]}{cover}<g class="out{number}">\n{"".join(rows[1:])}</g>\n</g>\n'
    height = max(len(lines) for _, _, lines, *_ in screens)
    still = "@media (prefers-reduced-motion: reduce){*{animation:none!important}}\n"
    return frame(COLUMNS, height, "The quickstart: plan, diff, render, check, remove", body, f"<style>\n{style}{still}</style>\n")


def settle(pictures, check):
    """Writes the pictures, or says which are others."""
    differ = [name for name, text in pictures.items() if not (IMAGES / name).exists() or (IMAGES / name).read_text() != text]
    if check:
        for name in differ:
            print(f"screenshots: docs/images/{name} is not what the program prints now: make screenshots recording", file=sys.stderr)
        return not differ
    IMAGES.mkdir(exist_ok=True)
    for name in differ:
        (IMAGES / name).write_text(pictures[name])
    print(f"{len(pictures)} pictures, {len(differ)} of them new")
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=ROOT / "target/debug/kubectl-skills", type=Path)
    for name in ("cluster", "recording", "check"):
        parser.add_argument(f"--{name}", action="store_true")
    options = parser.parse_args()
    program = str(options.program.resolve())
    if not options.program.exists():
        sys.exit(f"screenshots: {program} is not there: cargo build --locked")
    pyte = emulator()
    pictures, broken = {}, []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        if options.recording:
            pictures["quickstart.svg"] = recording(pyte, program, folder)
        else:
            inputs(folder)
            work = lambda kubeconfig: shots(pyte, program, kubeconfig, folder)
            pictures, broken = with_cluster(program, work) if options.cluster else work(None)
    for word in broken:
        print(f"screenshots: a broken word: {word}", file=sys.stderr)
    return 0 if settle(pictures, options.check) and not broken else 1


if __name__ == "__main__":
    sys.exit(main())
