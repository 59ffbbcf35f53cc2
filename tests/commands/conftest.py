"""A namespace that plays objects, and the command line in front of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.cli import main
from dask_kubernetes_helm.errors import ForbiddenError, WorkloadNotFoundError
from dask_kubernetes_helm.kubeapi import kube
from dask_kubernetes_helm.releases import ownership

OLD = "2026-01-01T00:00:00Z"


def labelled(name: str, release: str, component: str, **metadata: Any) -> dict[str, Any]:
    """Metadata of one of the chart's objects."""
    labels = {
        contract.PART_OF_LABEL: contract.PART_OF,
        contract.INSTANCE_LABEL: release,
        contract.COMPONENT_LABEL: component,
        contract.CHART_LABEL: "dask-1.2.3",
        **metadata.pop("labels", {}),
    }
    return {"name": name, "namespace": "lab", "labels": labels, "creationTimestamp": OLD, "uid": name, **metadata}


def deployment(
    release: str, component: str = "scheduler", *, replicas: int = 1, ready: int | None = None, **how: Any
) -> dict[str, Any]:
    """A Deployment, complete unless it is said to have fewer Ready pods."""
    ready = replicas if ready is None else ready
    labels = {contract.GROUP_LABEL: how.get("group", "default")} if component == "worker" else {}
    owner = [{"kind": "ConfigMap", "name": f"{release}-owner", "uid": f"{release}-owner"}] if how.get("owned") else []
    status = {"replicas": replicas, "updatedReplicas": replicas, "readyReplicas": ready, "observedGeneration": 1}
    name = f"{release}-dask-{component}" + (f"-{how['group']}" if "group" in how else "")
    metadata = labelled(name, release, component, labels=labels, generation=1, ownerReferences=owner)
    template = {"spec": {"containers": [{"name": component, "image": "dask:1", "args": how.get("args", [])}]}}
    spec = {"replicas": replicas, "template": template}
    return {"metadata": metadata, "spec": spec, "status": {**status, "conditions": how.get("conditions", [])}}


def pod(release: str, name: str, component: str = "worker", *, ready: bool = True, **status: Any) -> dict[str, Any]:
    """A pod that is Ready, or whatever its status says."""
    labels = {contract.GROUP_LABEL: "default"} if component == "worker" else {}
    conditions = [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": str(ready)}]
    running = [{"name": component, "state": {"running": {}}, "restartCount": 0}]
    return {
        "metadata": labelled(name, release, component, labels=labels),
        "spec": {"nodeName": "n1", "containers": [{"name": component, "image": "dask:1"}]},
        "status": {"conditions": conditions, "containerStatuses": running, **status},
    }


def record(
    release: str,
    status: str = "deployed",
    *,
    revision: int = 1,
    age: float = 0.0,
    owner: str = "",
    adopted: bool = False,
) -> dict[str, Any]:
    """Helm's record of a release, as metadata."""
    labels = {"owner": "helm", "name": release, "status": status, "version": str(revision)}
    labels["modifiedAt"] = str(int(time.time() - age))
    if owner:
        labels[ownership.OWNER_LABEL] = owner
    name = f"sh.helm.release.v1.{release}.v{revision}"
    metadata = {"name": name, "uid": f"{name}-uid", "labels": labels, "creationTimestamp": OLD}
    if adopted:
        metadata["ownerReferences"] = [{"kind": "ConfigMap", "name": owner, "uid": owner}]
    return {"metadata": metadata}


def owner(release: str, *, age: float = 10_000.0) -> dict[str, Any]:
    """An owner, as metadata."""
    made = datetime.fromtimestamp(time.time() - age, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"metadata": {**labelled(f"{release}-owner", release, contract.OWNER), "creationTimestamp": made}}


class Namespace:
    """Plays a namespace at the door to the API."""

    namespace = "lab"
    credentials = SimpleNamespace(server="https://api.example")
    there = True

    def __init__(self) -> None:
        self.objects: dict[str, list[dict[str, Any]]] = {}
        self.forbidden: set[str] = set()
        self.undeletable: set[str] = set()
        self.deleted: list[tuple[str, str]] = []
        self.logs: dict[str, str] = {}
        self.asked: list[dict[str, Any]] = []

    def add(self, resource: str, *items: dict[str, Any]) -> None:
        self.objects.setdefault(resource, []).extend(items)

    async def find(self, resource: str, selector: str = "") -> list[dict[str, Any]]:
        if resource in self.forbidden:
            raise ForbiddenError(f"These credentials may not list {resource} in namespace lab", cure="Ask.")
        return [item for item in self.objects.get(resource, []) if matches(item, selector)]

    metadata = find

    async def snapshot(
        self, resource: str, selector: str = "", *, fields: str = ""
    ) -> tuple[list[dict[str, Any]], str]:
        wanted = fields.removeprefix("type=")
        return [item for item in await self.find(resource, selector) if item.get("type") == wanted], "1"

    async def namespace_exists(self) -> bool:
        return self.there

    async def namespaces(self) -> list[str]:
        return ["lab", "default"]

    async def find_everywhere(self, resource: str, selector: str = "") -> list[dict[str, Any]]:
        return await self.find(resource, selector)

    async def delete(self, resource: str, name: str, uid: str) -> None:
        if resource in self.undeletable:
            raise ForbiddenError(f"These credentials may not delete {resource} {name}", cure="Ask.")
        there = [item for item in self.objects.get(resource, []) if item["metadata"]["uid"] == uid]
        if not there:
            raise WorkloadNotFoundError(f"{name} not found")
        self.objects[resource].remove(there[0])
        self.deleted.append((resource, name))

    async def log(self, pod: str, container: str, **which: Any) -> str:
        self.asked.append(which)
        return self.logs[pod]

    async def close(self) -> None:
        """Nothing is open."""


def matches(item: dict[str, Any], selector: str) -> bool:
    """Whether labels fit, as the API judges."""
    labels = item["metadata"]["labels"]
    for term in filter(None, selector.split(",")):
        key, _, value = term.partition("=")
        if key.endswith("!"):
            if labels.get(key[:-1]) == value:
                return False
        elif key not in labels or (value and labels[key] != value):
            return False
    return True


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Namespace:
    """A namespace that commands look into."""
    made = Namespace()

    async def connect(auth: Any = None, namespace: str | None = None) -> Namespace:
        made.namespace = namespace or "lab"
        return made

    monkeypatch.setattr(kube.Kube, "connect", connect)
    return made


def service(release: str, link: str = "") -> dict[str, Any]:
    """The scheduler's Service."""
    return {
        "metadata": labelled(
            f"{release}-dask", release, "scheduler", annotations={contract.LINK_ANNOTATION: link} if link else {}
        ),
        "spec": {"ports": []},
    }


@pytest.fixture
def dask(lab: Namespace) -> Namespace:
    """With a release `dask` that is ready: a scheduler and two workers."""
    lab.add("deployments", deployment("dask", owned=True), deployment("dask", "worker", replicas=2, owned=True))
    lab.add("pods", pod("dask", "s-1", "scheduler"), pod("dask", "w-1"), pod("dask", "w-2"))
    lab.add("services", service("dask"))
    lab.add("secrets", record("dask", owner="dask-owner"))
    lab.add("configmaps", owner("dask"))
    return lab


def invoke(*arguments: str, code: int = 0, text: str | None = None) -> Result:
    """A command's output; fails where it ends otherwise than it should, or with a traceback."""
    result = CliRunner().invoke(main, list(arguments), input=text)
    with contextlib.suppress(AttributeError):
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, result.output
    return result


Invoke = Callable[..., Result]
