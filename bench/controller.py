#!/usr/bin/env python3
"""Many AgentRuntimes created at once, and a running controller: how long until all are Ready, what it costs.

In:  --program the built program, --agents the numbers, hack/apiserver.sh for a real API server; curl.
Out: one block for each number on stdout: seconds, CPU, peak memory, writes an object; what is written at rest; and the
     API server's own limit on this machine, in the same run: as many plain patches over as many connections.
"""
import argparse
import concurrent.futures
import http.client
import json
import os
import pathlib
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
NAMESPACES = 17
GROUP = "/apis/agent.kagenti.dev/v1alpha1"
APPS = "/apis/apps/v1"


class Server:
    """A real API server, and requests to it that cost this script little."""

    def __init__(self, directory):
        self.directory = directory
        script = ROOT / "hack/apiserver.sh"
        crd = ROOT / "tests/e2e/fixtures/agentruntimes.yaml"
        subprocess.run([script, "start", "--dir", directory, "--crd", crd, "--owner", str(os.getpid())],
                       check=True, stdout=subprocess.DEVNULL)
        text = (directory / "kubeconfig").read_text()
        self.address = re.search(r'server: "https://([^"]+)"', text).group(1)
        self.token = (directory / "tokens.csv").read_text().split(",")[0]
        self.context = ssl.create_default_context(cafile=str(directory / "ca.crt"))
        self.pid = int((directory / "kube-apiserver.pid").read_text())

    def stop(self):
        subprocess.run([ROOT / "hack/apiserver.sh", "stop", "--dir", self.directory], check=True)

    def request(self, method, path, body=None):
        connection = http.client.HTTPSConnection(self.address, context=self.context, timeout=60)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        if answer.status >= 300:
            sys.exit(f"{method} {path}: {answer.status} {data[:300]}")
        return json.loads(data)

    def many(self, method, requests, connections, content_type="application/json"):
        """Sends many requests over few connections; seconds that it took."""
        with tempfile.TemporaryDirectory() as directory:
            lines = []
            for number, (path, body) in enumerate(requests):
                file = pathlib.Path(directory, str(number))
                file.write_text(json.dumps(body))
                lines += ["next"] if number else []
                lines += [f'url = "https://{self.address}{path}"', f'request = "{method}"', f'data-binary = "@{file}"',
                          'output = "/dev/null"', 'write-out = "%{http_code}\\n"',
                          f'header = "Content-Type: {content_type}"', f'header = "Authorization: Bearer {self.token}"',
                          f'cacert = "{self.directory / "ca.crt"}"']
            started = time.monotonic()
            said = subprocess.run(["curl", "-s", "--parallel", "--parallel-max", str(connections), "-K", "-"],
                                  input="\n".join(lines), capture_output=True, text=True, check=True).stdout.split()
            took = time.monotonic() - started
        bad = [code for code in said if code not in ("200", "201")]
        if bad or len(said) != len(requests):
            sys.exit(f"{len(bad)} of {len(requests)} requests failed: {bad[:5]}")
        return took


def deployment(namespace, name):
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}},
                     "template": {"metadata": {"labels": {"app": name}},
                                  "spec": {"containers": [{"name": "agent", "image": "quay.io/example/agent:1",
                                                           "env": [{"name": "PORT", "value": "8000"}],
                                                           "volumeMounts": [{"name": "cache", "mountPath": "/cache"}]},
                                                          {"name": "proxy", "image": "quay.io/example/proxy:1"}],
                                           "volumes": [{"name": "cache", "emptyDir": {}}]}}}}


def runtime(namespace, name):
    skills = [{"name": skill, "image": f"quay.io/example/{skill}:1", "mountPath": f"/skills/{skill}"} for skill in ("pdf", "web")]
    return {"apiVersion": "agent.kagenti.dev/v1alpha1", "kind": "AgentRuntime", "metadata": {"name": name, "namespace": namespace},
            "spec": {"type": "agent", "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}, "skills": skills}}


def cpu(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid, what):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"{what}:\s+(\d+) kB", status).group(1)) / 1024


