#!/usr/bin/env python3
"""How large the source is and which way it imports: lines, files, functions, crates, arrows between folders.

    hack/size.py [ROOT]            everything, of this checkout or of another one
    hack/size.py --check [ROOT]    what is wrong only, and nothing if all is right

Ends with 1 if a folder imports one above it or folders import each other in a circle, or if a file or a function is longer
than FILE_LINES or FUNCTION_LINES without an argument where it stands: a comment that begins with `Long:`. Tests do not count: files that
are compiled for tests only, and what stands under `#[cfg(test)]`. A folder is a module of the library or of the
program with all that is below it; a module of the program without a folder counts as one.
"""
import re
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict
from pathlib import Path

# The order of layers, lowest first: each imports only those before it, and of its own layer without a circle.
LIBRARY = [["go"], ["yaml"], ["api"], ["crd", "skill"], ["agent_card", "config"], ["validate"], ["plan"], ["manifest", "live"], ["lint"], ["install"]]
PROGRAM = [
    ["build_info", "look", "printable", "progress", "wrap"],
    ["notes", "table"],
    ["exit"],
    ["sink"],
    ["net"],
    ["object_diff", "objects", "skill_files", "source", "in_place"],
    ["planning"],
    ["config_file"],
    ["complete"],
    ["registry"],
    ["cluster"],
    ["args"],
    ["server"],
    ["controller", "webhook"],
    ["commands"],
    ["cli"],
    ["main"],
]
PROGRAM_FOLDER = "bin/kubectl-skills"
LONGEST = 15
# Longer ones say why where they stand.
FILE_LINES = 600
FUNCTION_LINES = 80

# Comments, strings and characters; a lifetime is none of these.
LITERALS = re.compile(
    r"""//[^\n]*|/\*.*?\*/|\bb?r(?P<hashes>\#*)".*?"(?P=hashes)|b?"(?:\\.|[^"\\])*"|b?'(?:\\[^\n]{1,10}?|[^'\\\n])'""",
    re.DOTALL,
)
TEST_ITEM = re.compile(r"#\[cfg\(test\)\]\s*(?:#\[[^\]]*\]\s*)*")
TEST_FILE = re.compile(r"(?:pub(?:\([^)]*\))? )?mod (\w+);")


def blanked(text):
    """The text without comments and literals; lines and columns stay."""
    return LITERALS.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)


def closing(text, at):
    """One after the bracket that closes the first `{` from `at` on; after `;` if that comes first."""
    depth = 0
    for found in re.compile(r"[{};]").finditer(text, at):
        mark = found.group()
        depth += {"{": 1, "}": -1, ";": 0}[mark]
        if depth == 0:
            return found.end()
    return len(text)


class File:
    def __init__(self, path, source):
        self.path = path
        self.name = path.relative_to(source).as_posix()
        self.text = path.read_text()
        self.code = blanked(self.text)
        self.test_files = []
        for found in TEST_ITEM.finditer(self.code):
            module = TEST_FILE.match(self.code, found.end())
            if module:
                self.test_files.append(module.group(1))
            end = closing(self.code, found.end())
            self.code = self.code[: found.start()] + self.cut(found.start(), end) + self.code[end:]

    def cut(self, start, end):
        """Marks lines as a test's."""
        return re.sub(r"[^\n]", "\0", self.code[start:end])

    def module(self):
        """Path of the module, from the root of its crate."""
        name = self.name.removeprefix(PROGRAM_FOLDER + "/").removesuffix(".rs")
        return [] if name in ("lib", "main") else name.split("/")

    def is_program(self):
        return self.name.startswith("bin/")

    def folder(self):
        first = (self.module() or [self.path.stem])[0]
        return f"bin/{first}" if self.is_program() else first

    def lines(self):
        """Code, comments and blank lines outside tests, and lines of tests."""
        count = Counter()
        for line, code in zip(self.text.split("\n")[:-1], self.code.split("\n")):
            if "\0" in code:
                count["test"] += 1
            elif not line.strip():
                count["blank"] += 1
            elif line.strip().startswith("//"):
                count["comment"] += 1
            else:
                count["code"] += 1
        return count

    def functions(self):
        """Lines of each function outside tests, its signature included."""
        for found in re.finditer(r"\bfn (\w+)", self.code):
            end = closing(self.code, found.end())
            if self.code[end - 1] == "}":
                line = self.code.count("\n", 0, found.start()) + 1
                yield self.code.count("\n", found.start(), end) + 1, f"src/{self.name}:{line} {found.group(1)}"

    def imports(self):
        """Folders of its own crate that it names, each with a line that does."""
        module = self.module()
        for found in re.finditer(r"\bcrate::(?:(\w+)|\{)|(?<![\w:])((?:super::)+)(?:(\w+)|\{)", self.code):
            if found.group(2):
                up = found.group(2).count("super")
                below = module[:-up] if up <= len(module) else []
                if below:
                    continue
                names = [found.group(3)]
            else:
                names = [found.group(1)]
            if names == [None]:
                names = group(self.code, found.end())
            line = self.code.count("\n", 0, found.start()) + 1
            for name in names:
                yield name, f"src/{self.name}:{line}"


def group(code, at):
    """First names in the braces of `use crate::{a, b::{c, d}}`."""
    depth, names = 1, []
    for found in re.compile(r"[{}]|(?<![\w:])\w+").finditer(code, at):
        depth += {"{": 1, "}": -1}.get(found.group(), 0)
        if depth == 0:
            break
        if depth == 1 and found.group() not in "{}":
            names.append(found.group())
    return names


