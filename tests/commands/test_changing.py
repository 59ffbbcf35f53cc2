"""`create`, `upgrade`, `delete`: what stays, what goes, and what is said of it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dask_kubernetes_helm.cli import sizing
from dask_kubernetes_helm.errors import HelmError, ImagePullError
from dask_kubernetes_helm.releases.lifecycle import ManagedRelease

from .conftest import Namespace, deployment, invoke, owner, record, service


@pytest.fixture
def acts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done to releases, which is nothing really."""
    done: list[str] = []

    def act(name: str) -> Any:
        async def acted(self, *arguments: Any, **keywords: Any) -> None:
            done.append(name)

        return acted

    for name in ("install", "upgrade", "rolled_out", "remove"):
        monkeypatch.setattr(ManagedRelease, name, act(name))
    return done


def failing(error: BaseException) -> Any:
    async def fail(self, *arguments: Any, **keywords: Any) -> None:
        raise error

    return fail


def test_create(dask: Namespace, acts: list[str]) -> None:
    """It waits for the pods unless told otherwise, and says how to go on; programs get the release."""
    printed = invoke("create", "dask", "-n", "lab").stdout
    assert "Release dask is ready in namespace lab." in printed
    assert 'HelmCluster.from_name("dask", namespace="lab")' in printed
    assert acts == ["install", "rolled_out"]
    acts.clear()
    assert json.loads(invoke("create", "dask", "--no-wait", "-o", "json").stdout)["status"] == "ready"
    assert acts == ["install"]


@pytest.mark.parametrize(
    ("error", "told"), [(HelmError("no", cure="Yes."), "Error: no.\nYes."), (KeyboardInterrupt(), "Aborted!")]
)
def test_an_install_that_fails_leaves_nothing(
    lab: Namespace, acts: list[str], monkeypatch: pytest.MonkeyPatch, error: BaseException, told: str
) -> None:
    """Nor does one that is interrupted."""
    monkeypatch.setattr(ManagedRelease, "install", failing(error))
    assert told in invoke("create", "dask", code=1).stderr
    assert acts == ["remove"]


def test_a_release_that_does_not_come_up_stays(
    lab: Namespace, acts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says why, and what can be done with it."""
    monkeypatch.setattr(ManagedRelease, "rolled_out", failing(ImagePullError("no image", cure="Name another.")))
    told = invoke("create", "dask", code=1).stderr
    assert "no image" in told
    assert "Name another. The release stays: `dask helm status dask`" in told
    assert acts == ["install"]


def test_a_name_by_the_template(lab: Namespace, acts: list[str]) -> None:
    """Without a name it is the configuration's."""
    from dask import config

    with config.set({"kubernetes.name": "team-{uuid}"}):
        assert "Release team-" in invoke("create").stdout


@pytest.mark.parametrize(("replicas", "scaled"), [(2, []), (5, [5])])
def test_upgrade_to_a_number(
    dask: Namespace, acts: list[str], monkeypatch: pytest.MonkeyPatch, replicas: int, scaled: list[int]
) -> None:
    """Where the upgrade has left another number of workers, as somebody has scaled, they are scaled without loss."""
    asked: list[int] = []

    class Cluster:
        async def scale(self, n: int, **_: Any) -> None:
            asked.append(n)

    @contextlib.asynccontextmanager
    async def attached(*_: Any) -> AsyncIterator[Cluster]:
        yield Cluster()

    monkeypatch.setattr(sizing, "attached", attached)
    assert "is upgraded" in invoke("upgrade", "dask", "--set", f"worker.replicas={replicas}").stdout
    assert asked == scaled
    assert acts[0] == "upgrade"


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1), ("", 1)])
def test_delete_asks(dask: Namespace, acts: list[str], answer: str, code: int) -> None:
    """It says what goes; without a yes nothing does."""
    result = invoke("delete", "dask", code=code, text=answer)
    assert "Remove release dask in namespace lab, with 2 workers and what they hold?" in result.stderr
    assert acts == ([] if code else ["remove"])


def test_what_helm_installed_is_left_to_helm(lab: Namespace, acts: list[str]) -> None:
    """A release that belongs to nobody is not removed; the error has the command that does it."""
    lab.add("deployments", deployment("dask"))
    told = invoke("delete", "dask", "--yes", code=1).stderr
    assert "\nhelm uninstall dask --namespace lab" in told
    assert not acts


