"""Generates chart/values.schema.json from chart/values.yaml: `python -m tests.chart.schema [--check]`.

Belongs here: types that a default can't tell. Never here: descriptions (the `# --` comments of values.yaml are the
one place of those), or Kubernetes' own objects (kinds.py). Every level is closed, but for the overlays.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from tests.chart import exposure, forms, kinds, monitoring

CHART = Path(__file__).parents[2] / "chart"
VALUES, SCHEMA = CHART / "values.yaml", CHART / "values.schema.json"

_QUANTITY, _AMOUNT = forms.QUANTITY, forms.AMOUNT
_STRINGS = forms.mapped(forms.KEY, {"type": "string"})
_LABELS = forms.mapped(forms.KEY, forms.VALUE)
_PORT = forms.PORT
_OPTIONAL_NAME = {**forms.SUBDOMAIN, "pattern": f"^$|{forms.SUBDOMAIN['pattern']}"}
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
_WORDS = {"type": "array", "items": {"type": "string"}}
_PACKAGES = {"type": "array", "items": {"type": "string", "pattern": r"^\S+$"}}
_TEMPLATE = {
    "type": "object",
    "properties": {
        "metadata": {"type": "object", "description": "Labels, annotations and the like."},
        "spec": {"type": "object", "description": "Any field of the spec."},
    },
    "additionalProperties": False,
}


def _kind(name: str) -> dict[str, Any]:
    """An object of Kubernetes' own."""
    return {"$ref": f"#/definitions/{name}"}


