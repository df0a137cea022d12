#!/usr/bin/env python3
"""Holds the table of values in the README of deploy/chart against its schema: each value has a row, each row is a value, and a
default that is a plain word stands in values.yaml. Standard library only; ends non-zero with a reason."""

import json
import pathlib
import re
import sys

CHART = pathlib.Path("deploy/chart")


def leaves(schema, path=()):
    """Paths of values; a mapping without fixed keys is one value. `global` is helm's own."""
    for name, value in schema["properties"].items():
        here = (*path, name)
        if here == ("global",):
            continue
        if "properties" in value and value.get("additionalProperties") is False:
            yield from leaves(value, here)
        else:
            yield ".".join(here)


def main():
    schema = json.loads((CHART / "values.schema.json").read_text())
    rows = re.findall(r"^\| `([^`]+)` \| (.*?) \|", (CHART / "README.md").read_text(), re.MULTILINE)
    wanted, found = list(leaves(schema)), [name for name, _ in rows]
    if sorted(wanted) != sorted(found):
        sys.exit(f"chart: README lists other values than values.schema.json has: {sorted(set(wanted) ^ set(found))}")
    values = (CHART / "values.yaml").read_text()
    for name, default in rows:
        key, text = name.rsplit(".", 1)[-1], default.strip("`")
        if re.fullmatch(r"`[^`{]+`", default) and not re.search(rf"^ *{key}: {re.escape(text)}$", values, re.MULTILINE):
            sys.exit(f"chart: README says that {name} is {text}, values.yaml does not")
    print(f"ok  chart: {len(rows)} values in README and schema")


if __name__ == "__main__":
    main()
