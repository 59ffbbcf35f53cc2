"""Where the API has which kind of objects.

Belongs here: paths. Never here: requests (kube.py), or which kinds a release has (inventory.py).

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris
"""

from __future__ import annotations

_GROUPS = {
    "/api/v1": "pods services events configmaps secrets serviceaccounts persistentvolumeclaims "
    "resourcequotas limitranges",
    "/apis/apps/v1": "deployments replicasets",
    "/apis/policy/v1": "poddisruptionbudgets",
    "/apis/networking.k8s.io/v1": "networkpolicies ingresses",
    "/apis/rbac.authorization.k8s.io/v1": "roles rolebindings",
    "/apis/gateway.networking.k8s.io/v1": "httproutes",
    "/apis/monitoring.coreos.com/v1": "servicemonitors podmonitors prometheusrules",
    "/apis/cert-manager.io/v1": "certificates",
}
#: By the resource's name, with a place for the namespace.
PATHS = {name: f"{group}/namespaces/{{namespace}}/{name}" for group, names in _GROUPS.items() for name in names.split()}