@pytest.mark.parametrize(
    ("status", "age"),
    [("failed", 0), ("deployed", 0), ("deployed", 10_000), ("pending-install", 120), ("uninstalling", 5)],
)
def test_half_a_release_can_be_deleted(lab: Namespace, acts: list[str], status: str, age: float) -> None:
    """Where there is only Helm's record and an owner, both go, however young; other releases' stay."""
    lab.add("configmaps", owner("dask", age=age), owner("other"))
    lab.add(
        "secrets", record("dask", status, age=age, owner="dask-owner"), record("other", "failed", owner="other-owner")
    )
    told = json.loads(invoke("delete", "dask", "--yes", "-o", "json").stdout)
    assert told == {"name": "dask", "namespace": "lab", "removed": True}
    assert lab.deleted == [("configmaps", "dask-owner"), ("secrets", "sh.helm.release.v1.dask.v1")]
    assert "no release 'dask'" in invoke("delete", "dask", "--yes", code=1).stderr


def test_a_record_without_its_owner_can_be_deleted(lab: Namespace) -> None:
    """The name is free again."""
    lab.add("secrets", record("dask", owner="dask-owner"))
    told = invoke("delete", "dask", text="y\n")
    assert "Remove release dask in namespace lab, which Helm calls deployed?" in told.stderr
    assert lab.deleted == [("secrets", "sh.helm.release.v1.dask.v1")]


@pytest.mark.parametrize("how", ["forbidden", "undeletable"])
@pytest.mark.parametrize("resource", ["configmaps", "secrets"])
def test_half_a_release_is_not_removed_in_vain(lab: Namespace, how: str, resource: str) -> None:
    """Where a right is lacking, the command fails and says which, and nothing is said to be removed."""
    lab.add("configmaps", owner("dask"))
    lab.add("secrets", record("dask", "failed", owner="dask-owner"))
    getattr(lab, how).add(resource)
    result = invoke("delete", "dask", "--yes", "-o", "json", code=1)
    assert not result.stdout
    # Who may not list Helm's records sees no release where there is nothing else of it.
    seen = (how, resource) != ("forbidden", "secrets")
    assert ("may not" in result.stderr and "(release dask, namespace lab)" in result.stderr) == seen
    assert seen or "no release 'dask'" in result.stderr


def test_half_a_release_that_somebody_else_removed(lab: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing was there to be removed any more, that is an error, with where to look."""
    lab.add("secrets", record("dask", owner="dask-owner"))

    def confirm(*_: Any, **__: Any) -> None:
        lab.objects.clear()

    monkeypatch.setattr("click.confirm", confirm)
    told = invoke("delete", "dask", code=1).stderr
    assert "Nothing of the release was there to be removed" in told
    assert "\n`dask helm list -n lab`" in told


@pytest.mark.parametrize("label", ["dask-owner", ""])
def test_what_somebody_upgraded_by_hand_is_left_to_helm(lab: Namespace, label: str) -> None:
    """A release whose newest revision may be another chart's stays, with the command that removes it."""
    lab.add("configmaps", owner("dask"))
    lab.add("secrets", record("dask", "superseded", owner="dask-owner", adopted=True))
    lab.add("secrets", record("dask", revision=2, owner=label))
    assert "\nhelm uninstall dask --namespace lab" in invoke("delete", "dask", "--yes", code=1).stderr
    assert not lab.deleted


def test_a_release_without_an_owner_of_all_is_left_to_helm(lab: Namespace, acts: list[str]) -> None:
    """Where one Deployment has an owner, and the rest has none, nothing is said to be removed."""
    lab.add("deployments", deployment("dask", "worker", owned=True), deployment("dask"))
    lab.add("services", service("dask"))
    assert "\nhelm uninstall dask --namespace lab" in invoke("delete", "dask", "--yes", code=1).stderr
    assert not acts


def test_who_may_not_list_may_delete(dask: Namespace, acts: list[str]) -> None:
    """Looking for what else is left is a service, not a condition."""
    dask.forbidden |= {"secrets", "configmaps"}
    assert "is removed" in invoke("delete", "dask", "--yes").stdout
    assert acts == ["remove"]