class Controller:
    """The program under test."""

    def __init__(self, program, server, concurrency):
        self.log = tempfile.NamedTemporaryFile("r+")
        self.process = subprocess.Popen(
            [program, "controller", "--kubeconfig", str(server.directory / "kubeconfig"), "--health-address", "127.0.0.1:0",
             "--feature-gates", "skillImageVolumes=true", "--concurrency", str(concurrency)],
            stderr=self.log, stdout=subprocess.DEVNULL)
        self.pid = self.process.pid
        self.address = self.until(lambda: re.search(r'"address":"([^"]+)"', pathlib.Path(self.log.name).read_text()))[1]
        self.until(lambda: self.metrics().get("synced") == 1 and self.metrics().get("leader") == 1)

    def until(self, look, seconds=300):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = look()
            if found:
                return found
            if self.process.poll() is not None:
                sys.exit(f"the controller ended: {pathlib.Path(self.log.name).read_text()[-2000:]}")
            time.sleep(0.05)
        sys.exit("waited in vain")

    def metrics(self):
        text = urllib.request.urlopen(f"http://{self.address}/metrics", timeout=10).read().decode()
        found = re.findall(r"^kubectl_skills_(\S+) (\S+)$", text, re.M)
        return {name: float(value) for name, value in found}

    def writes(self):
        metrics = self.metrics()
        return {what: int(metrics.get(f'writes_total{{what="{what}"}}', 0)) for what in ("finalizer", "workload", "status", "event")}

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


def ready(server):
    items = server.request("GET", f"{GROUP}/agentruntimes")["items"]
    return sum(any(c["type"] == "Ready" and c["status"] == "True" for c in item.get("status", {}).get("conditions", []))
               for item in items)


def measure(program, agents, concurrency):
    directory = pathlib.Path(tempfile.mkdtemp(prefix="kubectl-skills-bench-"))
    server = Server(directory)
    try:
        for number in range(NAMESPACES):
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"team{number}"}}
            server.request("POST", "/api/v1/namespaces", body)
        names = [(f"team{number % NAMESPACES}", f"agent-{number}") for number in range(agents)]
        server.many("POST", [(f"{APPS}/namespaces/{ns}/deployments", deployment(ns, name)) for ns, name in names], concurrency)
        # The server's own limit first, while its store is small: that favours the server.
        patches = [(f"{APPS}/namespaces/{ns}/deployments/{name}?fieldManager=bench", {"metadata": {"labels": {"round": str(turn)}}})
                   for turn in range(3) for ns, name in names]
        limit = len(patches) / server.many("PATCH", patches, concurrency, "application/merge-patch+json")
        controller = Controller(program, server, concurrency)
        try:
            idle = memory(controller.pid, "VmRSS")
            cpu_before, server_before = cpu(controller.pid), cpu(server.pid)
            started = time.monotonic()
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                creating = pool.submit(server.many, "POST",
                                       [(f"{GROUP}/namespaces/{ns}/agentruntimes", runtime(ns, name)) for ns, name in names], concurrency)
                controller.until(lambda: controller.writes()["status"] >= agents)
                took = time.monotonic() - started
                created = creating.result()
            spent, server_spent = cpu(controller.pid) - cpu_before, cpu(server.pid) - server_before
            if ready(server) != agents:
                sys.exit("not all are Ready")
            controller.until(lambda: controller.writes()["event"] + controller.metrics().get("events_dropped_total", 0) >= agents)
            metrics, writes = controller.metrics(), controller.writes()
            peak = memory(controller.pid, "VmHWM")
            rest_cpu = cpu(controller.pid)
            time.sleep(20)
            rest_cpu, rest_writes = cpu(controller.pid) - rest_cpu, sum(controller.writes().values()) - sum(writes.values())
            conflicts = int(metrics.get('errors_total{reason="Conflict"}', 0))
            total = sum(writes.values())
            per_object = ", ".join(f"{count / agents:.2f} {what}" for what, count in writes.items())
            print(f"{agents} AgentRuntimes over {NAMESPACES} namespaces, {concurrency} at a time")
            print(f"  all Ready after      {took:6.1f} s (created within {created:.1f} s)")
            print(f"  CPU                  {spent:6.2f} s (API server {server_spent:.1f} s)")
            print(f"  memory               {idle:6.1f} MiB before, {peak:.1f} MiB at most, {memory(controller.pid, 'VmRSS'):.1f} MiB after")
            print(f"  writes an object     {total / agents:6.2f} ({per_object}), {conflicts} conflicts")
            print(f"  at rest, 20 s        {rest_writes:6d} writes, {rest_cpu:.2f} s CPU")
            print(f"  writes a second      {total / took:6.0f}; plain patches alone {limit:.0f}: {100 * total / took / limit:.0f} %")
        finally:
            controller.stop()
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--agents", type=int, nargs="+", default=[1000, 5000])
    parser.add_argument("--concurrency", type=int, default=16)
    options = parser.parse_args()
    for agents in options.agents:
        measure(options.program, agents, options.concurrency)


main()
