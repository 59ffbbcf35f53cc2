"""Pod Security "restricted", enforced: the chart's defaults are within it, packages too, and who relaxes it gets more.

Both kinds of image: one that has nothing but Dask, and one with the official images' contract (root, `tini -g`, a
script that installs packages).
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask.array
import distributed
import pytest
from distributed import Client

from dask_kubernetes_helm import HelmCluster
from dask_kubernetes_helm.errors import CrashLoopError, TemplateWarning
from tests.chart import test_security
from tests.rig.settings import Settings
from tests.wheels import index, wheel

from .conftest import Namespace, fresh_namespace, run, small_pod, until
from .test_leaving import Victim, pods, settled
from .workload import SMALL

CHART = Path(__file__).parents[2] / "chart"
VERSION = distributed.__version__
ENFORCED = "pod-security.kubernetes.io/enforce=restricted"


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """A namespace that admits restricted pods only."""
    with fresh_namespace(ENFORCED) as made:
        yield made


@pytest.fixture
def pip(tmp_path: Path) -> Iterator[list[dict[str, str]]]:
    """Variables by which pip finds a package that needs Dask, a newer Dask, and a package that needs that one."""
    wheel(tmp_path, "lacking", requires="distributed>=2024")
    wheel(tmp_path, "demanding", requires="distributed>=9999")
    wheel(tmp_path, "distributed", "9999.0")
    with index(tmp_path, Settings.from_environment().gateway) as variables:
        yield [{"name": name, "value": value} for name, value in variables.items()]


def look() -> dict[str, Any]:
    """What a pod has: whose its processes are, and which packages."""
    import importlib
    import os
    import shutil
    import subprocess

    import distributed

    found: dict[str, Any] = {"user": os.getuid(), "distributed": distributed.__version__}
    for name in ("lacking", "conda_made", "apt_made"):
        program = shutil.which(name)
        found[name] = bool(program) and subprocess.run([str(program)], check=False).returncode == 0
        try:
            importlib.import_module(name)
        except ImportError:
            continue
        found[name] = f"{found[name]}, imported"
    return {**found, "writable": os.access("/usr", os.W_OK)}


look.__module__ = "__main__"


@pytest.mark.parametrize(("binary", "kind"), [("helm3", "image"), ("helm", "official_image")])
def test_defaults(namespace: Namespace, binary: str, kind: str, request: pytest.FixtureRequest) -> None:
    """The chart installs and computes with no value but its image, in a namespace that enforces the standard."""
    repository, _, tag = request.getfixturevalue(kind).rpartition(":")
    images = ("--set", f"image.repository={repository},image.tag={tag}")
    run(binary, "install", "plain", str(CHART), "--namespace", namespace.name, *images)
    with HelmCluster.from_name("plain", namespace=namespace.name, quiet=True) as cluster, Client(cluster) as client:
        cluster.wait_for_workers(3, timeout=180)
        assert dask.array.ones((1000, 1000), chunks=500).mean().compute() == 1.0
        seen = [*client.run(look).values(), client.run_on_scheduler(look)]
    nothing = {"lacking": False, "conda_made": False, "apt_made": False}
    assert seen == [{"user": 1000, "distributed": VERSION, "writable": False, **nothing}] * 4


def test_every_pod_is_admitted(namespace: Namespace) -> None:
    """Kubernetes' own admission takes every pod that any of the chart's environments and shapes makes."""
    made = []
    for case in test_security.CASES:
        for number, (component, spec) in enumerate(test_security.templates(case)):
            # What other admission goes by, and a dry run can't have.
            without = ("serviceAccountName", "runtimeClassName", "priorityClassName")
            kept = {key: value for key, value in spec.items() if key not in without}
            for container in kept["containers"]:
                container.get("resources", {}).pop("claims", None)
            metadata = {"name": f"{case}-{number}-{component}"}
            made.append({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": kept})
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": made})
    said = namespace.kubectl("create", "--dry-run=server", "--output=name", "-f", "-", text=listed)
    assert len(said.split()) == len(made)


def test_packages_by_pip(make_cluster, namespace: Namespace, official_image: str, pip: list[dict[str, str]]) -> None:
    """Packages come as a user without rights, on a read-only root, whichever way names them; Dask stays, results do.

    The image starts by `tini -g`, so that a pod's SIGTERM reaches nanny and worker at once.
    """
    values = {
        "scheduler": {"extraPackages": {"pip": ["lacking"]}, "env": pip},
        "worker": {"env": [*pip, {"name": "EXTRA_PIP_PACKAGES", "value": "lacking"}]},
    }
    cluster = make_cluster(image=official_image, values=[SMALL, values], n_workers=2)
    cluster.wait_for_workers(2, timeout=180)
    with Client(cluster) as client:
        for found in (client.run_on_scheduler(look), *client.run(look).values()):
            assert (found["lacking"], found["user"]) == ("True, imported", 1000)
            assert (found["distributed"], found["writable"]) == (VERSION, False)
        for number in range(2):
            until(lambda: settled(client, namespace, 2))
            pod = pods(namespace)[0]
            victim = Victim(client, pod, number)
            namespace.kubectl("delete", "pod", pod)
            assert victim.lost_nothing()
            del victim


def test_packages_that_pip_refuses(make_cluster, namespace: Namespace, official_image: str, pip: list[Any]) -> None:
    """What can't be had beside the image's Dask stops the start; status, log and error say so."""
    values = {"scheduler": {"extraPackages": {"pip": ["demanding"]}, "env": pip}}
    with pytest.raises(CrashLoopError) as caught:
        make_cluster(image=official_image, values=values, n_workers=0, name="refused", shutdown_on_close=False)
    for words in ("dask-packages", "distributed>=9999", "pip could not install demanding", "scheduler.extraPackages"):
        assert words in str(caught.value)


@pytest.fixture
def relaxed() -> Iterator[Namespace]:
    """A namespace that admits any pod."""
    with fresh_namespace() as made:
        yield made


def test_relaxed_with_all_three(make_cluster, relaxed: Namespace, official_image: str, pip: list[Any]) -> None:
    """Where the values allow it, the image's own entrypoint installs packages of all three kinds."""
    worker = {
        "extraPackages": {"pip": ["lacking"], "conda": ["conda_made"], "apt": ["apt_made"]},
        "securityContext": {"runAsNonRoot": False, "runAsUser": 0},
        "containerSecurityContext": {"readOnlyRootFilesystem": False, "capabilities": None},
        "env": pip,
    }
    cluster = make_cluster(image=official_image, values={"worker": worker}, n_workers=1, namespace=relaxed.name)
    cluster.wait_for_workers(1, timeout=180)
    with Client(cluster) as client:
        (found,) = client.run(look).values()
        assert (found["user"], found["lacking"]) == (0, "True, imported")
        assert (found["conda_made"], found["apt_made"]) == ("False, imported", True)
        assert client.run_on_scheduler(look)["user"] == 1000


def test_classic_relaxes_by_itself(make_classic, relaxed: Namespace, official_image: str, pip: list[Any]) -> None:
    """A classic template that names packages for apt and conda has them, and a warning says at which price."""
    template = small_pod(official_image)
    names = {"EXTRA_PIP_PACKAGES": "lacking", "EXTRA_CONDA_PACKAGES": "conda_made", "EXTRA_APT_PACKAGES": "apt_made"}
    env = [*pip, *({"name": name, "value": value} for name, value in names.items())]
    template["spec"]["containers"][0]["env"] = env
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", TemplateWarning)
        cluster = make_classic(template, n_workers=1, namespace=relaxed.name)
    assert [str(one.message) for one in warned if "runs as root without the chart's restrictions" in str(one.message)]
    with Client(cluster) as client:
        client.wait_for_workers(1, timeout=180)
        (found,) = client.run(look).values()
        assert (found["user"], found["lacking"]) == (0, "True, imported")
        assert (found["conda_made"], found["apt_made"]) == ("False, imported", True)
