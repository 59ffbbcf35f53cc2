"""Types of the values by which a release is reached from outside; schema.py adds them to the others.

Belongs here: what a default can't tell of Services, routes, Jupyter. Never here: descriptions, which are values.yaml's.
"""

from __future__ import annotations

from typing import Any

_PORT = {"type": ["integer", "null"], "minimum": 1, "maximum": 65535}
_STRINGS = {"type": "object", "additionalProperties": {"type": "string"}}
_OBJECTS = {"type": "array", "items": {"type": "object"}}
_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
#: A host as routes have it; its first label may stand for any.
_HOSTS = {
    "type": "array",
    "uniqueItems": True,
    "items": {"type": "string", "maxLength": 253, "pattern": rf"^(\*\.)?{_LABEL}(\.{_LABEL})*$"},
}
_ADDRESS = "[0-9A-Fa-f.:]+"
#: A path without what a URL would have to quote.
_PREFIX = {"type": "string", "pattern": "^(/?[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*/?)?$"}
_NAME = {"type": "string", "pattern": "^([a-z0-9]([-.a-z0-9]*[a-z0-9])?)?$"}
_REFERENCE = {
    "group": "API group of its kind.",
    "kind": "Its kind; Gateway where none is said.",
    "namespace": "Its namespace; the release's where none is said.",
    "name": "Its name.",
    "sectionName": "Name of a listener of it.",
}

#: As in schema.py, by the end of a key's path.
TYPES: dict[str, dict[str, Any]] = {
    "webUI.serviceType": {"enum": ["", "ClusterIP", "NodePort", "LoadBalancer"]},
    "loadBalancerIP": {"type": "string", "pattern": f"^({_ADDRESS})?$"},
    "service.nodePort": _PORT,
    "healthCheckNodePort": _PORT,
    "clusterIP": {"type": "string", "pattern": f"^(None|{_ADDRESS})?$"},
    "ipFamilies": {"type": "array", "uniqueItems": True, "maxItems": 2, "items": {"enum": ["IPv4", "IPv6"]}},
    "ipFamilyPolicy": {"enum": ["", "SingleStack", "PreferDualStack", "RequireDualStack"]},
    "externalIPs": {"type": "array", "items": {"type": "string", "pattern": f"^{_ADDRESS}$"}},
    "externalTrafficPolicy": {"enum": ["", "Cluster", "Local"]},
    "internalTrafficPolicy": {"enum": ["", "Cluster", "Local"]},
    "loadBalancerClass": {
        "type": "string",
        "pattern": f"^({_LABEL}(\\.{_LABEL})*/)?([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$",
    },
    "loadBalancerSourceRanges": {"type": "array", "items": {"type": "string", "pattern": f"^{_ADDRESS}/[0-9]{{1,3}}$"}},
    "allocateLoadBalancerNodePorts": {"type": ["boolean", "null"]},
    "sessionAffinity": {"enum": ["", "None", "ClientIP"]},
    "sessionAffinityTimeout": {"type": ["integer", "null"], "minimum": 1, "maximum": 86400},
    "webUI.prefix": _PREFIX,
    "webUI.link": {"type": "string", "pattern": r"^((https?|\{scheme\})://([^{}\s]|\{host\}|\{port\})+)?$"},
    "ingress.hosts": _HOSTS,
    "ingress.path": {"type": "string", "pattern": "^(/.*)?$"},
    "ingress.className": _NAME,
    "ingress.tls.secretName": _NAME,
    "pathType": {"enum": ["Prefix", "Exact", "ImplementationSpecific"]},
    "hostnames": _HOSTS,
    "filters": _OBJECTS,
    "parentRefs": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                **{name: {"type": "string", "description": text} for name, text in _REFERENCE.items()},
                "port": {"type": "integer", "minimum": 1, "maximum": 65535, "description": "Port of a listener of it."},
            },
            "required": ["name"],
            "additionalProperties": False,
        },
    },
    "jupyter.baseUrl": _PREFIX,
    "jupyter.home": {"type": "string", "pattern": "^/[^:]+$"},
    "token.key": {"type": "string", "pattern": "^[-._a-zA-Z0-9]+$"},
    "persistence.existingClaim": _NAME,
    "persistence.storageClassName": _NAME,
    "persistence.size": {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?([kMGTPE]|[KMGTPE]i)?$"},
    "accessModes": {
        "type": "array",
        "minItems": 1,
        "uniqueItems": True,
        "items": {"enum": ["ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"]},
    },
}
