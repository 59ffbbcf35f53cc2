"""The door to helm: what it says becomes our errors, and no process outlives its deadline."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import time
from pathlib import Path

import pyhelm3
import pytest

from dask_kubernetes_helm import errors
from dask_kubernetes_helm.helmcli.helm import _Command
from dask_kubernetes_helm.helmcli.helmsaid import translate


@pytest.mark.parametrize(
    ("stderr", "error", "words"),
    [
        ("Error: INSTALLATION FAILED: cannot re-use a name that is still in use", errors.ReleaseExistsError, "choose"),
        ("Error: x: cannot reuse a name that is still in use", errors.ReleaseExistsError, "from_name"),
        ("Error: uninstall: Release not loaded: x: release: not found", errors.ReleaseNotFoundError, "helm list"),
        ('Error: INSTALLATION FAILED: namespaces "x" not found', errors.NamespaceNotFoundError, "'x'"),
        (
            'Error: deployments.apps is forbidden: User "u" cannot create resource "deployments" in API group "apps"',
            errors.ForbiddenError, "create deployments",
        ),
        ("Error: Kubernetes cluster unreachable: dial tcp: refused", errors.ApiUnreachableError, "refused"),
        ("Error: execution error at (dask/templates/checks.yaml:3:4): x must be 1.", errors.ValuesError, "x must be 1"),
        ("Error: values don't meet the specifications of the schema(s)", errors.ValuesSchemaError, "schema"),
        ("Error: another operation (install/upgrade/rollback) is in progress", errors.HelmError, "at work"),
        ("Error: repo nowhere not found", errors.ChartError, "oci://"),
        ('Error: failed to perform "FetchReference" on source: r:1/charts/dask:9: not found', errors.ChartError, "oci://"),
        (
            'Error: Get "https://r:1/v2/charts/dask/tags/list": http: server gave HTTP response to HTTPS client',
            errors.ChartError, "helm pull oci://r:1/charts/dask --plain-http",
        ),
        ("level=WARN msg=x\nError: something new", errors.HelmError, "something new"),
    ],
)  # fmt: skip
def test_what_helm_says(stderr: str, error: type[errors.HelmClusterError], words: str) -> None:
    """Each meaning of helm's has one of ours, with a cure; its log lines are left out."""
    made = translate(stderr.encode(), "ns")
    assert error is type(made)
    assert words in str(made)
    assert "level=" not in str(made)


def test_every_error_of_pyhelm3_is_caught() -> None:
    """All of the library's errors share the base that the door translates."""
    found = [item for _, item in inspect.getmembers(pyhelm3.errors, inspect.isclass) if issubclass(item, Exception)]
    assert found
    assert all(issubclass(item, pyhelm3.errors.Error) for item in found)


def sleeper(tmp_path: Path) -> str:
    """A helm that ignores requests to end and starts a child."""
    path = tmp_path / "helm"
    path.write_text(f"#!/bin/sh\ntrap '' TERM\nsleep 1000 &\necho $! > {tmp_path}/child\nwait\nsleep 1000\n")
    path.chmod(0o755)
    return str(path)


def is_gone(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return not state.strip() or state.startswith("Z")


async def started(tmp_path: Path) -> int:
    path = tmp_path / "child"
    deadline = time.monotonic() + 10
    while not path.exists() or not path.read_text().strip():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    return int(path.read_text())


async def test_a_deadline_leaves_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A helm that hangs is ended with its children, and the error says how to allow more."""
    monkeypatch.setattr("dask_kubernetes_helm.helmcli.helm._GRACE", 0.2)
    with pytest.raises(errors.HelmTimeoutError, match=r"helm install did not end within 1 s.*kubernetes.helm.timeout"):
        await _Command(sleeper(tmp_path), {}, 1).run(["install"])
    assert is_gone(await started(tmp_path))


@pytest.mark.parametrize("times", [1, 2, 3])
async def test_a_cancellation_leaves_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Cancelling, however often, ends helm and its children before the cancellation goes on."""
    monkeypatch.setattr("dask_kubernetes_helm.helmcli.helm._GRACE", 0.2)
    task = asyncio.create_task(_Command(sleeper(tmp_path), {}, 60).run(["install"]))
    child = await started(tmp_path)
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0.05)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert is_gone(child)
