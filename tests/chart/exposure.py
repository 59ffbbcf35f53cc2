"""Types of the values by which a release is reached from outside; schema.py adds them to the others.

Belongs here: what a default can't tell of Services, routes, Jupyter. Never here: descriptions, which are values.yaml's.
"""

from __future__ import annotations

from tests.chart import forms
from tests.chart.forms import Schema

_BETWEEN = "[-A-Za-z0-9_~][-.A-Za-z0-9_~]*"


def _or(empty: str | None, form: Schema) -> Schema:
    """A form, or nothing."""
    if empty is None:
        return {"oneOf": [form, {"type": "null"}]}
    return {**form, "pattern": f"^$|{form['pattern']}"}


#: Where Kubernetes has them unless its own settings say otherwise.
_NODE_PORT = _or(None, forms.number(30000, 32767))
_NAME = _or("", forms.SUBDOMAIN)
#: A host as routes have it: no address, and its first label may stand for any.
_HOST = {**forms.text(rf"^(\*\.)?{forms.DOMAIN}$", 253), "not": {"pattern": r"^[0-9.]+$"}}
_HOSTS = forms.several(_HOST, uniqueItems=True)
#: A path without what a URL would have to quote.
_PREFIX = forms.text(f"^(/?{_BETWEEN}(/{_BETWEEN})*/?)?$", 200)
_REFERENCE = {
    "group": ({"type": "string"}, "API group of its kind."),
    "kind": ({"type": "string"}, "Its kind; Gateway where none is said."),
    "namespace": (forms.LABEL, "Its namespace; the release's where none is said."),
    "name": (forms.SUBDOMAIN, "Its name."),
    "sectionName": (forms.SUBDOMAIN, "Name of a listener of it."),
    "port": (forms.PORT, "Port of a listener of it."),
}

#: As in schema.py, by the end of a key's path.
TYPES: dict[str, Schema] = {
    "webUI.serviceType": forms.words("", "ClusterIP", "NodePort", "LoadBalancer"),
    "service.nodePort": _NODE_PORT,
    "healthCheckNodePort": _NODE_PORT,
    "clusterIP": forms.words("", "None"),
    "ipFamilies": forms.several(forms.words("IPv4", "IPv6"), uniqueItems=True),
    "ipFamilyPolicy": forms.words("", "SingleStack", "PreferDualStack", "RequireDualStack"),
    "externalTrafficPolicy": forms.words("", "Cluster", "Local"),
    "internalTrafficPolicy": forms.words("", "Cluster", "Local"),
    "loadBalancerClass": _or("", forms.KEY),
    "loadBalancerSourceRanges": forms.several(forms.CIDR),
    "allocateLoadBalancerNodePorts": {"type": ["boolean", "null"]},
    "sessionAffinity": forms.words("", "None", "ClientIP"),
    "sessionAffinityTimeout": _or(None, forms.number(1, 86400)),
    "webUI.prefix": _PREFIX,
    "webUI.link": forms.text(r"^((https?|\{scheme\})://([^{}\s]|\{host\}|\{port\})+)?$"),
    "ingress.hosts": _HOSTS,
    "ingress.path": {**forms.text(r"^(/[!-~]*)?$"), "not": {"pattern": r"//|/\.\.?(/|$)|%2[fF]"}},
    "ingress.className": _NAME,
    "pathType": forms.words("Prefix", "Exact", "ImplementationSpecific"),
    "hostnames": _HOSTS,
    "filters": forms.several({"type": "object"}),
    "parentRefs": forms.several(
        {
            "type": "object",
            "properties": {name: {**form, "description": said} for name, (form, said) in _REFERENCE.items()},
            "required": ["name"],
            "additionalProperties": False,
        }
    ),
    "jupyter.baseUrl": _PREFIX,
    "jupyter.home": forms.ABSOLUTE,
    "token.key": forms.FILE_KEY,
    "persistence.existingClaim": _NAME,
    "persistence.storageClassName": _NAME,
    "persistence.size": forms.STORAGE,
    "accessMode": forms.words("ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"),
}
