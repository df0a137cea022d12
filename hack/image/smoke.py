#!/usr/bin/env python3
"""Starts what is in an OCI image layout of ours, without a container engine: each layer is unpacked into an empty folder, which
is the root of the process where we may change it (root), as user 65532 and with nothing else in it. Standard library only.

    smoke.py LAYOUT...

Tried are `version`; `fn` on a ResourceList, by the image's own entry point where it is that; and for the whole program
the controller, which has to answer on loopback. An architecture that is not this machine's runs under
qemu-ARCH-static, or is said not to have run.
"""

import gzip
import io
import json
import os
import pathlib
import platform
import shutil
import socket
import ssl
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOST = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine())
EMULATORS = {"amd64": "qemu-x86_64-static", "arm64": "qemu-aarch64-static"}
USER = 65532
# A debug build under an emulator takes its time.
PATIENCE = 120
IMAGE = "ghcr.io/acme/skills/forecast:1.4.0"


def fail(message):
    sys.exit(f"smoke: {message}")


def blob(root, entry):
    return (root / "blobs" / "sha256" / entry["digest"].removeprefix("sha256:")).read_bytes()


class Image:
    """An image that was unpacked."""

    def __init__(self, layout, entry, folder):
        manifest = json.loads(blob(layout, entry))
        config = json.loads(blob(layout, manifest["config"]))
        self.arch, self.entrypoint = config["architecture"], config["config"]["Entrypoint"]
        self.title = config["config"]["Labels"]["org.opencontainers.image.title"]
        self.version = config["config"]["Labels"]["org.opencontainers.image.version"]
        self.root = folder
        for layer in manifest["layers"]:
            with tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob(layout, layer)))) as tar:
                tar.extractall(folder, filter="tar")
        folder.chmod(0o755)
        self.emulator = None if self.arch == HOST else shutil.which(EMULATORS[self.arch])

    def command(self, words):
        """A command line, and how its process is set up."""
        if os.geteuid() == 0:
            emulator = []
            if self.emulator:
                shutil.copy(self.emulator, self.root / "emulator")
                emulator = ["/emulator"]

            def enter():
                os.chroot(self.root)
                os.chdir("/")
                os.setgroups([])
                os.setgid(USER)
                os.setuid(USER)

            return [*emulator, *words], enter
        return [*([self.emulator] if self.emulator else []), f"{self.root}{words[0]}", *words[1:]], None

    def run(self, words, text=""):
        command, enter = self.command(words)
        run = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=PATIENCE, env={}, preexec_fn=enter, check=False
        )
        if run.returncode != 0:
            fail(f"{self}: {' '.join(words)} ended with {run.returncode}: {run.stderr}")
        return run.stdout

    def __str__(self):
        return f"{self.title} linux/{self.arch}"


class ApiServer(BaseHTTPRequestHandler):
    """Refuses everything, as a server that starts."""

    def do_GET(self):
        body = json.dumps({"kind": "Status", "apiVersion": "v1", "code": 503, "message": "starting"}).encode()
        self.send_response(503)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PATCH = do_GET

    def log_message(self, *_):
        pass


def certificate(server, root):
    """Gives a server a certificate of its own; the path of its authority as a process in the image sees it. A pod finds it with
    its token; the image has none, and the program would not start without any."""
    key, file = root / "key.pem", root / "ca.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
         "-subj", "/CN=smoke", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", file],
        check=True, capture_output=True,
    )
    file.chmod(0o644)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return "/ca.pem" if os.geteuid() == 0 else str(file)


def resource_list():
    texts = [
        pathlib.Path("docs/examples/skill-binding", name).read_text(encoding="utf-8") for name in ("weather.yaml", "on-workload.yaml")
    ]
    documents = [part for text in texts for part in text.split("\n---\n") if part.strip()]
    items = "".join("- " + document.strip("\n").replace("\n", "\n  ") + "\n" for document in documents)
    return f"apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n{items}"


def transform(image):
    words = image.entrypoint if image.entrypoint[-1] == "fn" else [*image.entrypoint, "fn"]
    out = image.run(words, resource_list())
    if f"reference: {IMAGE}" not in out or "mountPath: /skills/forecast" not in out:
        fail(f"{image}: fn made no volume of the skill: {out}")


def controller(image):
    """The loop against a server that refuses: it has to live, to answer /healthz, and to end when it is asked to."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), ApiServer)
    authority = certificate(server, image.root)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"127.0.0.1:{port}"
    words = [*image.entrypoint, "controller", "--server", f"https://127.0.0.1:{server.server_port}", "--health-address", address]
    words += ["--certificate-authority", authority]
    command, enter = image.command(words)
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={"POD_NAMESPACE": "default"}, preexec_fn=enter
    )
    try:
        until, answered = time.monotonic() + PATIENCE, None
        while answered is None and time.monotonic() < until:
            if process.poll() is not None:
                fail(f"{image}: controller ended with {process.returncode}: {process.stdout.read()}")
            try:
                with urllib.request.urlopen(f"http://{address}/healthz", timeout=5) as answer:
                    answered = answer.status
            except urllib.error.HTTPError as error:
                answered = error.code
            except OSError:
                time.sleep(0.1)
        if answered != 200:
            fail(f"{image}: /healthz of the controller answered {answered}")
        process.terminate()
        process.wait(timeout=PATIENCE)
    finally:
        if process.poll() is None:
            process.kill()
        server.shutdown()


def smoke(image):
    if image.arch != HOST and not image.emulator:
        print(f"--  {image}: not run, there is no {EMULATORS[image.arch]}")
        return
    said = image.run([image.entrypoint[0], "version"]).split("\n")[0]
    if image.version not in said:
        fail(f"{image}: version says {said!r}, not {image.version}")
    verbs = image.run([image.entrypoint[0], "--help"])
    whole = image.title == "kubectl-skills"
    if ("\n  controller " in verbs) != whole or "\n  render " not in verbs:
        fail(f"{image}: other verbs than it should have: {verbs}")
    transform(image)
    done = ["version", "fn"]
    if whole:
        controller(image)
        done.append("controller answers /healthz")
    by = f" under {image.emulator}" if image.emulator else ""
    print(f"ok  {image}: {', '.join(done)}{by}")


def main():
    for layout in map(pathlib.Path, sys.argv[1:]):
        top = json.loads((layout / "index.json").read_text())
        for entry in json.loads(blob(layout, top["manifests"][0]))["manifests"]:
            with tempfile.TemporaryDirectory() as folder:
                smoke(Image(layout, entry, pathlib.Path(folder)))


if __name__ == "__main__":
    main()
