"""Kubernetes' own objects inside of values, for the schema: fields and types from the OpenAPI of Kubernetes 1.34.

Belongs here: which kinds there are, and how they become schemas. Never here: what that OpenAPI leaves out and the API
server asks for all the same (kind_fields.py), the chart's own keys (schema.py), or what spans several keys
(chart/templates/_checks*.tpl).
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import kubernetes_validate

from tests.chart.forms import AMOUNT, SHARE, SHARED, Schema, number, several, when
from tests.chart.kind_fields import FIELDS, TOGETHER

VERSION = "1.34"
_DOCS = f"https://kubernetes.io/docs/reference/generated/kubernetes-api/v{VERSION}"
_CORE, _NETWORK = "io.k8s.api.core.v1.", "io.k8s.api.networking.v1."
#: What values hold of Kubernetes' own, and where it is not of the core API.
ROOTS = {
    **{
        name: _CORE + name
        for name in (
            *("Affinity", "Container", "ContainerPort", "EnvFromSource", "EnvVar", "PodSecurityContext", "Probe"),
            *("ResourceRequirements", "SecurityContext", "Toleration", "TopologySpreadConstraint", "Volume"),
            "VolumeMount",
        )
    },
    "DeploymentStrategy": "io.k8s.api.apps.v1.DeploymentStrategy",
    "LabelSelector": "io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector",
    **{name: _NETWORK + name for name in ("NetworkPolicyEgressRule", "NetworkPolicyIngressRule", "NetworkPolicyPeer")},
}
#: Kinds that are reached through maps only: as values merge, null takes a field of theirs away.
_NULLABLE = {
    *(
        "Affinity",
        "NodeAffinity",
        "NodeSelector",
        "PodAffinity",
        "PodAntiAffinity",
        "Probe",
        "ExecAction",
        "GRPCAction",
    ),
    *("HTTPGetAction", "TCPSocketAction", "SecurityContext", "PodSecurityContext", "Capabilities", "SeccompProfile"),
    *("AppArmorProfile", "SELinuxOptions", "WindowsSecurityContextOptions", "ResourceRequirements"),
    *("DeploymentStrategy", "RollingUpdateDeployment"),
}
#: Fields that are alpha in Kubernetes 1.34, kinds of volumes that CSI drivers have taken the place of, and what the
#: chart sets itself.
_LEFT_OUT = {
    "Container": ("restartPolicyRules",),
    "EnvVarSource": ("fileKeyRef",),
    "Lifecycle": ("stopSignal",),
    "Volume": (
        *("azureDisk", "flexVolume", "flocker", "gcePersistentDisk", "gitRepo", "glusterfs", "photonPersistentDisk"),
        *("portworxVolume", "quobyte", "rbd", "scaleIO", "storageos", "vsphereVolume"),
    ),
    "VolumeProjection": ("clusterTrustBundle", "podCertificate"),
    "ObjectMeta": (
        *("creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "finalizers", "generateName"),
        *("generation", "managedFields", "name", "namespace", "ownerReferences", "resourceVersion", "selfLink", "uid"),
    ),
}
_MOST = {"int32": 2**31 - 1, "int64": 2**53 - 1}

#: Only an init container that goes on beside the others has what those have.
_OF_SIDECARS = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe", "resizePolicy")
_INIT = when({"not": {"required": ["restartPolicy"]}}, {"properties": {key: {"not": {}} for key in _OF_SIDECARS}})


@functools.cache
def _openapi() -> Schema:
    folder = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / f"v{VERSION}.0-local-strict"
    return dict(json.loads((folder / "_definitions.json").read_text())["$defs"])


def definitions() -> Schema:
    """The schemas of all kinds that values hold, by their short names."""
    found: Schema = {}
    waiting = list(ROOTS.values())
    while waiting:
        full = waiting.pop()
        name = full.rpartition(".")[2]
        if name not in found:
            found[name], more = _kind(name, _openapi()[full])
            waiting += more
    found["Quantity"] = {"description": "A quantity such as 500m, 2 or 6Gi.", **AMOUNT}
    container = found["Container"]
    beside = {key: value for key, value in container["properties"].items() if key != "restartPolicy"}
    found["InitContainer"], found["Container"] = {**container, **_INIT}, {**container, "properties": beside}
    # A shared form refers to others, not to itself.
    forms = {name: {key: shared(item) for key, item in form.items()} for name, form in SHARED.items()}
    return dict(sorted({**shared({name: kind for name, kind in found.items() if kind}), **forms}.items()))


def shared(node: Any) -> Any:
    """A schema with references in the place of the forms that it shares."""
    if isinstance(node, list):
        return [shared(item) for item in node]
    if not isinstance(node, dict):
        return node
    bare = {key: item for key, item in node.items() if key != "description"}
    for name, form in SHARED.items():
        if bare == {key: item for key, item in form.items() if key != "description"}:
            described = {"description": node["description"]} if "description" in node else {}
            return {**described, "$ref": f"#/definitions/{name}"}
    return {key: shared(item) for key, item in node.items()}


def _kind(name: str, said: Schema) -> tuple[Schema, list[str]]:
    """One kind, and those that it refers to."""
    if "properties" not in said:
        return {}, []
    needed: list[str] = []
    required = set(said.get("required", ())) | set(TOGETHER.get(name, {}).get("required", ()))
    fields = {
        field: _field(f"{name}.{field}", inner, needed, nullable=name in _NULLABLE and field not in required)
        for field, inner in sorted(said["properties"].items())
        if field not in _LEFT_OUT.get(name, ())
    }
    rules = {key: rule for key, rule in TOGETHER.get(name, {}).items() if key != "required"}
    described = f"Kubernetes' {name}: {_DOCS}/#{name.lower()}-v1-core"
    kind: Schema = {"description": described, "type": "object", "properties": fields, "additionalProperties": False}
    if name in _NULLABLE:
        kind["type"] = ["object", "null"]
    if required:
        kind["required"] = sorted(required)
    return {**kind, **rules}, needed


def _field(path: str, said: Schema, needed: list[str], *, nullable: bool) -> Schema:
    own = FIELDS.get(path)
    if own is None:
        own = _plain(said, needed)
    else:
        _plain(said, needed)
    if not nullable or "$ref" in own or own == SHARE:
        return own
    if "enum" in own:
        return {"enum": [*own["enum"], None]}
    if "oneOf" in own:
        return {"oneOf": [*own["oneOf"], {"type": "null"}]}
    return {**own, "type": [own["type"], "null"]} if "type" in own else own


def _plain(said: Schema, needed: list[str]) -> Schema:
    """A field as the OpenAPI has it."""
    if "$ref" in said:
        full = said["$ref"].rpartition("/")[2]
        needed.append(full)
        return {"$ref": f"#/definitions/{full.rpartition('.')[2]}"}
    kinds = said.get("type", "object")
    (kind,) = {kinds} if isinstance(kinds, str) else set(kinds) - {"null"}
    if kind == "array":
        return several(_plain(said["items"], needed))
    if kind == "integer":
        return number(0, _MOST[said.get("format", "int64")])
    if kind == "object":
        return {"type": "object", "additionalProperties": _plain(said["additionalProperties"], needed)}
    return {"type": kind}
