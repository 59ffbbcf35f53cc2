"""Clocks: what waits is not moved by a wall clock that jumps, which only tells people when something was."""

from __future__ import annotations

import ast
import time
from pathlib import Path

import pytest

from dask_kubernetes_helm import contract, errors
from dask_kubernetes_helm.kubeapi import retrying
from dask_kubernetes_helm.waiting.watching import Watcher

from .fakes import FakeKube

PACKAGE = Path(contract.__file__).parent
PODS = Path(__file__).parent.parent / "chart" / "files"
#: What may read the wall clock, and for what.
READERS = {
    "reports/collecting": "the archive's name",
    "waiting/checkup": "how long ago something was, for people",
    "cli/tables": "how long ago something was, for people",
    "auth/credentials": "a token's end, which is told as such; a server that refuses one is asked anew in any case",
    "connections/health": "since when the connection is cut, for people",
    "waiting/losing": "when a worker was lost, for people",
    "moments": "log lines of the last minutes",
    "releases/namesakes": "how long ago a release was installed, for people",
    "releases/survey": "how old a release is, for people who clear up",
    "dask_kubernetes_helm_pod/agent": "how old the release was when the agent started",
    "dask_kubernetes_helm_pod/journal": "when something was done, for people",
}


def reads_wall_clock(path: Path) -> bool:
    """Whether a module asks for the time of day."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("time.time", "time.time_ns"):
            return True
        if isinstance(node, ast.Attribute) and node.attr in ("now", "utcnow") and "datetime" in ast.unparse(node.value):
            return True
        imported = {alias.name for alias in node.names} if isinstance(node, ast.ImportFrom) else set()
        if imported & {"time", "time_ns"} and node.module in ("time", "distributed.metrics"):
            return True
    return False


def test_who_reads_the_wall_clock() -> None:
    """In the package and in the pods only modules with a reason do; all else measures by the monotonic clock."""
    paths = {
        str(path.relative_to(root).with_suffix("")): path for root in (PACKAGE, PODS) for path in root.rglob("*.py")
    }
    assert len(paths) > 100
    assert {name for name, path in paths.items() if reads_wall_clock(path)} == set(READERS)


@pytest.mark.parametrize("jump", [-3600, 3600])
async def test_a_wait_during_a_jump(jump: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait takes its own time, and a server in trouble gets its patience, though the clock jumps by an hour."""
    real, jumped = time.time, False
    monkeypatch.setattr(time, "time", lambda: real() + (jump if jumped else 0))
    limits, began = retrying.Limits(1.0), time.monotonic()

    async def never() -> None:
        nonlocal jumped
        jumped = True

    async with Watcher(FakeKube(), "r") as watcher:
        with pytest.raises(errors.StartTimeoutError):
            await watcher.until(never, component=None, timeout=1.2, what="it", interval=0.1)
    assert abs(real() + jump - time.time()) < 1
    assert 1.2 <= time.monotonic() - began < 3
    assert not limits.allow_silence()
    assert retrying.Limits(1.0).allow_silence()
