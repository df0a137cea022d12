#!/usr/bin/env python3
"""Writes mutated AgentRuntimes for hack/schema-oracle: `mutate.py COUNT SEED`, one JSON object a line.

The same arguments give the same lines. Each object is a full, valid one of its profile with one to three changes:
a field set to a value of any type, removed, added, or a list made longer.
"""
import copy
import json
import random
import sys

PROFILES = ["pr332", "pr332-merged", "no-trace", "no-skills", "two-layer", "identity-removed", "spiffe-helper",
            "head", "rossoctl"]
TEXTS = ["", " ", "a", "agent", "enabled", "A", "a_b", "-a", "a-", "a.b", "a" * 58, "a" * 59, "b" * 64, "c" * 254,
         "ä" * 58, "/", "/a", "//", "/a\nb", "a\n", "\n", "٣", "<&>", "\"q\"\\", "a\u0000b", "\u2028", "\ufeff", "😀",
         "strict", "grpc", "true", "0", "x/y", "/y", "x/", "X.y/z", "x/y/z", "kagenti.io/cleanup", "orphan",
         "a..b", "a.B", "d" * 64 + ".e", "c" * 254 + "/x", "É/x", "Ab.C/d"]
NUMBERS = [0, 1, -1, 2, 20, 0.5, 1.0, -0.1, 1.1, 1e-7, 1e-5, 1e20, 1e21, 1.5e300, 2**53 + 1, 2**63 - 1, 2**63, -2**63,
           2**64, 1e22]
COMPOUND = [[], {}, [1], ["a"], [None], {"a": 1}, {"name": "x", "b": None}, [[]], [{"x": 1}, None], {"z": "<", "a": [1.5]}]
KEYS = ["foo", "metadata", "kind", "name", "spec", "Type", "x.y", "a[0]", "status", "skills", "trace", "identity",
        "tlsBridgeMode", "linkedSkills", "rate"]


def base(profile, rng):
    group = "agent.rossoctl.dev" if profile == "rossoctl" else "agent.kagenti.dev"
    spec = {
        "type": "agent",
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "weather"},
        "authBridgeMode": "lite",
        "mtlsMode": "strict",
        "identity": {"spiffe": {"trustDomain": "example.org"}, "allowedAudiences": ["a", "b"]},
        "trace": {"endpoint": "http://t:4317", "protocol": "grpc", "sampling": {"rate": 0.5}},
        "skills": [{"name": n, "image": "registry.example/" + n, "mountPath": "/skills/" + n, "pullPolicy": "Always"}
                   for n in ("pdf", "csv")],
        "tlsBridgeMode": "disabled",
        "egressEnforcement": "none",
    }
    for key in list(spec):
        if key not in ("type", "targetRef") and rng.random() < 0.3:
            del spec[key]
    return {
        "apiVersion": group + "/v1alpha1",
        "kind": "AgentRuntime",
        "metadata": {"name": "weather", "namespace": "team1", "labels": {"app": "weather"},
                     "annotations": {"example.org/note": "x"}, "finalizers": ["kagenti.io/cleanup"]},
        "spec": spec,
        "status": {"phase": "Active", "conditions": [{"type": "Ready", "status": "True"}]},
    }


def places(value, path=()):
    """All paths to children, parents first."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield path + (key,)
        yield from places(child, path + (key,))


def any_value(rng):
    pool = rng.choice([TEXTS, NUMBERS, COMPOUND, [None, True, False]])
    return copy.deepcopy(rng.choice(pool))


def mutate(value, rng):
    # Spec and metadata matter; a changed kind hides all other messages, so it is rare.
    paths = [p for p in places(value) if p[0] in ("spec", "metadata") or rng.random() < 0.15]
    path = rng.choice(paths)
    parent = value
    for key in path[:-1]:
        parent = parent[key]
    key = path[-1]
    action = rng.random()
    if action < 0.5:
        parent[key] = any_value(rng)
    elif action < 0.65:
        del parent[key]
    elif action < 0.9:
        holder = parent[key] if isinstance(parent[key], dict) else parent
        if path[0] == "metadata" and path[-1] in ("labels", "annotations") and isinstance(parent[key], dict):
            holder[rng.choice(TEXTS)] = rng.choice(TEXTS)
        elif isinstance(holder, dict):
            holder[rng.choice(KEYS)] = any_value(rng)
        else:
            holder.append(any_value(rng))
    else:
        lists = [p for p in places(value) if p[-1] == "skills"]
        if lists and isinstance(value["spec"], dict) and isinstance(value["spec"].get("skills"), list):
            skills = value["spec"]["skills"]
            skills.extend(copy.deepcopy(skills[:1]) * (rng.choice([18, 19, 20])))


def main():
    count, seed = int(sys.argv[1]), int(sys.argv[2])
    rng = random.Random(seed)
    for number in range(count):
        profile = rng.choice(PROFILES)
        value = base(profile, rng)
        for _ in range(rng.choice([1, 1, 2, 3])):
            mutate(value, rng)
        print(json.dumps({"name": f"mutation/{seed}-{number:05}", "profile": profile, "object": value},
                         ensure_ascii=False))


main()
