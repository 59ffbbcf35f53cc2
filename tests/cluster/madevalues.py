"""Values of the chart, generated from its own schema: whatever that accepts can come up, few keys at a time.

Belongs here: a strategy for any schema that chart/values.schema.json may hold. Never here: knowledge of a key, or what
must become of the values (test_generated_values.py).
"""

from __future__ import annotations

import functools
import json
import re
from typing import Any

import jsonschema
from hypothesis import strategies as st

from tests.chart import schema
from tests.chart.helm import Object

Strategy = st.SearchStrategy[Any]

SCHEMA: Object = json.loads(schema.SCHEMA.read_text())
#: Words that meet each other where they are names, and that some reader of YAML could take for something else.
STOCK = [
    *("a", "b", "data", "true", "null", "1", "1e3", "0x1f", "12:30", "no", "y", "on", "0o17", "x.y", "1.5"),
    *("A", "B_c", "HOME", "example.com/a", "example.com/null", "kubernetes.io/hostname", "cpu", "memory"),
    *("nvidia.com/gpu", "500m", "2", "6Gi", "1Gi", "0.5", "64Mi", "25%", "0%", "100%", "/a", "/a/b", "/tmp", "/dask"),
    *("metadata.name", "metadata.labels['a']", "limits.cpu", "requests.memory", "Memory", "http", "readiness", "30"),
    *("http-dashboard", "1 minute", "0.5h", "ALL", "NET_RAW", "127.0.0.1", "fd00::1", "iqn.2001-04.com.example:s"),
    *("", " ", "~", "a: b", "# a", "{{ .Values }}", "$(HOME)", "a\nb\n", " a", "\N{GRINNING FACE}", "'\"\\", "-"),
    *("=", "<<"),
    *(f"sha256:{'a' * 64}", "kernel.shm_rmid_forced", "net.ipv4.tcp_syncookies"),
]  # fmt: skip
#: So many of them come often, or names would never meet.
_FEW = 3
_CHARACTERS = st.characters(codec="utf-8", exclude_categories=["Cc", "Cn", "Cs"])
#: Most optional keys of a mapping (of one with many keys twice as many), and most items of a list.
_KEYS, _MANY, _ITEMS = 3, 20, 2


def values() -> Strategy:
    """Values that the schema accepts."""
    return _made(json.dumps(SCHEMA)).filter(_accepts(json.dumps(SCHEMA)))


@functools.cache
def _accepts(text: str) -> Any:
    """Whether a schema, given as text, accepts something."""
    whole = {**json.loads(text), "definitions": SCHEMA["definitions"]}
    validator = jsonschema.Draft7Validator(whole)

    def accepts(found: Any) -> bool:  # Hypothesis would write a method's whole schema out.
        return bool(validator.is_valid(found))

    return accepts


@functools.cache
def _made(text: str) -> Strategy:
    """A strategy for a schema, given as text."""
    node = json.loads(text)
    if "$ref" in node:
        return _made(json.dumps(_referred(node["$ref"])))
    if "const" in node:
        return st.just(node["const"])
    if "enum" in node:
        return st.sampled_from(node["enum"])
    if "type" not in node:
        return st.one_of([_made(json.dumps(one)) for one in node["oneOf"]])
    kinds = [node["type"]] if isinstance(node["type"], str) else node["type"]
    return st.one_of([_KINDS[kind](node) for kind in kinds])


def _referred(path: str) -> Any:
    node: Any = SCHEMA
    for part in path.split("/")[1:]:
        node = node[part]
    return node


def _object(node: Object) -> Strategy:
    known, needed = node.get("properties", {}), node.get("required", [])
    further = node.get("additionalProperties", False)
    if not known:
        if not isinstance(further, dict):
            return st.just({})
        keys = _made(json.dumps({"type": "string", **node.get("propertyNames", {})}))
        return st.dictionaries(keys, _made(json.dumps(further)), max_size=_ITEMS).filter(_filter(node))
    return _mapping(json.dumps(node), tuple(needed), tuple(sorted(set(known) - set(needed)))).filter(_filter(node))


@st.composite
def _mapping(draw: Any, text: str, needed: tuple[str, ...], optional: tuple[str, ...]) -> Object:
    known = json.loads(text)["properties"]
    most = _KEYS if len(optional) < _MANY else 2 * _KEYS
    chosen = draw(st.lists(st.sampled_from(optional), max_size=most, unique=True)) if optional else []
    return {key: draw(_made(json.dumps(known[key]))) for key in (*needed, *chosen)}


#: What is not true of a mapping by the way it is made.
_RULES = ("allOf", "if", "not", "oneOf", "dependencies", "minProperties", "maxProperties", "propertyNames")


def _filter(node: Object) -> Any:
    rules = {key: node[key] for key in (*_RULES, "then", "else") if key in node}
    return _accepts(json.dumps(rules)) if rules else lambda _: True


def _array(node: Object) -> Strategy:
    least = node.get("minItems", 0)
    most = max(least, min(_ITEMS, node.get("maxItems", _ITEMS)))
    found = st.lists(_made(json.dumps(node["items"])), min_size=least, max_size=most)
    return found.filter(_accepts(json.dumps({key: node[key] for key in node if key != "items"})))


def _string(node: Object) -> Strategy:
    accepts = _accepts(json.dumps(node))
    stock = [word for word in STOCK if accepts(word)]
    pattern = node.get("pattern")
    if pattern is None:
        return st.sampled_from(stock) | st.text(_CHARACTERS, max_size=9)
    free = st.from_regex(re.compile(pattern, re.ASCII)).filter(lambda found: accepts(found) and found[-1:] != "\n")
    return st.sampled_from(stock[:_FEW]) | st.sampled_from(stock) | free if stock else free


def _integer(node: Object) -> Strategy:
    least, most = node.get("minimum", 0), node.get("maximum", 2**31 - 1)
    return st.sampled_from([one for one in (least, least + 1, 1, 2, 8080, 1000, most) if least <= one <= most])


def _number(node: Object) -> Strategy:
    accepts = _accepts(json.dumps(node))
    return st.sampled_from([one for one in (0, 1, 2, 0.5, 1.5, 100, 1e9) if accepts(one)])


_KINDS = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": lambda _: st.booleans(),
    "null": lambda _: st.none(),
}
