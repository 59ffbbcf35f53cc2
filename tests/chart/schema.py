"""Generates chart/values.schema.json from chart/values.yaml: `python -m tests.chart.schema [--check]`.

Belongs here: types that a default can't tell. Never here: descriptions (the `# --` comments of values.yaml are the
one place of those). Every level is closed, but for Kubernetes' own free-form objects.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.chart import exposure

CHART = Path(__file__).parents[2] / "chart"
VALUES, SCHEMA = CHART / "values.yaml", CHART / "values.schema.json"

# [eE][0-9]+ comes first: some builds of Helm miss it behind E (129e6).
_QUANTITY = r"^[0-9]+(\.[0-9]+)?([eE][0-9]+|m|[kMGTPE]|[KMGTPE]i)?$"
_AMOUNT = {"oneOf": [{"type": "string", "pattern": _QUANTITY}, {"type": "number", "exclusiveMinimum": 0}]}
_AMOUNTS = {"type": "object", "additionalProperties": {**_AMOUNT, "description": "A quantity such as 500m, 2 or 6Gi."}}
_OBJECT = {"type": "object"}
_OBJECTS = {"type": "array", "items": {"type": "object"}}
_STRINGS = {"type": "object", "additionalProperties": {"type": "string"}}
_PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
#: What Dask reads as a span of time: 30, "30s", "5 minutes", "1h"; the second kind is never 0.
_UNIT = " *(ms|s|m|h|d|w|milliseconds?|seconds?|minutes?|hours?|days?|weeks?)?$"
_SPAN = {"oneOf": [{"type": "string", "pattern": rf"^[0-9]+(\.[0-9]+)?{_UNIT}"}, {"type": "number", "minimum": 0}]}
_TIME = {
    "oneOf": [
        {"type": "string", "pattern": rf"^[0-9.]*[1-9][0-9.]*{_UNIT}"},
        {"type": "number", "exclusiveMinimum": 0},
    ]
}
_DURATION = {"oneOf": [{"type": "null"}, *_TIME["oneOf"]]}
#: A part of a Deployment's name.
_GROUP_NAME = "^[a-z]([-a-z0-9]{0,18}[a-z0-9])?$"
_OPTIONAL_OBJECT = {"type": ["object", "null"]}
_WORDS = {"type": "array", "items": {"type": "string"}}
_TEMPLATE = {
    "type": "object",
    "properties": {
        "metadata": {"type": "object", "description": "Labels, annotations and the like."},
        "spec": {"type": "object", "description": "Any field of the spec."},
    },
    "additionalProperties": False,
}

#: What a default can't tell, by the end of a key's path; the longest that fits wins.
TYPES: dict[str, dict[str, Any]] = {
    "nameOverride": {"type": "string", "pattern": "^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$"},
    "fullnameOverride": {"type": "string", "pattern": "^([a-z]([-a-z0-9]*[a-z0-9])?)?$"},
    "tag": {"type": "string", "pattern": r"^(\w[\w.-]{0,127})?$"},
    "digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
    "image.pullPolicy": {"enum": ["Always", "IfNotPresent", "Never", ""]},
    "image.pullSecrets": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"name": {"type": "string", "description": "Name of the Secret."}},
            "required": ["name"],
            "additionalProperties": False,
        },
    },
    "idleTimeout": _DURATION,
    "idleAction": {"enum": ["scaleToZero", "uninstall"]},
    "noClientTimeout": _DURATION,
    "ttl": _DURATION,
    "interval": _TIME,
    "targetDuration": _TIME,
    "scaleUpStabilization": _SPAN,
    "scaleDownStabilization": _SPAN,
    "groups": {"type": "object"},
    "adaptive.minimum": {"type": "integer", "minimum": 0},
    "adaptive.maximum": {"type": ["integer", "null"], "minimum": 0},
    "daskResources": {"type": "object", "additionalProperties": {"type": "number", "exclusiveMinimum": 0}},
    "scheduler.replicas": {"type": "integer"},
    "worker.replicas": {"type": ["integer", "null"], "minimum": 0},
    "secretName": {"type": "string", "pattern": "^([a-z0-9]([-.a-z0-9]*[a-z0-9])?)?$"},
    "serviceTemplate": _TEMPLATE,
    "podTemplate": _TEMPLATE,
    "container": _OBJECT,
    "podDisruptionBudget": _OBJECT,
    "command": _WORDS,
    "program": _WORDS,
    "ports": _OBJECTS,
    "matchNodePurpose": {"enum": ["prefer", "require", "ignore"]},
    "serviceType": {"enum": ["ClusterIP", "NodePort", "LoadBalancer"]},
    "servicePort": _PORT,
    **exposure.TYPES,
    "portDashboard": _PORT,
    "threads_per_worker": {"type": ["integer", "null"], "minimum": 1},
    "memory_limit": {"oneOf": [{"type": "null"}, *_AMOUNT["oneOf"]]},
    "env": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "description": "Name of the variable."},
                "value": {"type": "string", "description": "Its value; quote numbers and booleans."},
                "valueFrom": {"type": "object", "description": "Where its value comes from."},
            },
            "required": ["name"],
            "additionalProperties": False,
        },
    },
    "envFrom": _OBJECTS,
    "extraArgs": {"type": "array", "items": {"type": ["string", "number"]}},
    "resources": {
        "type": "object",
        "properties": {
            "limits": {**_AMOUNTS, "description": "Most that the container gets."},
            "requests": {**_AMOUNTS, "description": "What a node must have free for it."},
            "claims": {"type": "array", "description": "Claims of devices.", "items": {"type": "object"}},
        },
        "additionalProperties": False,
    },
    "volumes": _OBJECTS,
    "volumeMounts": _OBJECTS,
    "scratchSizeLimit": {"type": "string", "pattern": f"^$|{_QUANTITY}"},
    "initContainers": _OBJECTS,
    "extraContainers": _OBJECTS,
    "annotations": _STRINGS,
    "podLabels": _STRINGS,
    "labels": _STRINGS,
    "serviceAnnotations": _STRINGS,
    "serviceAccountAnnotations": _STRINGS,
    "tolerations": _OBJECTS,
    "affinity": _OBJECT,
    "nodeSelector": _STRINGS,
    "topologySpreadConstraints": _OBJECTS,
    "terminationGracePeriodSeconds": {"type": "integer", "minimum": 0},
    "securityContext": _OPTIONAL_OBJECT,
    "containerSecurityContext": _OPTIONAL_OBJECT,
    "strategy": _OPTIONAL_OBJECT,
    "startupProbe": _OPTIONAL_OBJECT,
    "readinessProbe": _OPTIONAL_OBJECT,
    "livenessProbe": _OPTIONAL_OBJECT,
}
_BY_DEFAULT = {bool: "boolean", int: "integer", str: "string", dict: "object", list: "array"}


def descriptions() -> dict[str, str]:
    """The `# --` comment of each key, by the key's path."""
    found: dict[str, str] = {}
    stack: list[tuple[int, str]] = []
    comment: list[str] = []
    for line in VALUES.read_text().splitlines():
        text = line.strip()
        if text.startswith("# --"):
            comment = [text[4:].strip()]
        elif text.startswith("#"):
            comment += [text[1:].strip()] if comment else []
        elif match := re.match(r"^( *)([\w.-]+):", line):
            depth = len(match[1])
            stack = [item for item in stack if item[0] < depth] + [(depth, match[2])]
            found[".".join(name for _, name in stack)] = " ".join(comment)
            comment = []
    return found


