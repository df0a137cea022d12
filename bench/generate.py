#!/usr/bin/env python3
"""Writes the inputs of `make bench` into a folder: the same bytes in every run.

    generate.py FOLDER [AGENTS]

AGENTS (default 2000) agents, each a Deployment, a Service, an AgentRuntime with two or three skills and two ConfigMaps
of 20 lines of data that have nothing to do with skills: with 2000 agents 10,000 documents, about 8 MB.

    stream.yaml   multi-document stream
    list.yaml     the same objects as a ResourceList, with the annotations that an orchestrator adds
    one.yaml      one agent: a Deployment and its AgentRuntime
"""

import os
import random
import sys

WORDS = """amber basil cedar delta ember fjord grove haven indigo juniper kestrel lagoon meadow north ochre prairie quartz
river sable thicket umber valley willow yarrow zephyr""".split()


def deployment(name, namespace, rng):
    team = rng.choice(WORDS)
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  namespace: {namespace}
  labels:
    app: {name}
    team: {team}
spec:
  replicas: {rng.randint(1, 5)}
  selector:
    matchLabels:
      app: {name}
  template:
    metadata:
      labels:
        app: {name}
    spec:
      serviceAccountName: {name}
      containers:
      - name: agent
        image: registry.example/{team}/{name}:1.{rng.randint(0, 40)}.{rng.randint(0, 9)}
        ports:
        - containerPort: 8080
          name: http
        env:
        - name: LOG_LEVEL
          value: info  # raised by hand during incidents
        - name: PORT
          value: "8080"
        resources:
          requests: {{cpu: 100m, memory: 128Mi}}
        volumeMounts:
        - name: cache
          mountPath: /var/cache/agent
      volumes:
      - name: cache
        emptyDir: {{}}
"""


def service(name, namespace):
    return f"""\
apiVersion: v1
kind: Service
metadata:
  name: {name}
  namespace: {namespace}
spec:
  selector:
    app: {name}
  ports:
  - name: http
    port: 80
    targetPort: http
"""


def agent_runtime(name, namespace, rng):
    skills = rng.sample(WORDS, rng.randint(2, 3))
    lines = [
        f"""\
apiVersion: agent.kagenti.dev/v1alpha1
kind: AgentRuntime
metadata:
  name: {name}
  namespace: {namespace}
spec:
  type: agent
  targetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {name}
  skills:
"""
    ]
    for index, skill in enumerate(skills):
        lines.append(
            f"""\
  - name: {skill}
    image: registry.example/skills/{skill}:{rng.randint(1, 9)}.{rng.randint(0, 20)}.0
    mountPath: /skills/{skill}
"""
        )
        if index == 1:
            lines.append("    pullPolicy: IfNotPresent\n")
    return "".join(lines)


def config_map(name, namespace, rng):
    """Has 20 lines of data."""
    data = "".join(
        f"  {rng.choice(WORDS)}.{index}: {'-'.join(rng.choices(WORDS, k=4))}-{rng.randint(0, 9999)}.example\n"
        for index in range(20)
    )
    return f"""\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}
  namespace: {namespace}
data:
{data}"""


def objects(agents):
    # A fixed seed: figures of two runs are about the same bytes.
    rng = random.Random(332)
    for number in range(agents):
        name = f"{WORDS[number % len(WORDS)]}-{number:04}"
        namespace = f"team-{number % 20:02}"
        yield deployment(name, namespace, rng)
        yield service(name, namespace)
        yield agent_runtime(name, namespace, rng)
        for part in ("prompts", "limits"):
            yield config_map(f"{name}-{part}", namespace, rng)


def as_item(text, index):
    """One item of a ResourceList: the object indented, with the annotations by which an orchestrator finds it again."""
    annotations = f"""\
  annotations:
    config.kubernetes.io/index: '{index}'
    internal.config.kubernetes.io/index: '{index}'
"""
    head, rest = text.split("metadata:\n", 1)
    lines = (head + "metadata:\n" + annotations + rest).splitlines(keepends=True)
    return "- " + "  ".join(lines)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    folder = sys.argv[1]
    agents = int(sys.argv[2]) if len(sys.argv) == 3 else 2000
    os.makedirs(folder, exist_ok=True)
    texts = list(objects(agents))
    with open(os.path.join(folder, "stream.yaml"), "w", encoding="utf-8") as file:
        file.write("---\n".join(texts))
    with open(os.path.join(folder, "list.yaml"), "w", encoding="utf-8") as file:
        file.write("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n")
        file.writelines(as_item(text, index) for index, text in enumerate(texts))
    with open(os.path.join(folder, "one.yaml"), "w", encoding="utf-8") as file:
        file.write(texts[0] + "---\n" + texts[2])


if __name__ == "__main__":
    main()
