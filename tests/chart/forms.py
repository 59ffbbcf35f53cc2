"""Forms of what Kubernetes takes: names, keys, paths, ports, quantities; and how rules are written in a schema.

Belongs here: a form that several fields have. Never here: which field has it (kind_fields.py).
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]


def text(pattern: str, most: int | None = None) -> Schema:
    return {"type": "string", "pattern": pattern, **({} if most is None else {"maxLength": most})}


def words(*allowed: str) -> Schema:
    return {"enum": list(allowed)}


def number(least: int, most: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most}


def several(item: Schema, least: int = 0, **more: Any) -> Schema:
    return {"type": "array", "items": item, **({"minItems": least} if least else {}), **more}


def mapped(keys: Schema, values: Schema) -> Schema:
    return {"type": "object", "propertyNames": keys, "additionalProperties": values}


def when(condition: Schema, then: Schema, otherwise: Schema | None = None) -> Schema:
    """One rule: what must be so where something else is."""
    return {"if": condition, "then": then, **({} if otherwise is None else {"else": otherwise})}


def has(**properties: Any) -> Schema:
    """What has all of these fields, each as it says."""
    return {"required": list(properties), "properties": properties}


PART = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
DOMAIN = rf"{PART}(\.{PART})*"
WORD = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
STEP = r"\.?[^./:\x00][^/:\x00]*"
LABEL = text(f"^{PART}$", 63)
SUBDOMAIN = text(f"^{DOMAIN}$", 253)
#: A label's or an annotation's key; of what is before the slash Kubernetes takes 253 characters.
KEY = text(rf"^({DOMAIN}/)?{WORD}$", 253)
VALUE = text(f"^({WORD})?$")
PORT_NAME = text("^([a-z0-9]+-)*[a-z0-9]*[a-z][a-z0-9]*(-[a-z0-9]+)*$", 15)
FILE_KEY = text(r"^\.?[-_A-Za-z0-9][-._A-Za-z0-9]*$", 253)
VARIABLE = text("^[ -<>-~]+$")
PATH = text(f"^{STEP}(/{STEP})*$")
SUB_PATH = text(f"^({STEP}(/{STEP})*/?)?$")
ABSOLUTE = text(r"^/[^:\x00]*$")
SOMETHING = text(r"^[^\x00]*[^\s\x00][^\x00]*$")
PORT = number(1, 65535)
ID = number(0, 2**31 - 1)
MODE = number(0, 0o777)
IP = text(
    r"^(((25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(\.(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3})|[0-9a-f:]*:[0-9a-f:]*)$"
)
CIDR = {**IP, "pattern": IP["pattern"].removesuffix("$") + "/[0-9]{1,3}$"}
# [eE][0-9]+ comes first: some builds of Helm miss it behind E (129e6).
QUANTITY = r"^([0-9]{1,18}(\.[0-9]{0,9})?|\.[0-9]{1,9})([eE][+-]?[0-9]|[numkMGTPE]|[KMGTPE]i)?$"
AMOUNT: Schema = {
    "oneOf": [{"type": "string", "pattern": QUANTITY}, {"type": "number", "exclusiveMinimum": 0, "maximum": 10**15}]
}
STORAGE = text(r"^[1-9][0-9]{0,17}(\.[0-9]{1,9})?([eE][0-9]|[kMGTPE]|[KMGTPE]i)?$")
#: Names of resources: Kubernetes' own, and those of others (nvidia.com/gpu), which have a domain.
RESOURCE = {
    **text(rf"^(cpu|memory|ephemeral-storage|hugepages-[0-9]+[KMG]i|{DOMAIN}/{WORD})$", 253),
    "not": {"pattern": r"kubernetes\.io/|^requests\."},
}
PERCENT = text("^(100|[1-9]?[0-9])%$")
SHARE: Schema = {"oneOf": [PERCENT, number(0, 2**31 - 1), {"type": "null"}]}
PORTS: Schema = {"oneOf": [PORT, PORT_NAME]}
PULL = words("Always", "IfNotPresent", "Never")
NAMED: Schema = {"required": ["name"]}
ONE: Schema = {"minProperties": 1, "maxProperties": 1}
IQN = text(r"^(iqn\.[0-9]{4}-[0-9]{2}\.[a-z0-9.-]*[a-z0-9](:[A-Za-z0-9.:-]+)?|eui\.[0-9A-Fa-f]{16})$")
LUN = number(0, 255)
LOCALHOST = when(
    has(type={"const": "Localhost"}),
    {"required": ["localhostProfile"]},
    {"not": {"required": ["localhostProfile"]}},
)
OF_A_POD = r"metadata\.(name|namespace|uid)|metadata\.(labels|annotations)\['{key}'\]".replace(
    "{key}", f"({DOMAIN}/)?{WORD}"
)
IN = has(operator=words("In", "NotIn"))
NO_VALUES: Schema = {"properties": {"values": {"maxItems": 0}}}
VALUES: Schema = {"required": ["values"], "properties": {"values": {"minItems": 1}}}
COMPARED: Schema = {
    "required": ["values"],
    "properties": {"values": {"minItems": 1, "maxItems": 1, "items": {"pattern": "^-?[0-9]{1,18}$"}}},
}
SELECTED: Schema = {"dependencies": {key: ["labelSelector"] for key in ("matchLabelKeys", "mismatchLabelKeys")}}

#: Forms that stand in one place of the schema, as each place of a pattern is read at every `helm template`.
SHARED = {
    "absolutePath": {"description": "A path that begins with a slash, without colons.", **ABSOLUTE},
    "fileKey": {"description": "A file's name: letters, digits, dashes, underscores and dots.", **FILE_KEY},
    "id": ID,
    "iscsiName": {"description": "An iSCSI name (iqn.2001-04.com.example:disk).", **IQN},
    "key": {
        "description": "A label's or annotation's key: an optional domain and slash, then letters, digits, - _ and .",
        **KEY,
    },
    "labels": mapped(KEY, VALUE),
    "name": {"description": "A name: lower case letters, digits and dashes, at most 63 characters.", **LABEL},
    "path": {"description": "A relative path without colons and '..'.", **PATH},
    "port": PORT,
    "portName": {"description": "A port's name: lower case letters, digits, dashes; 15 at most.", **PORT_NAME},
    "portOrName": {"description": "A port's number (1 to 65535) or name.", **PORTS},
    "share": {"description": "A number, or a percentage such as 25%.", **SHARE},
    "something": SOMETHING,
    "subPath": {"description": "A relative path without colons and '..'.", **SUB_PATH},
    "subdomain": {"description": "A name: lower case letters, digits, dashes and dots.", **SUBDOMAIN},
    "texts": mapped(KEY, {"type": "string"}),
    "value": {"description": "A label's value: letters, digits, - _ and ., at most 63 characters.", **VALUE},
    "variable": {"description": "A variable's name: printable characters without =.", **VARIABLE},
}  # fmt: skip
