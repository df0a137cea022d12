#!/usr/bin/env python3
"""Drives the program against real registries: that of go-containerregistry without the referrers API (crane) and with it,
and the distribution registry with a login. A proxy in front of them throttles, stalls, cuts connections, wants tokens.

    hack/e2e-registry.py --program FILE --crane FILE --oras FILE --registries FILE

Every check compares with what crane or the registry itself says, not with what the program says of itself.
"""
import argparse
import base64
import contextlib
import hashlib
import http.client
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LAYER_BYTES = 24 << 20
TAGS = 1200
REFERRERS = 120
USER, PASSWORD = "robot", "s3cret"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Layout:
    """An OCI layout: an index of two images over one layer, and what refers to it."""

    def __init__(self, root):
        self.root, self.entries = root, []
        (root / "blobs/sha256").mkdir(parents=True)
        (root / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def blob(self, data, kind):
        name = digest(data)
        (self.root / "blobs/sha256" / name[7:]).write_bytes(data)
        return {"mediaType": kind, "digest": name, "size": len(data)}

    def manifest(self, value, kind):
        return self.blob(json.dumps(value).encode(), kind)

    def finish(self):
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": self.entries}
        (self.root / "index.json").write_text(json.dumps(index))


def sample(root):
    layout = Layout(root)
    layer = layout.blob(random.Random(1).randbytes(LAYER_BYTES), "application/vnd.oci.image.layer.v1.tar")
    images = []
    for machine in ("amd64", "arm64"):
        config = {"architecture": machine, "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}
        config = layout.manifest(config, "application/vnd.oci.image.config.v1+json")
        image = layout.manifest({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}, MANIFEST)
        images.append(image | {"platform": {"os": "linux", "architecture": machine}})
    index = layout.manifest({"schemaVersion": 2, "mediaType": INDEX, "manifests": images}, INDEX)
    layout.entries.append(index | {"annotations": {"org.opencontainers.image.ref.name": "1.0.0"}})
    empty = layout.blob(b"{}", "application/vnd.oci.empty.v1+json")
    for number in range(REFERRERS):
        value = {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/vnd.example.signature",
                 "config": empty, "layers": [empty], "subject": index, "annotations": {"number": str(number)}}
        layout.entries.append(layout.manifest(value, MANIFEST) | {"artifactType": value["artifactType"]})
    layout.finish()
    return index["digest"]


class Registry:
    """A server process, and how it is asked directly."""

    def __init__(self, name, words, port=None, login=None, native=False):
        self.name, self.login, self.native = name, login, native
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.port = port or int(self.process.stdout.readline())
        self.host = f"127.0.0.1:{self.port}"
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError):
                self.ask("GET", "/v2/")
                return
            if time.monotonic() > deadline:
                raise SystemExit(f"{name} does not answer")
            time.sleep(0.05)

    def ask(self, method, path, body=None, headers=None, connection=None):
        connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = dict(headers or {})
        if self.login:
            headers["Authorization"] = "Basic " + base64.b64encode(":".join(self.login).encode()).decode()
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, dict((key.lower(), value) for key, value in answer.getheaders()), answer.read()

    def stop(self):
        self.process.kill()
        self.process.wait()


class Proxy(ThreadingHTTPServer):
    """In front of a registry: passes everything on, and does to it what `fault` says."""

    daemon_threads = True

    def __init__(self, upstream, fault):
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream, self.fault, self.counts, self.lock = upstream, fault, {}, threading.Lock()
        self.logins = []
        self.host = f"127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def count(self, key):
        with self.lock:
            self.counts[key] = self.counts.get(key, 0) + 1
            return self.counts[key]

    def handle_error(self, *_):
        """A client that goes away is no news."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Says nothing."""

    def plain(self, code, body=b"", headers=()):
        self.send_response(code)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def cut(self):
        self.close_connection = True
        self.connection.close()

    def handle_any(self):
        server, fault = self.server, self.server.fault
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if fault == "token":
            login = self.headers.get("Authorization")
            if self.path.startswith("/token"):
                server.logins.append(login)
                wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
                if login != wanted:
                    return self.plain(401, b"no")
                return self.plain(200, json.dumps({"token": "t0ken", "expires_in": 60}).encode())
            if login != "Bearer t0ken":
                realm = f'Bearer realm="http://{server.host}/token",service="e2e",scope="repository:x:pull"'
                return self.plain(401, b"", [("WWW-Authenticate", realm)])
        if fault == "throttle" and server.count(f"{self.command} {self.path}") <= 2:
            return self.plain(429, b"slow down", [("Retry-After", "0")])
        is_blob = self.command == "GET" and "/blobs/sha256" in self.path
        if fault == "cut" and self.command == "PATCH" and server.count("PATCH") % 2 == 1:
            return self.cut()
        connection = http.client.HTTPConnection("127.0.0.1", server.upstream.port, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "authorization")}
        if server.upstream.login:
            headers["Authorization"] = "Basic " + base64.b64encode(":".join(server.upstream.login).encode()).decode()
        elif fault != "token" and "Authorization" in self.headers:
            headers["Authorization"] = self.headers["Authorization"]
        headers["Host"] = server.host
        connection.request(self.command, self.path, body or None, headers)
        answer = connection.getresponse()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "date", "server"):
                self.send_header(name, value)
        data = b"" if self.command == "HEAD" else answer.read()
        if answer.getheader("Content-Length") is None and answer.status not in (204, 304):
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if fault == "cut" and is_blob and len(data) > (5 << 20):
            self.wfile.write(data[: 5 << 20])
            return self.cut()
        if fault == "slow" and is_blob and len(data) > (1 << 20):
            for at in range(0, len(data), 4 << 20):
                self.wfile.write(data[at : at + (4 << 20)])
                self.wfile.flush()
                # Longer than the program's patience once, which has it come again with a Range.
                time.sleep(2.5 if at == 0 and server.count("slow") == 1 else 0.05)
            return None
        self.wfile.write(data)
        return None

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = handle_any


