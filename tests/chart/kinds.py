"""Kubernetes' own objects inside of values, for the schema: fields and types from the OpenAPI of Kubernetes 1.34.

Belongs here: what that OpenAPI leaves out and the API server asks for all the same (enums, ranges, forms of names,
which fields go together), so that a mistake is told by its key before anything is rendered. Never here: the chart's own
keys (schema.py), or what spans several keys (chart/templates/_checks*.tpl).
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import kubernetes_validate

Schema = dict[str, Any]

VERSION = "1.34"
_DOCS = f"https://kubernetes.io/docs/reference/generated/kubernetes-api/v{VERSION}"
_CORE = "io.k8s.api.core.v1."
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
    "PodDisruptionBudgetSpec": "io.k8s.api.policy.v1.PodDisruptionBudgetSpec",
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
    *("DeploymentStrategy", "RollingUpdateDeployment", "PodDisruptionBudgetSpec"),
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

# Forms -----------------------------------------------------------------------------------------------------


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


_PART = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DOMAIN = rf"{_PART}(\.{_PART})*"
_WORD = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_STEP = r"\.?[^./:\x00][^/:\x00]*"
LABEL = text(f"^{_PART}$", 63)
SUBDOMAIN = text(f"^{_DOMAIN}$", 253)
#: A label's or an annotation's key; of what is before the slash Kubernetes takes 253 characters.
KEY = text(rf"^({_DOMAIN}/)?{_WORD}$", 253)
VALUE = text(f"^({_WORD})?$")
PORT_NAME = text("^([a-z0-9]+-)*[a-z0-9]*[a-z][a-z0-9]*(-[a-z0-9]+)*$", 15)
FILE_KEY = text(r"^\.?[-_A-Za-z0-9][-._A-Za-z0-9]*$", 253)
VARIABLE = text("^[ -<>-~]+$")
PATH = text(f"^{_STEP}(/{_STEP})*$")
SUB_PATH = text(f"^({_STEP}(/{_STEP})*/?)?$")
ABSOLUTE = text(r"^/[^:\x00]*$")
SOMETHING = text(r"^[^\x00]*[^\s\x00][^\x00]*$")
PORT = number(1, 65535)
ID = number(0, 2**31 - 1)
MODE = number(0, 0o777)
IP = text(
    r"^(((25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(\.(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3})|[0-9a-f:]*:[0-9a-f:]*)$"
)
# [eE][0-9]+ comes first: some builds of Helm miss it behind E (129e6).
QUANTITY = r"^([0-9]{1,18}(\.[0-9]{0,9})?|\.[0-9]{1,9})([eE][+-]?[0-9]|[numkMGTPE]|[KMGTPE]i)?$"
AMOUNT: Schema = {
    "oneOf": [{"type": "string", "pattern": QUANTITY}, {"type": "number", "exclusiveMinimum": 0, "maximum": 10**15}]
}
_STORAGE = text(r"^[1-9][0-9]{0,17}(\.[0-9]{1,9})?([eE][0-9]|[kMGTPE]|[KMGTPE]i)?$")
#: Names of resources: Kubernetes' own, and those of others (nvidia.com/gpu), which have a domain.
RESOURCE = {
    **text(rf"^(cpu|memory|ephemeral-storage|hugepages-[0-9]+[KMG]i|{_DOMAIN}/{_WORD})$", 253),
    "not": {"pattern": r"kubernetes\.io/|^requests\."},
}
_PERCENT = text("^(100|[1-9]?[0-9])%$")
_SHARE: Schema = {"oneOf": [_PERCENT, number(0, 2**31 - 1), {"type": "null"}]}
_PORTS: Schema = {"oneOf": [PORT, PORT_NAME]}
_PULL = words("Always", "IfNotPresent", "Never")
_NAMED: Schema = {"required": ["name"]}
_ONE: Schema = {"minProperties": 1, "maxProperties": 1}
_IQN = text(r"^(iqn\.[0-9]{4}-[0-9]{2}\.[a-z0-9.-]*[a-z0-9](:[A-Za-z0-9.:-]+)?|eui\.[0-9A-Fa-f]{16})$")
_LUN = number(0, 255)
_LOCALHOST = when(
    has(type={"const": "Localhost"}),
    {"required": ["localhostProfile"]},
    {"not": {"required": ["localhostProfile"]}},
)
_OF_A_POD = r"metadata\.(name|namespace|uid)|metadata\.(labels|annotations)\['{key}'\]".replace(
    "{key}", f"({_DOMAIN}/)?{_WORD}"
)
_IN = has(operator=words("In", "NotIn"))
_NO_VALUES: Schema = {"properties": {"values": {"maxItems": 0}}}
_VALUES: Schema = {"required": ["values"], "properties": {"values": {"minItems": 1}}}
_COMPARED: Schema = {
    "required": ["values"],
    "properties": {"values": {"minItems": 1, "maxItems": 1, "items": {"pattern": "^-?[0-9]{1,18}$"}}},
}
_SELECTED: Schema = {"dependencies": {key: ["labelSelector"] for key in ("matchLabelKeys", "mismatchLabelKeys")}}

#: Forms that stand in one place of the schema, as each place of a pattern is read at every `helm template`.
SHARED = {
    "absolutePath": {"description": "A path that begins with a slash, without colons.", **ABSOLUTE},
    "fileKey": {"description": "A file's name: letters, digits, dashes, underscores and dots.", **FILE_KEY},
    "id": ID,
    "iscsiName": {"description": "An iSCSI name (iqn.2001-04.com.example:disk).", **_IQN},
    "key": {
        "description": "A label's or annotation's key: an optional domain and slash, then letters, digits, - _ and .",
        **KEY,
    },
    "labels": mapped(KEY, VALUE),
    "name": {"description": "A name: lower case letters, digits and dashes, at most 63 characters.", **LABEL},
    "path": {"description": "A relative path without colons and '..'.", **PATH},
    "port": PORT,
    "portName": {"description": "A port's name: lower case letters, digits, dashes; 15 at most.", **PORT_NAME},
    "portOrName": {"description": "A port's number (1 to 65535) or name.", **_PORTS},
    "share": {"description": "A number, or a percentage such as 25%.", **_SHARE},
    "something": SOMETHING,
    "subPath": {"description": "A relative path without colons and '..'.", **SUB_PATH},
    "subdomain": {"description": "A name: lower case letters, digits, dashes and dots.", **SUBDOMAIN},
    "texts": mapped(KEY, {"type": "string"}),
    "value": {"description": "A label's value: letters, digits, - _ and ., at most 63 characters.", **VALUE},
    "variable": {"description": "A variable's name: printable characters without =.", **VARIABLE},
}  # fmt: skip

#: What a field is besides what the OpenAPI says.
_FIELDS: dict[str, Schema] = {
    "AWSElasticBlockStoreVolumeSource.volumeID": SOMETHING,
    "AWSElasticBlockStoreVolumeSource.partition": number(0, 255),
    "AzureFileVolumeSource.secretName": SOMETHING,
    "AzureFileVolumeSource.shareName": SOMETHING,
    "AppArmorProfile.type": words("RuntimeDefault", "Unconfined", "Localhost"),
    "AppArmorProfile.localhostProfile": text(r"^\S(.*\S)?$", 4096),
    "Capabilities.add": several(text("^[A-Z][A-Z0-9_]*$")),
    "Capabilities.drop": several(text("^[A-Z][A-Z0-9_]*$")),
    "CephFSVolumeSource.monitors": several(SOMETHING, 1),
    "CinderVolumeSource.volumeID": SOMETHING,
    "ConfigMapEnvSource.name": SUBDOMAIN,
    "ConfigMapKeySelector.name": SUBDOMAIN,
    "ConfigMapKeySelector.key": FILE_KEY,
    "ConfigMapProjection.name": SUBDOMAIN,
    "ConfigMapVolumeSource.name": SUBDOMAIN,
    "ConfigMapVolumeSource.defaultMode": MODE,
    "Container.name": LABEL,
    "Container.image": text(r"^[^\s\x00]+$"),
    "Container.imagePullPolicy": _PULL,
    "Container.restartPolicy": words("Always"),
    "Container.terminationMessagePolicy": words("File", "FallbackToLogsOnError"),
    "ContainerPort.containerPort": PORT,
    "ContainerPort.hostPort": PORT,
    "ContainerPort.hostIP": IP,
    "ContainerPort.name": PORT_NAME,
    "ContainerPort.protocol": words("TCP", "UDP", "SCTP"),
    "ContainerResizePolicy.resourceName": words("cpu", "memory"),
    "ContainerResizePolicy.restartPolicy": words("NotRequired", "RestartContainer"),
    "CSIVolumeSource.driver": text(f"^{_DOMAIN}$", 63),
    "DeploymentStrategy.type": words("RollingUpdate", "Recreate"),
    "DownwardAPIVolumeFile.fieldRef": {
        "type": "object",
        "properties": {
            "apiVersion": words("v1"),
            "fieldPath": text(rf"^(metadata\.(labels|annotations)|{_OF_A_POD})$"),
        },
        "required": ["fieldPath"],
        "additionalProperties": False,
    },
    "DownwardAPIVolumeFile.mode": MODE,
    "DownwardAPIVolumeFile.path": PATH,
    "DownwardAPIVolumeSource.defaultMode": MODE,
    "EmptyDirVolumeSource.medium": text("^(Memory|HugePages(-[0-9]+[KMG]i)?)?$"),
    "EnvFromSource.prefix": text("^[ -<>-~]*$"),
    "EnvVar.name": VARIABLE,
    "ExecAction.command": several({"type": "string"}, 1),
    "FCVolumeSource.lun": _LUN,
    "FCVolumeSource.targetWWNs": several(SOMETHING, 1),
    "FCVolumeSource.wwids": several(SOMETHING, 1),
    "GRPCAction.port": PORT,
    "HTTPGetAction.port": _PORTS,
    "HTTPGetAction.scheme": words("HTTP", "HTTPS"),
    "HTTPHeader.name": text("^[-A-Za-z0-9]+$"),
    "HostPathVolumeSource.path": text(rf"^/?({_STEP}(/{_STEP})*/?)?$"),
    "HostPathVolumeSource.type": words(
        *("", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice")
    ),
    "ImageVolumeSource.pullPolicy": _PULL,
    "ImageVolumeSource.reference": text(r"^[^\s\x00]+$"),
    "ISCSIVolumeSource.targetPortal": SOMETHING,
    "ISCSIVolumeSource.iqn": _IQN,
    "ISCSIVolumeSource.initiatorName": _IQN,
    "ISCSIVolumeSource.lun": _LUN,
    "KeyToPath.key": FILE_KEY,
    "KeyToPath.mode": MODE,
    "KeyToPath.path": PATH,
    "LabelSelector.matchLabels": mapped(KEY, VALUE),
    "LabelSelectorRequirement.key": KEY,
    "LabelSelectorRequirement.operator": words("In", "NotIn", "Exists", "DoesNotExist"),
    "LabelSelectorRequirement.values": several(VALUE),
    "LocalObjectReference.name": SUBDOMAIN,
    "NFSVolumeSource.server": SOMETHING,
    "NFSVolumeSource.path": ABSOLUTE,
    "NodeSelector.nodeSelectorTerms": several({"$ref": "#/definitions/NodeSelectorTerm"}),
    "NodeSelectorRequirement.key": KEY,
    "NodeSelectorRequirement.operator": words("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"),
    "NodeSelectorRequirement.values": several(VALUE),
    "NodeSelectorTerm.matchFields": several({
        "type": "object",
        "properties": {
            "key": words("metadata.name"),
            "operator": words("In", "NotIn"),
            "values": several(SUBDOMAIN, 1, maxItems=1),
        },
        "required": ["key", "operator", "values"],
        "additionalProperties": False,
    }),
    "ObjectFieldSelector.apiVersion": words("v1"),
    "ObjectFieldSelector.fieldPath": text(
        rf"^(spec\.(nodeName|serviceAccountName)|status\.(hostIPs?|podIPs?)|{_OF_A_POD})$"
    ),
    "ObjectMeta.annotations": mapped(KEY, {"type": "string"}),
    "ObjectMeta.labels": mapped(KEY, VALUE),
    "PersistentVolumeClaimSpec.accessModes": several(
        words("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"), 1, uniqueItems=True
    ),
    "PersistentVolumeClaimSpec.storageClassName": text(f"^({_DOMAIN})?$", 253),
    "PersistentVolumeClaimSpec.volumeAttributesClassName": SUBDOMAIN,
    "PersistentVolumeClaimSpec.volumeMode": words("Filesystem", "Block"),
    "PersistentVolumeClaimVolumeSource.claimName": SUBDOMAIN,
    "PodAffinityTerm.matchLabelKeys": several(KEY, uniqueItems=True),
    "PodAffinityTerm.mismatchLabelKeys": several(KEY, uniqueItems=True),
    "PodAffinityTerm.namespaces": several(LABEL),
    "PodAffinityTerm.topologyKey": KEY,
    "PodDisruptionBudgetSpec.maxUnavailable": _SHARE,
    "PodDisruptionBudgetSpec.minAvailable": _SHARE,
    "PodDisruptionBudgetSpec.unhealthyPodEvictionPolicy": words("IfHealthyBudget", "AlwaysAllow"),
    "PodSecurityContext.fsGroup": ID,
    "PodSecurityContext.fsGroupChangePolicy": words("OnRootMismatch", "Always"),
    "PodSecurityContext.runAsGroup": ID,
    "PodSecurityContext.runAsUser": ID,
    "PodSecurityContext.seLinuxChangePolicy": words("Recursive", "MountOption"),
    "PodSecurityContext.supplementalGroups": several(ID),
    "PodSecurityContext.supplementalGroupsPolicy": words("Merge", "Strict"),
    "PreferredSchedulingTerm.weight": number(1, 100),
    "Probe.terminationGracePeriodSeconds": number(1, 2**31 - 1),
    "ProjectedVolumeSource.defaultMode": MODE,
    "ResourceClaim.name": LABEL,
    "ResourceClaim.request": LABEL,
    "ResourceFieldSelector.containerName": LABEL,
    "ResourceFieldSelector.resource": text(
        r"^(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-[0-9]+[KMG]i)$"
    ),
    "ResourceFieldSelector.divisor": words(
        *("0", "1", "1m", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")
    ),
    "ResourceRequirements.limits": mapped(RESOURCE, {"$ref": "#/definitions/Quantity"}),
    "ResourceRequirements.requests": mapped(RESOURCE, {"$ref": "#/definitions/Quantity"}),
    "RollingUpdateDeployment.maxSurge": _SHARE,
    "RollingUpdateDeployment.maxUnavailable": _SHARE,
    "SeccompProfile.localhostProfile": PATH,
    "SeccompProfile.type": words("RuntimeDefault", "Unconfined", "Localhost"),
    "SecretEnvSource.name": SUBDOMAIN,
    "SecretKeySelector.name": SUBDOMAIN,
    "SecretKeySelector.key": FILE_KEY,
    "SecretProjection.name": SUBDOMAIN,
    "SecretVolumeSource.defaultMode": MODE,
    "SecretVolumeSource.secretName": SUBDOMAIN,
    "SecurityContext.procMount": words("Default"),
    "SecurityContext.runAsGroup": ID,
    "SecurityContext.runAsUser": ID,
    "ServiceAccountTokenProjection.expirationSeconds": number(600, 2**32 - 1),
    "ServiceAccountTokenProjection.path": PATH,
    "SleepAction.seconds": number(1, 2**31 - 1),
    "Sysctl.name": text("^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$", 253),
    "TCPSocketAction.port": _PORTS,
    "Toleration.effect": words("NoSchedule", "PreferNoSchedule", "NoExecute", ""),
    "Toleration.key": {**KEY, "pattern": f"^(({_DOMAIN}/)?{_WORD})?$"},
    "Toleration.operator": words("Equal", "Exists", ""),
    "Toleration.value": VALUE,
    "TopologySpreadConstraint.matchLabelKeys": several(KEY, uniqueItems=True),
    "TopologySpreadConstraint.maxSkew": number(1, 2**31 - 1),
    "TopologySpreadConstraint.minDomains": number(1, 2**31 - 1),
    "TopologySpreadConstraint.nodeAffinityPolicy": words("Honor", "Ignore"),
    "TopologySpreadConstraint.nodeTaintsPolicy": words("Honor", "Ignore"),
    "TopologySpreadConstraint.topologyKey": KEY,
    "TopologySpreadConstraint.whenUnsatisfiable": words("DoNotSchedule", "ScheduleAnyway"),
    "TypedLocalObjectReference.apiGroup": SUBDOMAIN,
    "TypedLocalObjectReference.kind": SOMETHING,
    "TypedLocalObjectReference.name": SUBDOMAIN,
    "TypedObjectReference.apiGroup": SUBDOMAIN,
    "TypedObjectReference.kind": SOMETHING,
    "TypedObjectReference.name": SUBDOMAIN,
    "TypedObjectReference.namespace": LABEL,
    "Volume.name": LABEL,
    "VolumeDevice.devicePath": ABSOLUTE,
    "VolumeDevice.name": LABEL,
    "VolumeMount.mountPath": ABSOLUTE,
    "VolumeMount.mountPropagation": words("None", "HostToContainer", "Bidirectional"),
    "VolumeMount.name": LABEL,
    "VolumeMount.recursiveReadOnly": words("Disabled", "IfPossible", "Enabled"),
    "VolumeMount.subPath": SUB_PATH,
    "VolumeMount.subPathExpr": SUB_PATH,
    "VolumeResourceRequirements.limits": {
        "type": "object", "properties": {"storage": _STORAGE}, "additionalProperties": False
    },
    "VolumeResourceRequirements.requests": {
        "type": "object", "properties": {"storage": _STORAGE}, "required": ["storage"], "additionalProperties": False
    },
    "WeightedPodAffinityTerm.weight": number(1, 100),
    "WindowsSecurityContextOptions.gmsaCredentialSpec": text(r"^[^\x00]+$", 65536),
    "WindowsSecurityContextOptions.gmsaCredentialSpecName": SUBDOMAIN,
    "WindowsSecurityContextOptions.hostProcess": {"const": False},
    "WindowsSecurityContextOptions.runAsUserName": text(
        r"^([A-Za-z0-9][A-Za-z0-9-]{0,13}\\)?[A-Za-z0-9][A-Za-z0-9 _-]{0,19}$"
    ),
}  # fmt: skip

#: What fields of a kind are to each other.
_TOGETHER: dict[str, Schema] = {
    "AppArmorProfile": _LOCALHOST,
    "ConfigMapEnvSource": _NAMED,
    "ConfigMapKeySelector": {"required": ["key", "name"]},
    "ConfigMapProjection": _NAMED,
    "ConfigMapVolumeSource": _NAMED,
    "Container": {"required": ["name", "image"]},
    "DownwardAPIVolumeFile": {"oneOf": [{"required": ["fieldRef"]}, {"required": ["resourceFieldRef"]}]},
    "EnvFromSource": {"oneOf": [{"required": ["configMapRef"]}, {"required": ["secretRef"]}]},
    "EnvVar": {"maxProperties": 2},
    "EnvVarSource": _ONE,
    "EphemeralVolumeSource": {"required": ["volumeClaimTemplate"]},
    "ExecAction": {"required": ["command"]},
    "FCVolumeSource": {"oneOf": [{"required": ["targetWWNs", "lun"], "not": {"required": ["wwids"]}},
                                 {"required": ["wwids"], "not": {"required": ["targetWWNs"]}}]},
    "ImageVolumeSource": {"required": ["reference"]},
    "ISCSIVolumeSource": {"allOf": [
        when(has(**{key: {"const": True}}), {"required": ["secretRef"]})
        for key in ("chapAuthDiscovery", "chapAuthSession")
    ]},
    "LabelSelectorRequirement": when(_IN, _VALUES, _NO_VALUES),
    "LifecycleHandler": _ONE,
    "LocalObjectReference": _NAMED,
    "NodeSelectorRequirement": {"allOf": [
        when(_IN, _VALUES),
        when(has(operator=words("Exists", "DoesNotExist")), _NO_VALUES),
        when(has(operator=words("Gt", "Lt")), _COMPARED),
    ]},
    "PersistentVolumeClaimSpec": {"required": ["accessModes", "resources"], "allOf": [
        when(
            has(accessModes={"contains": {"const": "ReadWriteOncePod"}}),
            {"properties": {"accessModes": {"maxItems": 1}}},
        ),
        {"not": {"required": ["dataSource", "dataSourceRef"]}},
    ]},
    "PodAffinityTerm": _SELECTED,
    "PodDisruptionBudgetSpec": {"not": {"required": ["minAvailable", "maxUnavailable"]}},
    "ResourceFieldSelector": when(
        has(resource={"pattern": r"\.cpu$"}),
        {"properties": {"divisor": words("0", "1", "1m")}},
        {"properties": {"divisor": {"not": words("1m")}}},
    ),
    "SeccompProfile": _LOCALHOST,
    "SecretEnvSource": _NAMED,
    "SecretKeySelector": {"required": ["key", "name"]},
    "SecretProjection": _NAMED,
    "SecretVolumeSource": {"required": ["secretName"]},
    "Toleration": {"allOf": [
        when({"not": has(key={"minLength": 1})}, has(operator={"const": "Exists"})),
        when(has(operator={"const": "Exists"}), {"properties": {"value": {"maxLength": 0}}}),
        when({"required": ["tolerationSeconds"]}, has(effect={"const": "NoExecute"})),
    ]},
    "TopologySpreadConstraint": when({"required": ["minDomains"]}, has(whenUnsatisfiable={"const": "DoNotSchedule"})),
    "TypedLocalObjectReference": when(has(kind={"const": "PersistentVolumeClaim"}), {}, {"required": ["apiGroup"]}),
    "TypedObjectReference": when(has(kind={"const": "PersistentVolumeClaim"}), {}, {"required": ["apiGroup"]}),
    "Volume": {"maxProperties": 2},
    "VolumeMount": {"allOf": [
        {"not": {"required": ["subPath", "subPathExpr"]}},
        when(
            has(recursiveReadOnly=words("IfPossible", "Enabled")),
            {**has(readOnly={"const": True}), "properties": {
                "readOnly": {"const": True}, "mountPropagation": {"const": "None"}
            }},
        ),
    ]},
    "VolumeProjection": _ONE,
    "VolumeResourceRequirements": {"required": ["requests"]},
}  # fmt: skip
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
    required = set(said.get("required", ())) | set(_TOGETHER.get(name, {}).get("required", ()))
    fields = {
        field: _field(f"{name}.{field}", inner, needed, nullable=name in _NULLABLE and field not in required)
        for field, inner in sorted(said["properties"].items())
        if field not in _LEFT_OUT.get(name, ())
    }
    rules = {key: rule for key, rule in _TOGETHER.get(name, {}).items() if key != "required"}
    described = f"Kubernetes' {name}: {_DOCS}/#{name.lower()}-v1-core"
    kind: Schema = {"description": described, "type": "object", "properties": fields, "additionalProperties": False}
    if name in _NULLABLE:
        kind["type"] = ["object", "null"]
    if required:
        kind["required"] = sorted(required)
    return {**kind, **rules}, needed


def _field(path: str, said: Schema, needed: list[str], *, nullable: bool) -> Schema:
    own = _FIELDS.get(path)
    if own is None:
        own = _plain(said, needed)
    else:
        _plain(said, needed)
    if not nullable or "$ref" in own or own == _SHARE:
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
