"""Fixtures for tests on a real Kubernetes: a fresh namespace each, and ways to look into it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dask_kubernetes_helm import HelmCluster, KubeCluster
from tests.rig import official
from tests.rig.settings import Settings

#: Kinds that a release may leave behind.
KINDS = (
    "pods,deployments,replicasets,services,configmaps,secrets,serviceaccounts,endpointslices,networkpolicies,"
    "poddisruptionbudgets"
)


def run(*command: str, text: str | None = None, **environment: str) -> str:
    """Run a command; fails the test with what it said."""
    result = subprocess.run(
        command, input=text, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    assert result.returncode == 0, f"{' '.join(command)}: {result.stderr}"
    return result.stdout


def until(reached: Callable[[], Any], timeout: float = 60) -> Any:
    """Poll until something is so; its value."""
    deadline = time.monotonic() + timeout
    while not (value := reached()):
        assert time.monotonic() < deadline, f"not reached in {timeout} s"
        time.sleep(0.1)
    return value


class Namespace:
    """A namespace and ways to look into it."""

    def __init__(self, name: str) -> None:
        self.name = name
        #: Objects that belong to no release.
        self.own = {"configmap/kube-root-ca.crt", "serviceaccount/default"}

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        return run("kubectl", "--namespace", self.name, *arguments, text=text)

    def objects(self, kinds: str = KINDS) -> set[str]:
        """Names of the objects in it, but for those that belong to no release."""
        names = self.kubectl("get", kinds, "--output=name").split()
        return set(names) - self.own

    def empties(self, timeout: float = 20, kinds: str = KINDS) -> None:
        """Wait until nothing of a release is in it: Kubernetes collects what belonged to what is gone."""
        deadline = time.monotonic() + timeout
        while left := self.objects(kinds):
            assert time.monotonic() < deadline, f"still there after {timeout} s: {sorted(left)}"
            time.sleep(0.1)

    def get(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        return list(json.loads(self.kubectl("get", kind, f"--selector={selector}", "--output=json"))["items"])

    def replicas(self, group: str = "default") -> int:
        (deployment,) = self.get("deployments", f"dask.org/worker-group={group}")
        return int(deployment["spec"]["replicas"])


@contextlib.contextmanager
def fresh_namespace(*labels: str) -> Iterator[Namespace]:
    """A fresh namespace, deleted afterwards."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    run("kubectl", "create", "namespace", name)
    if labels:
        run("kubectl", "label", "namespace", name, *labels)
    until(lambda: run("kubectl", "get", "serviceaccounts", "-n", name, "-o", "name"))
    try:
        yield Namespace(name)
    finally:
        run("kubectl", "delete", "namespace", name, "--wait=false")


def may(namespace: Namespace, account: str, verb: str, resource: str) -> None:
    """Wait until the API server knows that a service account may."""
    asked = {"namespace": namespace.name, "verb": verb, "resource": resource.partition(".")[0]}
    asked["group"] = resource.partition(".")[2]
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": f"system:serviceaccount:{namespace.name}:{account}", "resourceAttributes": asked},
    }
    ask = ("kubectl", "create", "-f", "-", "--output=jsonpath={.status.allowed}")
    until(lambda: run(*ask, text=json.dumps(review)) == "true", 10)


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """A namespace for a test of its own."""
    with fresh_namespace() as made:
        yield made


@pytest.fixture(scope="session")
def image() -> str:
    """The image that the nodes hold."""
    assert "IMAGE" in os.environ, 'IMAGE is not set: run `make test-cluster`, or eval "$(make -s env)" first'
    return os.environ["IMAGE"]


@pytest.fixture(scope="session")
def official_image() -> str:
    """The image with the official ones' contract, which the nodes are given when a test asks for it first."""
    return official.provide(Settings.from_environment())


@pytest.fixture
def make_cluster(namespace: Namespace, image: str) -> Iterator[Callable[..., HelmCluster]]:
    """Makes clusters in the namespace; those that a test leaves open are closed."""
    made = []

    def make(**arguments: Any) -> HelmCluster:
        settled = {"namespace": namespace.name, "environment": "ci", "image": image, "quiet": True, "timeout": 120}
        cluster = HelmCluster(**{**settled, **arguments})
        made.append(cluster)
        return cluster

    yield make
    for cluster in made:
        cluster.close()


def small_pod(image: str) -> dict[str, Any]:
    """A worker's pod as classic's users write it, of which ten fit two cores."""
    resources = {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}}
    arguments = ["dask-worker", "--nthreads", "1", "--memory-limit", "400MB", "--death-timeout", "60"]
    container = {"name": "dask", "image": image, "args": arguments, "resources": resources}
    return {"kind": "Pod", "metadata": {"labels": {"foo": "bar"}}, "spec": {"containers": [container]}}


@pytest.fixture
def make_classic(namespace: Namespace, image: str) -> Iterator[Callable[..., KubeCluster]]:
    """Makes classic clusters in the namespace; those that a test leaves open are closed."""
    made = []

    def make(pod_template: Any = None, **arguments: Any) -> KubeCluster:
        settled = {"namespace": namespace.name, "quiet": True, "timeout": 120}
        if arguments.get("deploy_mode") == "local":
            settled["dashboard_address"] = ":0"
        cluster = KubeCluster(pod_template or small_pod(image), **{**settled, **arguments})
        made.append(cluster)
        return cluster

    yield make
    for cluster in made:
        cluster.close()
