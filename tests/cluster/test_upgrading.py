"""Upgrades with a computation under way: what restarts no pod, what drains, and the way back; results are kept.

The version before is the chart as it is under a lower number. Once there are releases, PREVIOUS_CHART names a real one
instead: an archive, or oci://... with PREVIOUS_VERSION.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, wait

from dask_kubernetes_helm import HelmCluster, contract
from dask_kubernetes_helm.chartvalues.values import merge

from .conftest import Namespace, run, until
from .workload import SMALL, WORKERS, array, recomputed, start_noted, started, workers

pytestmark = pytest.mark.alone

CHART = Path(__file__).parents[2] / "chart"
SCHEDULER = "app.kubernetes.io/component=scheduler"
#: Changes that are of objects and not of pods.
MARKED: dict[str, Any] = {
    "scheduler": {
        "labels": {"team": "data"},
        "serviceAnnotations": {"a": "b"},
        "serviceAccountAnnotations": {"a": "b"},
    },
    "worker": {"labels": {"team": "data"}, "serviceAccountAnnotations": {"a": "b"}},
}


@pytest.fixture
def previous(tmp_path: Path) -> list[str]:
    """What helm takes for the chart of the version before."""
    if "PREVIOUS_CHART" in os.environ:
        version = os.environ.get("PREVIOUS_VERSION")
        return [os.environ["PREVIOUS_CHART"], *(["--version", version] if version else [])]
    chart = tmp_path / "dask"
    shutil.copytree(CHART, chart)
    about = chart / "Chart.yaml"
    about.write_text(re.sub(r"(?m)^version: .*$", "version: 0.0.1", about.read_text()))
    run("helm", "package", str(chart), "--destination", str(tmp_path))
    return [str(tmp_path / "dask-0.0.1.tgz")]


def named(image: str) -> dict[str, str]:
    """An image as values."""
    repository, _, tag = image.rpartition(":")
    return {"repository": repository, "tag": tag}


def alive(namespace: Namespace, selector: str = "") -> dict[str, str]:
    """Uids of pods that nobody deletes, with what each container has been restarted to; and their images."""
    return {
        f"{pod['metadata']['uid']} {[one['restartCount'] for one in pod['status'].get('containerStatuses', [])]}": str(
            pod["spec"]["containers"][0]["image"]
        )
        for pod in namespace.get("pods", selector)
        if "deletionTimestamp" not in pod["metadata"]
    }


def charts(namespace: Namespace) -> set[str]:
    """Which charts the Deployments are of."""
    return {item["metadata"]["labels"][contract.CHART_LABEL] for item in namespace.get("deployments")}


@pytest.mark.parametrize("binary", ["helm", "helm3"])
def test_there_and_back(
    namespace: Namespace, image: str, official_image: str, previous: list[str], binary: str
) -> None:
    """A new chart, labels and annotations restart no pod; a new image drains the workers; so does the rollback."""
    values = merge(SMALL, {"image": named(image), "worker": {"replicas": 2}})

    def helm(verb: str, *arguments: str, given: dict[str, Any]) -> None:
        command = (binary, verb, "kept", *arguments, "--namespace", namespace.name, "--values", "-")
        run(*command, text=json.dumps(given))

    def rolled(to: str) -> Callable[[], bool]:
        return lambda: list(alive(namespace, WORKERS).values()) == [to] * 2 and len(workers(client)) == 2

    helm("install", *previous, given=values)
    with HelmCluster.from_name("kept", namespace=namespace.name, quiet=True) as cluster, Client(cluster) as client:
        cluster.wait_for_workers(2, timeout=180)
        before = alive(namespace)
        scheduler = alive(namespace, SCHEDULER)
        assert len(scheduler) == 1
        held = client.map(array, range(40), pure=False)
        wait(held)
        futures = client.map(start_noted, range(30), pure=False, seconds=1)
        until(lambda: len(started(client)) >= 2)
        old = charts(namespace)

        helm("upgrade", str(CHART), given=merge(values, MARKED))
        assert not old & charts(namespace)
        assert {item["metadata"]["labels"]["team"] for item in namespace.get("deployments")} == {"data"}
        deployments = namespace.get("deployments")
        assert [item["metadata"]["generation"] for item in deployments] == [1, 1]
        assert alive(namespace) == before

        helm("upgrade", str(CHART), given=merge(values, MARKED, {"worker": {"image": named(official_image)}}))
        until(rolled(official_image), timeout=180)
        assert client.gather(futures) == list(range(30))
        assert started(client) == list(range(30)), namespace.kubectl("logs", "-l", SCHEDULER, "--tail=60")

        futures += client.map(start_noted, range(30, 40), pure=False, seconds=1)
        until(lambda: len(started(client)) >= 32)
        run(binary, "rollback", "kept", "1", "--namespace", namespace.name)
        until(rolled(image), timeout=180)
        assert old == charts(namespace)
        assert client.gather(futures) == list(range(40))
        assert started(client) == list(range(40)), namespace.kubectl("logs", "-l", SCHEDULER, "--tail=60")
        assert [int(value[0]) for value in client.gather(held)] == list(range(40))
        assert recomputed(client) == 0
        assert alive(namespace, SCHEDULER) == scheduler
