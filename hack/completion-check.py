#!/usr/bin/env python3
"""Types command lines into bash, zsh and fish in a pseudo-terminal, presses TAB, and looks at what the shell makes of them.

Usage: hack/completion-check.py PROGRAM. A server in this process stands for the cluster, with three AgentRuntimes and
a SkillBinding.
"""

import http.server
import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time

GROUP = "agent.kagenti.dev"
SCHEMA = {"components": {"schemas": {"a": {
    "x-kubernetes-group-version-kind": [{"group": GROUP, "version": "v1alpha1", "kind": "AgentRuntime"}],
    "type": "object", "properties": {"spec": {"type": "object", "properties": {"skills": {"type": "array"}}}}}}}}
NAMES = {"team1": ["forecast", "weather"], "team2": ["triage"]}
BINDINGS = {"team1": ["radar", "weather"]}
# Longest wait for a shell to show something.
PATIENCE = 30
TAB = "\t"

# What is typed, and what must then stand on the screen.
CASES = [
    ("a verb", "kubectl-skills ren" + TAB, ["kubectl-skills render"]),
    ("verbs", "kubectl-skills " + TAB + TAB, ["apply", "completion", "diff", "doctor", "render", "validate", "webhook"]),
    ("a flag", "kubectl-skills render --rec" + TAB, ["render --recursive"]),
    ("flags", "kubectl-skills apply --f" + TAB + TAB, ["--feature-gates-file", "--field-manager", "--force-conflicts"]),
    ("a profile", "kubectl-skills plan --profile two" + TAB, ["--profile two-layer"]),
    ("a profile after =", "kubectl-skills plan --profile=two" + TAB, ["--profile=two-layer"]),
    ("profiles", "kubectl-skills plan --profile " + TAB + TAB, ["pr332-merged", "two-layer", "rossoctl", "auto"]),
    ("a format", "kubectl-skills diff -o js" + TAB, ["diff -o json"]),
    ("an AgentRuntime", "kubectl-skills status -n team1 wea" + TAB, ["-n team1 weather"]),
    ("a SkillBinding", "kubectl-skills plan -n team1 ra" + TAB, ["-n team1 radar"]),
    ("both kinds", "kubectl-skills apply -n team1 " + TAB + TAB, ["forecast", "radar", "weather"]),
    ("where lists of skills go", "kubectl-skills migrate --to A" + TAB, ["--to AgentRuntime"]),
    ("a namespace", "kubectl-skills status -n team" + TAB + TAB, ["team1", "team2"]),
    ("a file", "kubectl-skills render -f manif" + TAB, ["-f manifests.yaml"]),
]


class Cluster(http.server.BaseHTTPRequestHandler):
    """As much of an API server as completion asks for."""

    def do_GET(self):
        path = self.path.split("?")[0]
        items = lambda names: {"kind": "List", "metadata": {}, "items": [{"metadata": {"name": name}} for name in names]}
        found = re.fullmatch(r"/apis/([a-z.]+/v1alpha1)/namespaces/([a-z0-9]+)/(?:agentruntimes|skillbindings)", path)
        if path == f"/openapi/v3/apis/{GROUP}/v1alpha1":
            self.answer(200, SCHEMA)
        elif path == "/api/v1/namespaces":
            self.answer(200, items(NAMES))
        elif found:
            self.answer(200, items((NAMES if found[1] == "agent.kagenti.dev/v1alpha1" else BINDINGS).get(found[2], [])))
        else:
            self.answer(404, {"kind": "Status", "code": 404, "reason": "NotFound", "message": "not found"})

    def answer(self, code, value):
        body = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def shells(home):
    """Command line and environment of each shell, with a prompt that is known and the completion read."""
    with open(f"{home}/bashrc", "w") as file:
        file.write("PS1='ready> '\nbind 'set bell-style none'\nbind 'set enable-bracketed-paste off'\n"
                   "source <(kubectl-skills completion bash)\n")
    with open(f"{home}/.zshrc", "w") as file:
        file.write("PS1='ready> '\nunsetopt zle_bracketed_paste\nautoload -Uz compinit\ncompinit -u\nsetopt nobeep\n"
                   "source <(kubectl-skills completion zsh)\n")
    with open(f"{home}/init.fish", "w") as file:
        file.write("function fish_prompt; echo -n 'ready> '; end\nfunction fish_greeting; end\n"
                   "kubectl-skills completion fish | source\n")
    return {
        "bash": ["bash", "--noprofile", "--rcfile", f"{home}/bashrc", "-i"],
        "zsh": ["zsh", "-d", "-i"],
        "fish": ["fish", "--init-command", f"source {home}/init.fish", "-i"],
    }


