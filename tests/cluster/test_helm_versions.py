"""The chart by bare helm, 3 and 4, and Python beside it: who installs, who attaches, who upgrades."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import dask
import dask.array
import pytest
from distributed import Client

from dask_kubernetes_helm import HelmCluster

from .conftest import Namespace, run, until

HELMS = ("helm", "helm3")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The packed chart."""
    folder = tmp_path_factory.mktemp("package")
    run("helm", "package", str(ROOT / "chart"), "--destination", str(folder))
    (archive,) = folder.glob("*.tgz")
    return str(archive)


@pytest.fixture
def helm(namespace: Namespace, image: str, package: str) -> Callable[..., str]:
    """Runs a helm verb on the packed chart in the namespace."""
    repository, _, tag = image.rpartition(":")

    def call(binary: str, verb: str, release: str, *arguments: str) -> str:
        assert shutil.which(binary), f"there is no {binary} on PATH: run `make test-cluster`"
        settings = ["--namespace", namespace.name, "-f", str(ROOT / "values/ci.yaml")]
        images = ["--set", f"image.repository={repository}", "--set", f"image.tag={tag}"]
        return run(binary, verb, release, package, *settings, *images, *arguments)

    return call


@pytest.mark.parametrize("binary", HELMS)
def test_attach_to_what_helm_installed(helm, namespace: Namespace, binary: str) -> None:
    """Helm install of the packaged chart, then from_name computes 1.0, scales, and leaves the release in place."""
    notes = helm(binary, "install", "dask", "--set", "worker.replicas=1")
    assert f'HelmCluster.from_name("dask", namespace="{namespace.name}")' in notes
    with HelmCluster.from_name("dask", namespace=namespace.name, quiet=True) as cluster, Client(cluster):
        cluster.wait_for_workers(1, timeout=60)
        assert dask.array.ones((1000, 1000)).mean().compute() == 1.0
        cluster.scale(2)
        cluster.wait_for_workers(2, timeout=60)
    assert namespace.replicas() == 2
    listed = json.loads(run(binary, "list", "--namespace", namespace.name, "--output", "json"))
    assert [release["status"] for release in listed] == ["deployed"]


@pytest.mark.parametrize("installer", HELMS)
@pytest.mark.parametrize("upgrader", HELMS)
def test_an_upgrade_keeps_what_scaling_set(helm, namespace: Namespace, installer: str, upgrader: str) -> None:
    """After scale(4), a bare helm upgrade leaves 4 and a deployed release, whichever helm installed it."""
    helm(installer, "install", "kept", "--set", "worker.replicas=0")
    with HelmCluster.from_name("kept", namespace=namespace.name, quiet=True) as cluster:
        cluster.scale(4)
    notes = helm(upgrader, "upgrade", "kept", "--set", "worker.replicas=1", "--set", "worker.annotations.changed=yes")
    assert namespace.replicas() == 4
    assert "this upgrade keeps them" in notes
    namespace.kubectl("scale", "deployment/kept-dask-worker", "--replicas=0")
    helm(upgrader, "upgrade", "kept", "--set", "worker.replicas=1", "--set", "worker.annotations.changed=again")
    assert namespace.replicas() == 0


@pytest.mark.parametrize("binary", HELMS)
def test_the_values_number_counts_until_somebody_scales(helm, namespace: Namespace, binary: str) -> None:
    """worker.replicas=0 at install means 0; changing it by an upgrade works while nobody else has scaled."""
    helm(binary, "install", "ours", "--set", "worker.replicas=0")
    assert namespace.replicas() == 0
    helm(binary, "upgrade", "ours", "--set", "worker.replicas=1")
    assert namespace.replicas() == 1


@pytest.mark.parametrize("binary", HELMS)
def test_a_number_that_is_nobodys_in_the_values(helm, namespace: Namespace, binary: str) -> None:
    """worker.replicas=null leaves the number to others through upgrades, and a lost annotation stops no upgrade."""
    unset = ("--set", "worker.replicas=null")
    helm(binary, "install", "free", *unset)
    assert namespace.replicas() == 1  # Kubernetes' default
    helm(binary, "upgrade", "free", *unset)
    namespace.kubectl("scale", "deployment/free-dask-worker", "--replicas=3")
    helm(binary, "upgrade", "free", *unset)
    assert namespace.replicas() == 3
    helm(binary, "upgrade", "free", "--set", "worker.replicas=1")
    assert namespace.replicas() == 3
    namespace.kubectl("annotate", "deployment/free-dask-worker", "dask.org/replicas-given-")
    helm(binary, "upgrade", "free", "--set", "worker.replicas=2")
    assert namespace.replicas() == 3


@pytest.mark.parametrize("binary", HELMS)
def test_upgrade_through_python(make_cluster, namespace: Namespace, binary: str) -> None:
    """HelmCluster.upgrade keeps scale(4), applies values, and honours a number that it is given itself."""
    with dask.config.set({"kubernetes.helm.executable": binary}):
        cluster = make_cluster(name="python", n_workers=1)
        cluster.scale(4)
        cluster.upgrade({"worker": {"annotations": {"changed": "yes"}}})
        assert namespace.replicas() == 4
        pods = namespace.get("pods", "app.kubernetes.io/component=worker")
        alive = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        assert [pod["metadata"]["annotations"]["changed"] for pod in alive] == ["yes"] * 4
        cluster.upgrade({"worker": {"replicas": 1}})
        assert namespace.replicas() == 1
        cluster.close()
    namespace.empties(60)


def test_release_named_like_dasks_own_variables(helm, namespace: Namespace) -> None:
    """A release named dask starts: Kubernetes' variables for its Service don't reach Dask's configuration."""
    helm("helm", "install", "dask", "--set", "worker.replicas=1", "--wait", "--timeout=90s")
    namespace.kubectl("delete", "pod", "--all", "--wait=false")
    until(lambda: [d["status"].get("readyReplicas") for d in namespace.get("deployments")] == [1, 1], timeout=90)
    assert os.environ["KUBECONFIG"]
