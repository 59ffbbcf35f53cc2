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

from .conftest import Namespace, deployment, invoke, owner, record


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


def test_half_a_release_can_be_deleted(lab: Namespace, acts: list[str]) -> None:
    """Where there is only Helm's record and an owner, both go."""
    lab.add("configmaps", owner("dask"))
    lab.add("secrets", record("dask", "failed", owner="dask-owner"))
    told = json.loads(invoke("delete", "dask", "--yes", "-o", "json").stdout)
    assert told == {"name": "dask", "namespace": "lab", "removed": True}
    assert {resource for resource, _ in lab.deleted} == {"configmaps", "secrets"}


def test_who_may_not_list_may_delete(dask: Namespace, acts: list[str]) -> None:
    """Looking for what else is left is a service, not a condition."""
    dask.forbidden |= {"secrets", "configmaps"}
    assert "is removed" in invoke("delete", "dask", "--yes").stdout
    assert acts == ["remove"]
