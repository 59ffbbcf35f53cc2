"""Jupyter in a release: entered by its token only, its notebooks reach the release and make clusters at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from dask_kubernetes_helm.contract import chart_path, data_path
from tests.rig import notebook
from tests.rig.settings import Settings

from .conftest import Namespace, run, until
from .notebooks import Notebook
from .test_routes import nodes

RELEASE = "lab"
ATTACH = """
from dask_kubernetes_helm import HelmCluster, KubeCluster
from dask_kubernetes_helm.errors import ForbiddenError
from distributed import Client

with HelmCluster.from_name(quiet=True) as cluster, Client(cluster) as client:
    print(cluster.name, cluster.connection.route, client.submit(sum, [1, 2]).result(), cluster.dashboard_link)
"""
MAKE = """
with KubeCluster(n_workers=1, quiet=True) as made, Client(made) as client:
    print(made.connection.route, client.submit(sum, [1, 2, 3]).result(timeout=60))
print("LEFT")
"""
REFUSED = """
try:
    HelmCluster(quiet=True)
except ForbiddenError as error:
    print("REFUSED", "may not create/" in str(error) and "deployments.apps" in str(error))
"""


class Lab:
    """A release with Jupyter, which is reached by the nodes' port."""

    def __init__(self, namespace: Namespace, image: str, jupyter: str, node: str) -> None:
        self.namespace = namespace
        repository, _, tag = jupyter.rpartition(":")
        dask, _, version = image.rpartition(":")
        self.values: dict[str, Any] = {
            "image": {"repository": dask, "tag": version},
            "worker": {"replicas": 1},
            "jupyter": {
                "enabled": True,
                "image": {"repository": repository, "tag": tag},
                "program": ["jupyter", "server"],
                "baseUrl": "/lab",
                "serviceType": "NodePort",
                "nodeSelector": {"kubernetes.io/hostname": node},
                "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}},
            },
        }

    def apply(self, verb: str, **jupyter: Any) -> str:
        """Install or upgrade; what helm says."""
        self.values["jupyter"] |= jupyter
        files = ("--values", str(data_path("values") / "ci.yaml"), "--values", "-")
        place = ("--namespace", self.namespace.name, RELEASE, str(chart_path()))
        said = run("helm", verb, *place, *files, text=json.dumps(self.values))
        self.namespace.kubectl("rollout", "status", f"deployment/{RELEASE}-dask-jupyter", "--timeout=300s")
        return said

    def pod(self) -> dict[str, Any]:
        (found,) = self.namespace.get("pods", "app.kubernetes.io/component=jupyter")
        return found

    def notebook(self, notes: str) -> Notebook:
        """A notebook, entered by what the notes say."""
        command = notes.partition("Its token")[2].strip().splitlines()[-1].strip()
        token = run("sh", "-c", command)
        (service,) = self.namespace.get("services", "app.kubernetes.io/component=jupyter")
        host, port = next(iter(nodes().values())), service["spec"]["ports"][0]["nodePort"]
        made = Notebook(f"http://{host}:{port}/lab", token)
        until(lambda: made.status("/api") == 200)
        return made


@pytest.fixture
def lab(namespace: Namespace, image: str) -> Iterator[Lab]:
    """A release with Jupyter, in a namespace that holds pods to the Pod Security Standard "restricted"."""
    run("kubectl", "label", "namespace", namespace.name, "pod-security.kubernetes.io/enforce=restricted")
    made = Lab(namespace, image, *notebook.provide(Settings.from_environment()))
    yield made
    run("helm", "uninstall", "--namespace", namespace.name, RELEASE, "--wait")


def test_a_notebooks_life(namespace: Namespace, lab: Lab) -> None:
    """Only the token lets in; from_name and KubeCluster need no argument; an upgrade keeps token, pod and kernel."""
    notes = lab.apply("install")
    cells = lab.notebook(notes)
    assert cells.status("/api/contents") == 200
    assert cells.status("/api/contents", with_token=False) == 403
    namespace.kubectl("rollout", "status", f"deployment/{RELEASE}-dask-scheduler", "--timeout=120s")
    link = f"http://{RELEASE}-dask-scheduler.{namespace.name}.svc:8787/status"
    assert cells.run(ATTACH).split() == [RELEASE, "in-cluster", "DNS", "3", link]
    assert cells.run(MAKE).split() == ["in-cluster", "DNS", "6", "LEFT"]
    told = json.dumps(lab.pod()) + namespace.kubectl("logs", f"deployment/{RELEASE}-dask-jupyter")
    assert cells.token not in told + notes

    before = lab.pod()["metadata"]["uid"]
    later = lab.notebook(lab.apply("upgrade", rbac={"install": False}))
    assert (later.token, lab.pod()["metadata"]["uid"]) == (cells.token, before)
    # The same kernel, with less rights.
    assert cells.run(ATTACH).split()[0] == RELEASE
    assert cells.run(REFUSED).split() == ["REFUSED", "True"]