def _kinds(name: str) -> dict[str, Any]:
    return forms.several(_kind(name))


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
            "properties": {"name": {**forms.SUBDOMAIN, "description": "Name of the Secret."}},
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
    "daskResources": forms.mapped(forms.text(r"^[^\s=,\x00]+$"), {"type": "number", "exclusiveMinimum": 0}),
    "scheduler.replicas": {"type": "integer"},
    "worker.replicas": {"type": ["integer", "null"], "minimum": 0},
    "secretName": _OPTIONAL_NAME,
    "serviceAccountName": _OPTIONAL_NAME,
    "priorityClassName": _OPTIONAL_NAME,
    "owner.name": _OPTIONAL_NAME,
    "repository": {"type": "string", "pattern": r"^([A-Za-z0-9][A-Za-z0-9._/:-]*)?$"},
    "keys.ca": forms.FILE_KEY,
    "keys.schedulerCert": forms.FILE_KEY,
    "keys.schedulerKey": forms.FILE_KEY,
    "keys.workerCert": forms.FILE_KEY,
    "keys.workerKey": forms.FILE_KEY,
    "validityDays": forms.number(1, 36500),
    "issuerRef": {
        "type": "object",
        "properties": {
            "name": {**forms.SUBDOMAIN, "description": "Name of the issuer."},
            "kind": {**forms.SOMETHING, "description": "Issuer (which is the default) or ClusterIssuer."},
            "group": {**forms.SUBDOMAIN, "description": "cert-manager.io, unless the issuer is somebody else's."},
        },
        "additionalProperties": False,
    },
    "certManager.duration": {"type": "string", "pattern": "^([0-9]+(h|m|s))+$"},
    "certManager.renewBefore": {"type": "string", "pattern": "^([0-9]+(h|m|s))+$"},
    "serviceTemplate": _TEMPLATE,
    "podTemplate": _TEMPLATE,
    "container": {"type": "object"},
    "minAvailable": forms.SHARE,
    "podDisruptionBudget.maxUnavailable": forms.SHARE,
    "unhealthyPodEvictionPolicy": forms.words("AlwaysAllow", "IfHealthyBudget"),
    "client.label": {**forms.KEY, "pattern": f"^$|{forms.KEY['pattern']}"},
    "namespaceSelector": {"oneOf": [_kind("LabelSelector"), {"type": "null"}]},
    "client.from": _kinds("NetworkPolicyPeer"),
    "client.outside": forms.several(forms.CIDR),
    "dashboard.from": _kinds("NetworkPolicyPeer"),
    "jupyter.from": _kinds("NetworkPolicyPeer"),
    "metrics.from": _kinds("NetworkPolicyPeer"),
    "ingress.scheduler": _kinds("NetworkPolicyIngressRule"),
    "ingress.worker": _kinds("NetworkPolicyIngressRule"),
    "egress.rules": _kinds("NetworkPolicyEgressRule"),
    "dns.to": _kinds("NetworkPolicyPeer"),
    "dns.ports": forms.several(_PORT, 1),
    "apiServer.to": _kinds("NetworkPolicyPeer"),
    "apiServer.ports": forms.several(_PORT, 1),
    "command": _WORDS,
    "program": _WORDS,
    "ports": _kinds("ContainerPort"),
    "matchNodePurpose": {"enum": ["prefer", "require", "ignore"]},
    "serviceType": {"enum": ["ClusterIP", "NodePort", "LoadBalancer"]},
    "servicePort": _PORT,
    **exposure.TYPES,
    "portDashboard": _PORT,
    "threads_per_worker": {"type": ["integer", "null"], "minimum": 1},
    "memory_limit": {"oneOf": [{"type": "null"}, *_AMOUNT["oneOf"]]},
    "extraPackages.pip": _PACKAGES,
    "extraPackages.conda": _PACKAGES,
    "extraPackages.apt": _PACKAGES,
    "env": _kinds("EnvVar"),
    "envFrom": _kinds("EnvFromSource"),
    "extraArgs": {"type": "array", "items": {"type": ["string", "number"]}},
    "resources": _kind("ResourceRequirements"),
    "volumes": _kinds("Volume"),
    "volumeMounts": _kinds("VolumeMount"),
    "scratchSizeLimit": {"type": "string", "pattern": f"^$|{_QUANTITY}"},
    "initContainers": _kinds("InitContainer"),
    "extraContainers": _kinds("Container"),
    "annotations": _STRINGS,
    "podLabels": _LABELS,
    "labels": _LABELS,
    "serviceAnnotations": _STRINGS,
    "serviceAccountAnnotations": _STRINGS,
    "tolerations": _kinds("Toleration"),
    "affinity": _kind("Affinity"),
    "nodeSelector": _LABELS,
    "topologySpreadConstraints": _kinds("TopologySpreadConstraint"),
    "terminationGracePeriodSeconds": {"type": "integer", "minimum": 0},
    "tests.timeout": {"type": "integer", "minimum": 1},
    "securityContext": _kind("PodSecurityContext"),
    "containerSecurityContext": _kind("SecurityContext"),
    "strategy": _kind("DeploymentStrategy"),
    "startupProbe": _kind("Probe"),
    "readinessProbe": _kind("Probe"),
    "livenessProbe": _kind("Probe"),
    **monitoring.TYPES,
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
        "properties": kinds.shared({name: _property(name, value, descriptions()) for name, value in values.items()}),
        "additionalProperties": False,
    }
    worker = schema["properties"]["worker"]["properties"]
    worker["groups"] |= _groups(name for name in worker if name != "groups")
    schema["properties"]["global"] = {"type": "object", "description": "Values that Helm shares with parent charts."}
    schema["definitions"] = kinds.definitions()
    return json.dumps(schema, indent=2) + "\n"


def _groups(keys: Iterable[str]) -> dict[str, Any]:
    """Worker groups have the worker's keys; null leaves one out."""
    group = {
        "description": "What differs from the worker.",
        "type": ["object", "null"],
        "properties": {key: {"$ref": f"#/properties/worker/properties/{key}"} for key in keys},
        "additionalProperties": False,
    }
    described = "A group's name: lower case letters, digits and dashes, at most 20 characters, other than default."
    names = {"description": described, "pattern": _GROUP_NAME, "not": {"const": "default"}}
    return {"propertyNames": names, "additionalProperties": group}


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
