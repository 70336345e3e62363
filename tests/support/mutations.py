"""Random mutations of files for fuzzing: corrupt, hostile or mistyped; reproducible from the generator's seed."""

from __future__ import annotations

import json
import tomllib
from copy import deepcopy

import tomli_w

HOSTILE = [
    "",
    " ",
    "../../evil",
    "/etc/passwd",
    "..",
    "a/b",
    "x" * 300,
    "\x00",
    "\x1b[2J",
    "<script>alert(1)</script>",
    "{{ 7*7 }}",
    "=1+1",
    "é日本🦆",
    "\u202eabc",
    "nan",
    "1e999",
    "true",
    "transformers",
    "full",
    "~",
    "C:\\x",
    "a\nb",
    "%s%n",
    "${HOME}",
]
VALUES = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63,
    10**30,
    0.0,
    -0.5,
    1e308,
    5e-324,
    [],
    {},
    [[]],
    {"a": {}},
    [None],
    ["x"],
    [1, 2],
]


def places(value, path=()):
    """Return the path of every node of a JSON value."""
    found, pending = [], [(value, path)]
    while pending:
        node, here = pending.pop()
        found.append(here)
        children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        pending.extend((child, (*here, key)) for key, child in children)
    return found


def at(value, path):
    """Return the node at a path."""
    for key in path:
        value = value[key]
    return value


def something(rnd, whole):
    """Return a random value: hostile, of the wrong type, deeply nested, or copied from another node of `whole`."""
    kind = rnd.randrange(5)
    if kind == 0:
        return rnd.choice(HOSTILE)
    if kind == 1:
        return deepcopy(at(whole, rnd.choice(places(whole))))
    if kind == 2 and rnd.random() < 0.1:
        deep = []
        for _ in range(rnd.choice([5, 100, 3000])):
            deep = [deep]
        return deep
    return deepcopy(rnd.choice(VALUES))


def change_table(rnd, whole):
    """Return a copy of a JSON value with one to three nodes changed."""
    whole = deepcopy(whole)
    for _ in range(rnd.randint(1, 3)):
        path = rnd.choice(places(whole))
        if not path:
            if rnd.random() < 0.02:
                return something(rnd, whole)
            continue
        parent, key = at(whole, path[:-1]), path[-1]
        act = rnd.randrange(6)
        if act == 0:
            del parent[key]
        elif act == 1 and isinstance(parent, dict):
            parent[rnd.choice(HOSTILE)] = parent.pop(key)
        elif act == 2 and isinstance(parent, list):
            parent.extend(deepcopy(parent[key]) for _ in range(rnd.choice([1, 3, 30])))
        elif act == 3 and isinstance(parent[key], str):
            parent[key] = parent[key] + rnd.choice(HOSTILE)
        elif act == 3 and type(parent[key]) in (int, float):
            parent[key] = parent[key] * rnd.choice([-1, 0, 10**6, 1e300])
        else:
            parent[key] = something(rnd, whole)
    return whole


def change_bytes(rnd, content):
    """Return the bytes with some flipped, cut, repeated, inserted or replaced."""
    content = bytearray(content)
    for _ in range(rnd.randint(1, 4)):
        if not content:
            break
        begin = rnd.randrange(len(content))
        end = min(len(content), begin + rnd.choice([1, 2, 8, 100]))
        act = rnd.randrange(6)
        if act == 0:
            content[begin] ^= 1 << rnd.randrange(8)
        elif act == 1:
            del content[begin:end]
        elif act == 2:
            content[begin:begin] = content[begin:end] * rnd.choice([1, 50])
        elif act == 3:
            content[begin:begin] = rnd.choice(
                [b"\x00", b"\xff\xfe", b"\n", b'"', b",", b"]", b"{", b"\xef\xbb\xbf", b"'''", b"\r", b"a." * 200]
            )
        elif act == 4 and rnd.random() < 0.3:
            del content[begin:]
        else:
            content[begin:end] = bytes(rnd.randrange(256) for _ in range(end - begin))
    return bytes(content)


def change_json(rnd, text):
    """Return a JSON document with a changed structure or changed bytes."""
    if rnd.random() < 0.25:
        return change_bytes(rnd, text.encode())
    try:
        changed = json.dumps(change_table(rnd, json.loads(text)))
    except (ValueError, RecursionError):  # invalid after an earlier change, or too deep to serialise
        return change_bytes(rnd, text.encode())
    if rnd.random() < 0.1:
        changed = changed.replace(
            rnd.choice(["1", "0", '"', "null"]), rnd.choice(["NaN", "1e999", "Infinity", '"\\ud800', "9" * 400]), 1
        )
    return changed.encode()


def change_toml(rnd, text):
    """Return a TOML document with a changed structure or changed bytes."""
    if rnd.random() < 0.35:
        return change_bytes(rnd, text.encode())
    try:
        return tomli_w.dumps(change_table(rnd, tomllib.loads(text))).encode("utf-8", "surrogatepass")
    except (TypeError, AttributeError, RecursionError, ValueError):
        return change_bytes(rnd, text.encode())