def screen(text):
    """The characters that a terminal would show: without the sequences that steer it, and without blanks."""
    text = re.sub(r"\x1b\][^\x07\x1b]*(\x07|\x1b\\)", "", text)
    text = re.sub(r"\x1b[\[(>=][0-9;?]*[ -/]*[@-~]?", "", text)
    return re.sub(r"[\s\x00-\x1f]", "", text)


class Shell:
    def __init__(self, command, env, folder):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(command[0], command, env)
        # Wide and high enough that nothing is broken or paged.
        import fcntl, struct, termios
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 220, 0, 0))
        self.shown = ""

    def read(self, enough):
        """Reads until there is enough, or nothing more comes."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and not enough(screen(self.shown)):
            ready, _, _ = select.select([self.terminal], [], [], 0.2)
            if ready:
                try:
                    self.shown += os.read(self.terminal, 65536).decode(errors="replace")
                except OSError:
                    break
        return enough(screen(self.shown))

    def type(self, text):
        os.write(self.terminal, text.encode())

    def close(self):
        os.close(self.terminal)
        try:
            os.kill(self.pid, 9)
        except ProcessLookupError:
            pass
        os.waitpid(self.pid, 0)


def main():
    program = os.path.abspath(sys.argv[1])
    failed = 0
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Cluster)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # fish may still be writing completions of its own there, in the background, when all is done.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        os.mkdir(f"{home}/bin")
        os.symlink(program, f"{home}/bin/kubectl-skills")
        open(f"{home}/manifests.yaml", "w").close()
        with open(f"{home}/kubeconfig", "w") as file:
            json.dump({
                "apiVersion": "v1", "kind": "Config", "current-context": "c",
                "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
                "users": [{"name": "u", "user": {}}],
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            }, file)
        env = {"PATH": f"{home}/bin:/usr/local/bin:/usr/bin:/bin", "HOME": home, "ZDOTDIR": home, "TERM": "vt100",
               "LC_ALL": "C.UTF-8", "KUBECONFIG": f"{home}/kubeconfig", "XDG_CONFIG_HOME": home, "XDG_DATA_HOME": home}
        for name, command in shells(home).items():
            if not shutil.which(name):
                sys.exit(f"{name} is not installed")
            for what, typed, expected in CASES:
                shell = Shell(command, env, home)
                started = shell.read(lambda text: "ready>" in text)
                shell.shown = ""
                for key in typed.split(TAB)[0], *[TAB] * typed.count(TAB):
                    shell.type(key)
                    time.sleep(0.2)
                # What was typed counts for nothing; what the shell adds must be there.
                held = started and shell.read(lambda text: all(word.replace(" ", "") in text for word in expected))
                shown = screen(shell.shown)
                shell.close()
                print(f"{'ok' if held else 'FAILED':6} {name}: {what}")
                if not held:
                    failed += 1
                    print(f"  typed {typed!r}, expected {expected}, shown:\n{shown}")
        # kubectl asks the same program under another name.
        shim = f"{home}/bin/kubectl_complete-skills"
        with open(shim, "w") as file:
            subprocess.run([program, "completion", "kubectl"], stdout=file, check=True)
        os.chmod(shim, 0o755)
        found = subprocess.run([shim, "status", "-n", "team1", ""], env=env, stdout=subprocess.PIPE, text=True, check=True)
        held = found.stdout == "forecast\nradar\nweather\n:4\n"
        print(f"{'ok' if held else 'FAILED':6} kubectl: names" + ("" if held else f": {found.stdout!r}"))
        failed += not held
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
