"""Versions of client and image: what differs, whether that breaks, and the image or the packages that fit."""

from __future__ import annotations

import asyncio
import platform
import warnings
from types import SimpleNamespace
from typing import Any

import dask
import dask.config
import pytest
from distributed import Scheduler, Worker
from distributed.core import rpc

from dask_kubernetes_helm import errors, versions
from dask_kubernetes_helm.connections.health import Health
from dask_kubernetes_helm.fronts import arguments, connected
from dask_kubernetes_helm.fronts.connected import ConnectedCluster
from dask_kubernetes_helm.versions import Comparison
from tests.pod.conftest import LOCAL, until

MINE = {"python": "3.11.7", "dask": "2026.8.0", "distributed": "2026.8.0", "msgpack": "1.1.0", "cloudpickle": "3.1.1"}
TAG = f"{'.'.join(dask.__version__.split('.')[:3])}-py{'.'.join(platform.python_version_tuple()[:2])}"


@pytest.mark.parametrize(
    ("theirs", "differing", "breaking"),
    [
        ({}, [], []),
        ({"python": "3.11.2"}, [], []),
        ({"python": "3.12.7"}, ["python"], ["python"]),
        ({"dask": "2026.7.1"}, ["dask"], []),
        ({"dask": "2026.8.1", "distributed": "2026.8.1"}, ["dask", "distributed"], []),
        ({"distributed": "2025.8.0"}, ["distributed"], ["distributed"]),
        ({"msgpack": "1.0.3"}, [], []),
        ({"msgpack": "2.0.0"}, ["msgpack"], ["msgpack"]),
        ({"cloudpickle": "2.2.1"}, ["cloudpickle"], ["cloudpickle"]),
        ({"dask": "2026.8.0+12.gabc"}, [], []),
        ({"dask": "unknown"}, [], []),
    ],
)
def test_what_differs(theirs: dict[str, str], differing: list[str], breaking: list[str]) -> None:
    """Of Dask the release has to be the same, of Python the minor version; another year, or Python, breaks."""
    found = Comparison("scheduler", MINE, {**MINE, **theirs})
    assert (found.differing, found.breaking) == (differing, breaking)


def test_the_cure_for_another_dask() -> None:
    """Who has another Dask reads both versions, the image that has the client's, and the pip command for the other."""
    found = Comparison("scheduler", MINE, {**MINE, "dask": "2026.7.1", "distributed": "2026.7.1"})
    assert "dask         2026.8.0     2026.7.1   differs" in found.table.splitlines()
    assert "which may break" in found.sentence
    assert 'image="ghcr.io/dask/dask:2026.8.0-py3.11"' in found.cure
    assert found.cure.endswith("install the scheduler's here: pip install dask==2026.7.1 distributed==2026.7.1.")


def test_the_cure_for_another_python() -> None:
    """A Python can't be installed by pip, so the other Python is named."""
    found = Comparison("worker", MINE, {**MINE, "python": "3.12.4", "dask": "2026.9.0"})
    assert found.sentence.startswith("Worker and client differ in python, which is known to break")
    assert found.cure.endswith("or run the client with Python 3.12 and pip install dask==2026.9.0.")


def test_a_key_that_can_not_be_meant() -> None:
    """Another word than off, warn or error is refused, with these."""
    with pytest.raises(errors.InvalidArgumentError, match="off, warn or error"):
        versions.wanted("no")


@pytest.mark.parametrize("image", ["localhost:5000/dask:match-client", "ghcr.io/dask/dask:match-client"])
def test_an_image_that_matches_the_client(image: str) -> None:
    """`match-client` becomes the tag that Dask's own images have for this Dask and this Python."""
    assert arguments.image_values(image) == {"repository": image.rpartition(":")[0], "tag": TAG}


def test_values_that_match_the_client(tmp_path: Any) -> None:
    """In values the tag is replaced wherever an image has it: for all, for a role, for a worker group."""
    given = {"worker": {"image": {"tag": "match-client"}, "groups": {"gpu": {"image": {"tag": "match-client"}}}}}
    path = tmp_path / "values.yaml"
    path.write_text("image:\n  tag: match-client\nextra: {tag: match-client}\n")
    file, mapping = (layer.mapping for layer in arguments.layers([str(path), given]))
    assert file == {"image": {"tag": TAG}, "extra": {"tag": "match-client"}}
    assert mapping["worker"] == {"image": {"tag": TAG}, "groups": {"gpu": {"image": {"tag": TAG}}}}
    assert given["worker"]["image"] == {"tag": "match-client"}


class Attached(ConnectedCluster):
    """A cluster of nothing but its connection."""

    def __init__(self, address: str) -> None:
        self._host = SimpleNamespace(connection=SimpleNamespace(health=Health()), security=None)  # type: ignore[assignment]
        super().__init__(asynchronous=True, quiet=True, name="demo")
        self.scheduler_comm = rpc(address)


@pytest.fixture
def older(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process takes itself for an older one."""
    monkeypatch.setattr(connected, "_own_versions", lambda: {**MINE, "python": "3.9.1"})


async def test_a_mismatch_is_told_when_the_scheduler_answers(older: None) -> None:
    """By default it is a warning with table and cure; as an error it names the release; and off it is nobody's."""
    async with Scheduler(host="127.0.0.1", port=0, dashboard_address="127.0.0.1:0") as scheduler:
        cluster = Attached(scheduler.address)
        with pytest.warns(errors.VersionMismatchWarning, match=r"(?s)python.*3\.9\.1.*breaks.*Take an image"):
            await cluster._compare_scheduler()
        refused = pytest.raises(errors.VersionMismatchError, match=r"(?s)python.*release demo.*Take an image")
        with dask.config.set({"kubernetes.version-check": "error"}), refused:
            await cluster._compare_scheduler()
        with dask.config.set({"kubernetes.version-check": "off"}), warnings.catch_warnings():
            warnings.simplefilter("error")
            await cluster._compare_scheduler()
        await cluster._close()


async def test_a_worker_of_another_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first worker that registers is compared as well, where it has other versions than the scheduler."""
    other = {"packages": {**MINE, "python": "3.9.1.final.0"}}
    async with Scheduler(host="127.0.0.1", port=0, dashboard_address="127.0.0.1:0") as scheduler:
        cluster = Attached(scheduler.address)
        await cluster._start()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            async with Worker(scheduler.address, nthreads=1, **LOCAL) as worker:
                monkeypatch.setitem(worker.handlers, "versions", lambda: other)
                await until(lambda: cluster._compared is not None)
                assert cluster._compared
                await asyncio.wait_for(cluster._compared, 10)
        (said,) = [item for item in caught if item.category is errors.VersionMismatchWarning]
        assert str(said.message).startswith("Worker and client differ in python")
        await cluster._close()