def read(root):
    """Files that are not tests, and the lines of those that are."""
    source = root / "src"
    files = [File(path, source) for path in sorted(source.rglob("*.rs"))]
    tests = []
    for file in files:
        inside = file.path.stem in ("lib", "main", "mod")
        folder = file.path.parent if inside else file.path.with_suffix("")
        tests += [folder / name for name in file.test_files]
    is_test = lambda file: any(file.path.with_suffix("") == test or test in file.path.parents for test in tests)
    return [file for file in files if not is_test(file)], [file for file in files if is_test(file)]


def arrows(files):
    """From folder to folder, with the places."""
    found = defaultdict(list)
    for file in files:
        folders = {other.folder() for other in files if other.is_program() == file.is_program()}
        for name, place in file.imports():
            target = f"bin/{name}" if file.is_program() else name
            if target in folders and target != file.folder():
                found[file.folder(), target].append(place)
    return found


def circles(edges):
    """Sets of folders that reach each other."""
    below = defaultdict(set)
    for start, end in edges:
        below[start].add(end)

    def reached(start):
        seen, todo = set(), [start]
        while todo:
            new = below[todo.pop()] - seen
            seen |= new
            todo += new
        return seen

    all_reached = {folder: reached(folder) for folder in list(below)}
    rings = {
        frozenset(other for other in seen if folder in all_reached.get(other, ()))
        for folder, seen in all_reached.items()
        if folder in seen
    }
    return sorted(sorted(ring) for ring in rings)


def direction(files):
    """What is wrong with the imports between folders."""
    edges = arrows(files)
    layers = LIBRARY + [[f"bin/{name}" for name in layer] for layer in PROGRAM]
    order = {folder: number for number, layer in enumerate(layers) for folder in layer}
    wrong = []
    for folder in sorted({file.folder() for file in files} - set(order) - {"lib"}):
        wrong.append(f"{folder} has no layer: give it one in hack/size.py")
    for (start, end), places in sorted(edges.items()):
        if start in order and end in order and order[start] < order[end]:
            wrong.append(f"{start} imports {end}, which is above it: {', '.join(sorted(set(places)))}")
    for ring in circles(edges):
        wrong.append(f"circle of {len(ring)}: {', '.join(ring)}")
    return edges, wrong


def unargued(files):
    """Files and functions that are too long and do not say why: in the first lines of the file, or right above the function."""
    for file in files:
        lines = file.text.split("\n")
        size = sum(file.lines().values()) - file.lines()["test"]
        if size > FILE_LINES and not any(re.match(r"//!? Long: ", line) for line in lines[:20]):
            yield f"src/{file.name} has {size} lines: divide it, or say why not in a comment that begins with `// Long:`"
        for count, name in file.functions():
            place, _, function = name.partition(" ")
            at = int(place.rpartition(":")[2]) - 1
            above = at
            while above > 0 and lines[above - 1].strip().startswith(("//", "#[")):
                above -= 1
            if count > FUNCTION_LINES and not any(re.match(r"\s*// Long: ", line) for line in lines[above:at]):
                yield f"{place} {function} has {count} lines: divide it, or say why not in a comment above it, `// Long:`"


def crates(root):
    """Crates of the program by feature."""
    features = tomllib.loads((root / "Cargo.toml").read_text())["features"]
    for feature in ["", *features]:
        command = ["cargo", "tree", "--locked", "--no-default-features", "--features", feature]
        command += ["--edges", "normal,build", "--prefix", "none", "--format", "{p}"]
        lines = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
        found = {line.removesuffix(" (*)") for line in lines.splitlines() if line}
        yield len(found), feature or "(none)"


def main(words):
    check = "--check" in words
    words = [word for word in words if word != "--check"]
    root = Path(words[0] if words else __file__).resolve()
    root = root if words else root.parent.parent
    files, tests = read(root)
    edges, wrong = direction(files)
    wrong += unargued(files)
    if not check:
        report(root, files, tests, edges)
    for line in wrong:
        print(f"size: {line}", file=sys.stderr)
    return 1 if wrong else 0


def report(root, files, tests, edges):
    print(f"{'':24}{'code':>8}{'comment':>9}{'blank':>7}{'all':>8}{'tests':>8}   files")
    sums, count = defaultdict(Counter), Counter()
    for file in files:
        sums[file.folder()] += file.lines()
        count[file.folder()] += 1
    for file in tests:
        sums[file.folder()]["test"] += file.text.count("\n")
    total = sum(sums.values(), Counter())
    rows = sorted(sums.items(), key=lambda row: -sum(row[1].values()) + row[1]["test"])
    for name, lines in [*rows, ("together", total)]:
        full = lines["code"] + lines["comment"] + lines["blank"]
        number = count[name] if name != "together" else len(files)
        print(f"{name:24}{lines['code']:8}{lines['comment']:9}{lines['blank']:7}{full:8}{lines['test']:8}{number:8}")
    print("\nlongest files outside tests")
    length = lambda file: sum(file.lines().values()) - file.lines()["test"]
    for size, name in sorted(((length(file), file.name) for file in files), reverse=True)[:LONGEST]:
        print(f"{size:6}  src/{name}")
    functions = sorted((one for file in files for one in file.functions()), reverse=True)
    print(f"\nlongest of {len(functions)} functions; {sum(size > 60 for size, _ in functions)} over 60 lines")
    for size, name in functions[:LONGEST]:
        print(f"{size:6}  {name}")
    print("\ncrates, ours among them, by feature")
    for number, feature in crates(root):
        print(f"{number:6}  {feature}")
    print(f"\n{len(sums)} folders, {len(edges)} arrows between them", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
