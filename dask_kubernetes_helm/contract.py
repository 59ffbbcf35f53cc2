"""What Python may assume about the chart: labels, components, port names, value paths, and where it lies.

Belongs here: every constant that a template and a Python line must agree on. Never here: names of objects
(the chart computes those; Python finds objects by label), or anything that talks to the outside.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

#: Marks every object of this chart, whatever `nameOverride` says.
PART_OF_LABEL, PART_OF = "app.kubernetes.io/part-of", "dask-kubernetes-helm"
INSTANCE_LABEL = "app.kubernetes.io/instance"
COMPONENT_LABEL = "app.kubernetes.io/component"
CHART_LABEL = "helm.sh/chart"
GROUP_LABEL = "dask.org/worker-group"

#: On the scheduler's Service: a template of links to the dashboard.
LINK_ANNOTATION = "dask.org/dashboard-link"

SCHEDULER, WORKER, AGENT, OWNER = "scheduler", "worker", "agent", "owner"
#: The pod that notices where a scheduler outside of the release has gone.
REAPER = "reaper"
#: The Service that the dashboard may have of its own, and the notebook server.
DASHBOARD, JUPYTER = "dashboard", "jupyter"
#: The init container in which pip installs packages.
PACKAGES = "dask-packages"
#: The pod of `helm test`, which may outlive the release: it is none of what runs.
TEST = "test"
#: What Prometheus and Grafana are given.
METRICS = "metrics"
DEFAULT_GROUP = "default"

#: On the scheduler's Deployment: which Secret has a client's certificates, and under which keys.
CLIENT_TLS = "dask.org/client-tls"

#: By which the scheduler's container knows where to take lasting streams.
RELAY_VARIABLE = "DASKHELM_RELAY_PORT"

COMM_PORT, COMM_PORT_NAME = 8786, "tcp-comm"
DASHBOARD_PORT, DASHBOARD_PORT_NAME = 8787, "http-dashboard"

#: Key of the agent's settings in its ConfigMap.
SETTINGS = "settings.json"

#: How a group stands that the scheduler makes smaller; a scheduler that has restarted knows nothing of it.
EMPTYING, EMPTY, UNKNOWN = "emptying", "empty", "unknown"

#: What the agent needs; created unless `agent.enabled` is false.
RBAC = (("rbac.authorization.k8s.io", "roles"), ("rbac.authorization.k8s.io", "rolebindings"))
#: Created unless `networkPolicy.enabled` is false.
POLICIES = ("networking.k8s.io", "networkpolicies")
#: Created unless `scheduler.podDisruptionBudget.enabled` is false, and for worker groups that ask for one.
PDB = ("policy", "poddisruptionbudgets")
#: What the chart creates, as (API group, resource): what an installing user must be allowed to create.
INSTALLED = (
    ("apps", "deployments"),
    ("", "services"),
    ("", "serviceaccounts"),
    ("", "configmaps"),
    *RBAC,
    POLICIES,
    PDB,
)

#: Created where `metrics` asks for one by the key.
MONITORS = {
    key: ("monitoring.coreos.com", f"{key.lower()}s") for key in ("serviceMonitor", "podMonitor", "prometheusRule")
}

#: A pod whose label of this key has the release's name, or "true", is a client by `networkPolicy.client`.
CLIENT_LABEL = "dask.org/client"

#: Created where webUI or jupyter asks for one by the key.
ROUTES = {"ingress": ("networking.k8s.io", "ingresses"), "httpRoute": ("gateway.networking.k8s.io", "httproutes")}
#: Created where `jupyter.persistence` asks for one.
CLAIMS = ("", "persistentvolumeclaims")

_HERE = Path(__file__).parent


def selector(release: str, component: str | None = None, group: str | None = None) -> str:
    """The label selector of a release's objects.

    Examples
    --------
    >>> selector("demo", "worker")
    'app.kubernetes.io/part-of=dask-kubernetes-helm,app.kubernetes.io/instance=demo,app.kubernetes.io/component=worker'
    >>> selector("demo")
    'app.kubernetes.io/part-of=dask-kubernetes-helm,app.kubernetes.io/instance=demo,app.kubernetes.io/component!=test'
    """
    labels = {PART_OF_LABEL: PART_OF, INSTANCE_LABEL: release, COMPONENT_LABEL: component, GROUP_LABEL: group}
    terms = [f"{key}={value}" for key, value in labels.items() if value]
    return ",".join(terms if component else [*terms, f"{COMPONENT_LABEL}!={TEST}"])


def data_path(kind: str) -> Path:
    """Where `chart`, `values` or `roles` lies: inside an installed wheel, or beside the package in a checkout."""
    packed = _HERE / "_data" / kind
    return packed if packed.is_dir() else _HERE.parent / ("docs/roles" if kind == "roles" else kind)


def pod_module(name: str) -> ModuleType:
    """A module of what runs in the pods, which is a part of the chart; for what both ends have to agree on.

    Examples
    --------
    >>> pod_module("lasting").NEW
    0
    """
    folder = str(data_path("chart") / "files")
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module(f"dask_kubernetes_helm_pod.{name}")


def chart_path() -> Path:
    """The chart that this version of the package belongs to."""
    return data_path("chart")
