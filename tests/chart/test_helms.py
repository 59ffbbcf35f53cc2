"""Helm 3 and Helm 4: the same objects, the same refusals, and what they tell the one who installs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.chart.helm import CHART, ENVIRONMENTS, EVERYTHING, KUBERNETES, OFFLINE, VALUES, render, run

FILES = {"default": (), "everything": (EVERYTHING,), **{name: (VALUES / f"{name}.yaml",) for name in ENVIRONMENTS}}


def _notes(values: dict[str, Any], *flags: str) -> str:
    command = ("install", "demo", str(CHART), "--namespace", "ns", "--dry-run=client", "--output=json", *flags)
    result = run(*command, "--values", str(OFFLINE), "--values", "-", text=json.dumps(values))
    assert result.returncode == 0, result.stderr
    return str(json.loads(result.stdout)["info"]["notes"])


def test_which_helms() -> None:
    """`helm` is Helm 4 and `helm3` is Helm 3, so that what follows compares what it says."""
    assert run("version", "--short").stdout.startswith("v4.")
    assert run("version", "--short", helm="helm3").stdout.startswith("v3.")


@pytest.mark.parametrize("files", FILES.values(), ids=FILES)
def test_the_same_objects(files: tuple[Any, ...]) -> None:
    """Both render the same."""

    def ordered(helm: str) -> list[Any]:
        return sorted(render({}, *files, helm=helm), key=lambda item: (item["kind"], item["metadata"]["name"]))

    assert ordered("helm3") == ordered("helm")


@pytest.mark.parametrize(
    "values", [{"scheduler": {"replicas": 2}}, {"worker": {"replica": 1}}], ids=["checks", "schema"]
)
def test_the_same_refusals(values: dict[str, Any]) -> None:
    """Both refuse the same with the same words."""

    def said(helm: str) -> str:
        flags = ("--kube-version", KUBERNETES, "--values", "-")
        return run("template", "demo", str(CHART), *flags, helm=helm, text=json.dumps(values)).stderr

    (reason,) = (line for line in said("helm").splitlines() if "replica" in line)
    assert reason.partition("at '")[2] in said("helm3")


@pytest.mark.parametrize("helm", ["helm", "helm3"])
@pytest.mark.parametrize("name", [*ENVIRONMENTS, "everything"])
def test_lint(helm: str, name: str) -> None:
    """Neither has a warning."""
    path = EVERYTHING if name == "everything" else VALUES / f"{name}.yaml"
    result = run("lint", "--strict", str(CHART), "--values", str(path), helm=helm)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "[WARNING]" not in result.stdout


def test_notes_tell_how_to_attach() -> None:
    """NOTES tell how to attach from Python, the address inside the cluster, and how to see and scale."""
    said = _notes({})
    assert 'HelmCluster.from_name("demo", namespace="ns")' in said
    assert "tls://demo-dask-scheduler.ns.svc:8786" in said
    assert "kubectl port-forward --namespace ns service/demo-dask-scheduler 8787:8787" in said
    assert "kubectl scale --namespace ns deployment/demo-dask-worker --replicas=10" in said
    assert len(said.splitlines()) <= 24


def test_notes_follow_the_values() -> None:
    """Names and ports in it are those of the release."""
    said = _notes({"fullnameOverride": "grid", "scheduler": {"servicePort": 9000}, "webUI": {"servicePort": 80}})
    assert "tls://grid-scheduler.ns.svc:9000" in said
    assert "service/grid-scheduler 8787:80" in said
    assert "deployment/grid-worker" in said


def test_packaged_chart(tmp_path: Any) -> None:
    """The packed chart renders the same as the folder, without what only its making needs."""
    result = run("package", str(CHART), "--destination", str(tmp_path))
    assert result.returncode == 0, result.stderr
    (packed,) = tmp_path.iterdir()
    assert packed.name == "dask-0.1.0.tgz"
    assert render() == render(chart=packed)
