"""No secret shows: a planted token and a planted value are looked for wherever text comes out."""

from __future__ import annotations

import logging
import os
import subprocess
import threading
import uuid
from pathlib import Path

import pytest

from dask_kubernetes_helm import HelmCluster, errors
from dask_kubernetes_helm.auth import KubeAuth

from .conftest import Namespace, may, run

CANARY = f"canary-{uuid.uuid4().hex}"


class _CommandLines(threading.Thread):
    """Collects the command lines of all processes, over and over."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[bytes] = set()
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.005):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(path.read_bytes())
                except OSError:
                    continue


@pytest.fixture
def token(namespace: Namespace) -> str:
    """A token of an account that may do everything in the namespace."""
    namespace.kubectl("create", "serviceaccount", "canary")
    namespace.kubectl(
        "create", "rolebinding", "canary", "--clusterrole=admin", f"--serviceaccount={namespace.name}:canary"
    )
    namespace.own.add("serviceaccount/canary")
    may(namespace, "canary", "create", "deployments.apps")
    return namespace.kubectl("create", "token", "canary").strip()


def test_no_secret_shows(namespace: Namespace, image: str, token: str, caplog: pytest.LogCaptureFixture, capfd) -> None:
    """Neither a token nor a value of an environment variable is in argv, logs, output, reprs or the HTML."""
    caplog.set_level(logging.DEBUG)
    server = run("kubectl", "config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}")
    auth = KubeAuth(server, token=token, verify_ssl=False)
    values = {"worker": {"env": [{"name": "PASSWORD", "value": CANARY}]}}
    watcher = _CommandLines()
    watcher.start()
    with HelmCluster(
        namespace=namespace.name, environment="ci", image=image, auth=auth, values=values, n_workers=0
    ) as cluster:
        cluster.upgrade({"worker": {"annotations": {"a": "b"}}})
        shown = [repr(cluster), cluster._repr_html_(), repr(auth), repr(cluster._release.kube.credentials)]
    watcher.ended.set()
    watcher.join()
    output = capfd.readouterr()
    texts = [*shown, caplog.text, output.out, output.err, b"\n".join(watcher.seen).decode(errors="replace")]
    assert any(b"upgrade" in line for line in watcher.seen), "helm was not seen at work"
    for secret in (token, CANARY):
        assert [text[:200] for text in texts if secret in text] == []


@pytest.mark.parametrize(
    "worker",
    [
        {"env": {"PASSWORD": CANARY}},
        {"env": [{"name": "PASSWORD", "value": CANARY, "extra": 1}]},
        {"env": [{"name": "PASSWORD", "value": [CANARY]}]},
        {"replicas": CANARY},
    ],
)
def test_no_secret_in_errors(namespace: Namespace, image: str, worker: dict) -> None:
    """A refused value is told by its key, its type and what is expected, not by what it holds."""
    with pytest.raises(errors.ValuesSchemaError) as caught:
        HelmCluster(namespace=namespace.name, environment="ci", image=image, values={"worker": worker}, quiet=True)
    assert "worker." in str(caught.value)
    chain: BaseException | None = caught.value
    while chain is not None:
        assert CANARY not in str(chain)
        chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)
    assert set() == namespace.objects()


def test_no_secret_in_helms_errors(namespace: Namespace, image: str, token: str) -> None:
    """What helm prints when it fails does not carry the token."""
    auth = KubeAuth("https://127.0.0.1:1", token=token, verify_ssl=False)
    with pytest.raises(errors.ApiUnreachableError) as caught:
        HelmCluster(namespace=namespace.name, environment="ci", image=image, auth=auth, quiet=True)
    assert token not in str(caught.value)
    left = subprocess.run(["pgrep", "-x", "helm", "--parent", str(os.getpid())], capture_output=True, check=False)
    assert left.stdout == b""