class Run:
    def __init__(self, options, folder):
        self.options, self.folder, self.number, self.failed = options, folder, 0, []
        self.config = folder / "docker"
        self.config.mkdir()
        self.hosts({})

    def hosts(self, logins):
        auths = {host: {"auth": base64.b64encode(":".join(login).encode()).decode()} for host, login in logins.items()}
        (self.config / "config.json").write_text(json.dumps({"auths": auths}))

    def environment(self):
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "DOCKER_CONFIG": str(self.config), "NO_COLOR": "1"}

    def skills(self, *words, code=0):
        done = subprocess.run([self.options.program, *words], env=self.environment(), capture_output=True, text=True, timeout=300)
        if done.returncode != code:
            raise AssertionError(f"{' '.join(words)}: exit code {done.returncode}, not {code}: {done.stderr}")
        return done

    def crane(self, *words):
        done = subprocess.run([self.options.crane, *words], env=self.environment(), capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            raise AssertionError(f"crane {' '.join(words)}: {done.stderr}")
        return done.stdout.strip()

    def oras(self, *words):
        done = subprocess.run([self.options.oras, *words], env=self.environment(), capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            raise AssertionError(f"oras {' '.join(words)}: {done.stderr}")

    def fresh(self):
        self.number += 1
        return str(self.folder / f"layout-{self.number}")

    def check(self, name, body):
        started = time.monotonic()
        try:
            body()
            outcome = "ok"
        except Exception as error:  # noqa: BLE001 - reported, and the next check runs
            outcome = f"FAILED: {error}"
            self.failed.append(name)
        print(f"{time.monotonic() - started:7.2f} s  {name}: {outcome}", flush=True)


def same(found, wanted):
    if found != wanted:
        short = lambda value: repr(value) if len(repr(value)) < 300 else f"{repr(value)[:300]}... of {len(value)}"
        raise AssertionError(f"found {short(found)}, wanted {short(wanted)}")


def tree(path):
    return {file.name: digest(file.read_bytes()) for file in Path(path, "blobs/sha256").iterdir()}


def whole(path, source):
    """Whether every blob of the layout is there, each with its own digest."""
    found = tree(path)
    same({name: value for name, value in found.items() if "sha256:" + name != value}, {})
    same(sorted(found), sorted(tree(source)))


def referrers(registry, repository, root):
    """What the registry itself lists: by its API, or by the fallback tag."""
    if registry.native:
        found, path = [], f"/v2/{repository}/referrers/{root}"
        status, _, body = registry.ask("GET", path)
        same(status, 200)
        found = json.loads(body)["manifests"]
    else:
        status, _, body = registry.ask("GET", f"/v2/{repository}/manifests/{root.replace(':', '-')}", headers={"Accept": INDEX})
        same(status, 200)
        found = json.loads(body)["manifests"]
    return len({entry["digest"] for entry in found})


def many_tags(registry):
    """1,200 tags of one small manifest."""
    connection = http.client.HTTPConnection("127.0.0.1", registry.port, timeout=60)
    path = "/v2/e2e/tagged"
    status, headers, _ = registry.ask("POST", f"{path}/blobs/uploads/", connection=connection)
    same(status, 202)
    location = headers["location"]
    location = location[location.index("/v2/"):]
    mark = "&" if "?" in location else "?"
    status, _, _ = registry.ask("PUT", f"{location}{mark}digest={digest(b'{}')}", b"{}", {"Content-Type": "application/octet-stream"}, connection)
    same(status, 201)
    empty = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest(b"{}"), "size": 2}
    body = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": empty, "layers": [empty]}).encode()
    names = [f"v{number:04}" for number in range(TAGS)]
    for name in names:
        status, _, _ = registry.ask("PUT", f"{path}/manifests/{name}", body, {"Content-Type": MANIFEST}, connection)
        same(status, 201)
    return names


def main():
    parser = argparse.ArgumentParser()
    for name in ("program", "crane", "oras", "registries"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    options.program = str(Path(options.program).resolve())
    with tempfile.TemporaryDirectory(prefix="e2e-registry-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        run = Run(options, folder)
        source = folder / "sample"
        root = sample(source)
        passwords = folder / "htpasswd"
        passwords.write_text(subprocess.check_output([options.registries, "htpasswd", USER, PASSWORD], text=True))
        config = folder / "distribution.yaml"
        config.write_text(
            "version: 0.1\nlog: {level: error}\nstorage: {inmemory: {}, delete: {enabled: true}}\n"
            f"auth: {{htpasswd: {{realm: e2e, path: {passwords}}}}}\nhttp: {{addr: 127.0.0.1:0}}\n"
        )
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        started = [
            lambda: Registry("crane", [options.crane, "registry", "serve", "--address", f"127.0.0.1:{port}"], port=port),
            lambda: Registry("go-containerregistry with referrers", [options.registries, "referrers"], native=True),
            lambda: Registry("distribution", [options.registries, "distribution", str(config)], login=(USER, PASSWORD)),
        ]
        servers = []
        for start in started:
            server = start()
            stack.callback(server.stop)
            servers.append(server)
        logins = {server.host: server.login for server in servers if server.login}
        run.hosts(logins)
        for server in servers:
            of_one(run, server, source, root)
        between(run, servers, root)
        run.check("oras reads what pack writes, and we what oras writes", lambda: with_oras(run, servers[0]))
        faults(run, servers, source, root, logins)
        if run.failed:
            sys.exit(f"{len(run.failed)} failed: {', '.join(run.failed)}")


def of_one(run, server, source, root):
    image = f"{server.host}/e2e/skill:1.0.0"

    def push():
        said = json.loads(run.skills("push", f"{source}:1.0.0", image, "-o", "json").stdout)
        same((said["digest"], said["referrers"]), (root, REFERRERS))
        same(run.crane("digest", image), root)
        run.crane("validate", "--remote", image, "--fast")

    def again():
        said = json.loads(run.skills("push", f"{source}:1.0.0", image, "--no-referrers", "-o", "json").stdout)
        same((said["blobs"]["sent"], said["blobs"]["bytes"]), (0, 0))

    def listed():
        same(referrers(server, "e2e/skill", root), REFERRERS)

    def pull():
        layout = run.fresh()
        said = json.loads(run.skills("pull", image, layout, "-o", "json").stdout)
        same((said["digest"], said["referrers"]), (root, REFERRERS))
        whole(layout, source)

    def tags():
        names = many_tags(server)
        found = run.skills("tags", f"{server.host}/e2e/tagged").stdout.split()
        same(sorted(found), names)

    def mounted():
        said = json.loads(run.skills("copy", image, f"{server.host}/e2e/other:2", "--no-referrers", "-o", "json").stdout)
        same(said["blobs"]["sent"], 0)
        same(run.crane("digest", f"{server.host}/e2e/other:2"), root)

    def missing():
        done = run.skills("pull", f"{server.host}/e2e/skill:none", run.fresh(), code=4)
        same("answered 404" in done.stderr, True)

    def updated():
        newer_versions(run, server)

    for name, body in [("push", push), ("push again", again), (f"{REFERRERS} referrers", listed), ("pull", pull),
                       (f"{TAGS} tags", tags), ("copy within", mounted), ("a tag that is not there", missing),
                       ("outdated and update", updated)]:
        run.check(f"{server.name}: {name}", body)


def newer_versions(run, server):
    """A promoted image is metadata only, a changed line is content, and the update is what crane says the new tag is."""
    work = Path(run.fresh())
    skill = work / "pdf"
    skill.mkdir(parents=True)
    name = f"{server.host}/e2e/pdf"
    for version, text in [("1.0.0", "Read it."), ("1.1.0", "Read all of it.")]:
        (skill / "SKILL.md").write_text(f"---\nname: pdf\ndescription: Reads PDF files.\n---\n# PDF\n\n{text}\n")
        run.skills("pack", str(skill), "--push", f"{name}:{version}")
    promoted = json.loads(run.crane("manifest", f"{name}:1.0.0"))
    promoted["annotations"] = {**promoted.get("annotations", {}), "io.skillimage.status": "published"}
    code = server.ask("PUT", "/v2/e2e/pdf/manifests/1.0.1", json.dumps(promoted).encode(),
                      {"Content-Type": promoted["mediaType"]})[0]
    same(code, 201)
    manifest, lock = work / "skills.yaml", work / "skills.lock"
    text = ("apiVersion: skills.kagenti.dev/v1alpha1\nkind: SkillBinding\nmetadata: {name: a, namespace: b}\nspec:\n"
            "  targetRef: {apiVersion: apps/v1, kind: Deployment, name: a}\n  skills:\n"
            f"  - {{name: pdf, image: '{name}:1.0.0', mountPath: /skills/pdf}}   # reads\n")
    manifest.write_text(text)
    files = ["-f", str(manifest), "--lock-file", str(lock)]
    run.skills("lock", *files)
    found = json.loads(run.skills("outdated", *files, "--content", "-o", "json").stdout)["images"][0]
    same((found["tag"], found["newest"]["tag"], found["newest"]["change"]["verdict"]), ("same", "1.1.0", "content"))
    stays = run.skills("update", *files, "-i", "--to", "patch")
    same(("stays: 1.0.1: metadata only" in stays.stderr, manifest.read_text()), (True, text))
    run.skills("update", *files, "-i")
    same(manifest.read_text(), text.replace(":1.0.0", ":1.1.0"))
    same(run.crane("digest", f"{name}:1.1.0") in lock.read_text(), True)


def between(run, servers, root):
    for one, other in [(0, 2), (2, 1), (1, 0)]:
        one, other = servers[one], servers[other]

        def body(one=one, other=other):
            target = f"{other.host}/copied/skill:1"
            said = json.loads(run.skills("copy", f"{one.host}/e2e/skill:1.0.0", target, "-o", "json").stdout)
            same((said["digest"], said["referrers"]), (root, REFERRERS))
            same(run.crane("digest", target), root)
            same(referrers(other, "copied/skill", root), REFERRERS)

        run.check(f"copy from {one.name} to {other.name}", body)


def with_oras(run, server):
    skill, layout, other = run.folder / "pdf", run.fresh(), run.fresh()
    (skill / "scripts").mkdir(parents=True)
    (skill / "SKILL.md").write_text("---\nname: pdf\ndescription: Reads PDF files\n---\n# PDF\n")
    (skill / "scripts/run.sh").write_text("#!/bin/sh\n")
    packed = json.loads(run.skills("pack", str(skill), "--to", layout, "-t", "1", "-o", "json").stdout)
    image = f"{server.host}/e2e/packed:1"
    run.oras("cp", "--from-oci-layout", f"{layout}:1", "--to-plain-http", image)
    same(run.crane("digest", image), packed["digest"])
    run.crane("validate", "--remote", image)
    run.oras("cp", "--from-plain-http", image, "--to-oci-layout", f"{other}:1")
    for name in (image, f"{layout}:1", f"{other}:1"):
        seen = json.loads(run.skills("inspect", name, "-o", "json").stdout)
        same((seen["image"]["digest"], seen["contentIdentity"]), (packed["digest"], packed["contentIdentity"]))


def faults(run, servers, source, root, logins):
    for server in (servers[0], servers[2]):
        for fault in ("throttle", "slow", "cut"):
            proxy = Proxy(server, fault)

            def body(proxy=proxy, fault=fault):
                layout = run.fresh()
                words = ["--no-referrers", "--registry-timeout", "2s"]
                run.skills("pull", f"{proxy.host}/e2e/skill:1.0.0", layout, *words)
                found = tree(layout)
                same({name: value for name, value in found.items() if "sha256:" + name != value}, {})
                target = f"e2e/{fault}:1"
                run.skills("push", f"{source}:1.0.0", f"{proxy.host}/{target}", *words)
                same(run.crane("digest", f"{proxy.upstream.host}/{target}"), root)

            run.check(f"{server.name}, behind a proxy that does {fault}", body)
            proxy.shutdown()
    proxy = Proxy(servers[0], "token")

    def token():
        run.hosts(logins | {proxy.host: (USER, PASSWORD)})
        run.skills("push", f"{source}:1.0.0", f"{proxy.host}/e2e/token:1", "--no-referrers")
        run.skills("pull", f"{proxy.host}/e2e/token:1", run.fresh(), "--no-referrers")
        same(None in proxy.logins, False)

    def refused():
        run.hosts(logins | {proxy.host: (USER, "wrong")})
        proxy.logins.clear()
        done = run.skills("pull", f"{proxy.host}/e2e/token:1", run.fresh(), code=4)
        same("nothing was tried without this login" in done.stderr, True)
        same(None in proxy.logins, False)

    def basic():
        run.hosts({servers[2].host: (USER, "wrong")})
        done = run.skills("pull", f"{servers[2].host}/e2e/skill:1.0.0", run.fresh(), code=4)
        same("nothing was tried without this login" in done.stderr, True)

    run.check("a token service", token)
    run.check("a token service that refuses", refused)
    run.check("distribution: a wrong password", basic)
    proxy.shutdown()


if __name__ == "__main__":
    main()