def generate() -> str:
    """The schema's text."""
    values = yaml.safe_load(VALUES.read_text())
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the Dask chart",
        "type": "object",
        "properties": {name: _property(name, value, descriptions()) for name, value in values.items()},
        "additionalProperties": False,
    }
    worker = schema["properties"]["worker"]["properties"]
    worker["groups"] |= _groups({name: item for name, item in worker.items() if name != "groups"})
    schema["properties"]["global"] = {"type": "object", "description": "Values that Helm shares with parent charts."}
    return json.dumps(schema, indent=2) + "\n"


def _groups(keys: dict[str, Any]) -> dict[str, Any]:
    """Worker groups have the worker's keys; null leaves one out."""
    group = {
        "description": "What differs from the worker.",
        "type": ["object", "null"],
        "properties": keys,
        "additionalProperties": False,
    }
    return {"propertyNames": {"pattern": _GROUP_NAME, "not": {"const": "default"}}, "additionalProperties": group}


def _property(path: str, value: Any, said: dict[str, str]) -> dict[str, Any]:
    described = {"description": said.get(path, "")}
    known = [end for end in TYPES if path == end or path.endswith(f".{end}")]
    if known:
        return {**described, **TYPES[max(known, key=len)]}
    if isinstance(value, dict):
        properties = {name: _property(f"{path}.{name}", item, said) for name, item in value.items()}
        return {**described, "type": "object", "properties": properties, "additionalProperties": False}
    return {**described, "type": _BY_DEFAULT[type(value)]}


def main() -> int:
    """Write the schema, or say whether the one there is stale."""
    text = generate()
    if "--check" not in sys.argv:
        SCHEMA.write_text(text)
    elif not SCHEMA.exists() or SCHEMA.read_text() != text:
        print(f"{SCHEMA.name} is stale: run `make generate`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
