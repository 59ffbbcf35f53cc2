"""Ways to authenticate with a real API server: for our requests, the port-forward and helm alike."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from distributed import Client

from dask_kubernetes_helm import errors
from dask_kubernetes_helm.auth import InCluster, KubeAuth, KubeConfig
from dask_kubernetes_helm.helmcli.helm import Helm
from dask_kubernetes_helm.kubeapi.kube import Kube

from .conftest import Namespace, run, until
from .workload import SMALL

#: The test environment's own kubeconfig: its cluster and its user, everything inside.
KUBECONFIG = Path(os.environ.get("KUBECONFIG", "/nowhere"))


def own(section: str) -> dict[str, Any]:
    return dict(json.loads(KUBECONFIG.read_text())[section][0][section[:-1]])


def pem(path: Path, *data: str) -> Path:
    path.write_bytes(b"\n".join(base64.b64decode(item) for item in data))
    return path


def service_account(namespace: Namespace, name: str) -> str:
    """A service account with the Role that the package prints for it; its token."""
    namespace.kubectl("create", "serviceaccount", name)
    namespace.own.add(f"serviceaccount/{name}")
    account = ("--name", name, "--service-account", name, "--namespace", namespace.name)
    namespace.kubectl("apply", "-f", "-", text=run(sys.executable, "-m", "dask_kubernetes_helm", "rbac", *account))
    return namespace.kubectl("create", "token", name).strip()


class Plugin:
    """A kubeconfig whose user is a plugin that gives the token of a file."""

    def __init__(self, folder: Path) -> None:
        self.kubeconfig, self._folder = folder / "config", folder
        script = folder / "plugin"
        script.write_text(f"#!/bin/sh\necho >> {folder}/asked\ncat {folder}/credential\n")
        script.chmod(0o755)
        version, command = "client.authentication.k8s.io/v1", "./plugin"
        user = {"exec": {"apiVersion": version, "command": command, "interactiveMode": "Never"}}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "it", "cluster": own("clusters")}],
            "users": [{"name": "it", "user": user}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "current-context": "it",
        }
        self.kubeconfig.write_text(json.dumps(content))

    def give(self, token: str) -> None:
        version = "client.authentication.k8s.io/v1"
        credential = {"apiVersion": version, "kind": "ExecCredential", "status": {"token": token}}
        (self._folder / "credential").write_text(json.dumps(credential))

    def refused(self) -> bool:
        """Whether the API server no longer accepts what the plugin gives; it remembers tokens for some seconds."""
        ask = ("kubectl", "--kubeconfig", str(self.kubeconfig), "get", "--raw", "/version")
        asked = subprocess.run(ask, capture_output=True, text=True, check=False)
        return asked.returncode != 0 and "logged in" in asked.stderr


def test_a_plugins_token_ends(make_cluster, namespace: Namespace, tmp_path: Path) -> None:
    """A plugin's token that becomes invalid while a cluster lives is fetched anew; port-forward and helm go on."""
    plugin = Plugin(tmp_path)
    plugin.give(service_account(namespace, "first"))
    cluster = make_cluster(auth=KubeConfig(plugin.kubeconfig), n_workers=1, values=SMALL)
    cluster.wait_for_workers(1, timeout=60)
    with Client(cluster) as before:
        assert before.submit(sum, [1, 2]).result() == 3
        namespace.kubectl("delete", "serviceaccount", "first")
        until(plugin.refused)
        plugin.give(service_account(namespace, "second"))
        # A connection of its own, so a port-forward of its own.
        with Client(cluster.scheduler_address, security=cluster.security) as client:
            assert client.submit(sum, [3, 4]).result() == 7
        cluster.scale(2)
        cluster.wait_for_workers(2, timeout=60)
        assert "Scheduler" in cluster.get_logs()
        assert before.submit(sum, [5, 6]).result() == 11
    cluster.close()
    namespace.empties(60)


@contextlib.asynccontextmanager
async def doors(auth: Any, namespace: Namespace) -> AsyncIterator[tuple[Kube, Helm]]:
    """Both that take credentials."""
    kube = await Kube.connect(auth, namespace.name)
    try:
        yield kube, await Helm.find(kube.credentials, namespace.name, None, 30)
    finally:
        await kube.close()


@pytest.mark.parametrize("kind", ["token", "two files", "one file"])
async def test_explicit_credentials(namespace: Namespace, tmp_path: Path, kind: str) -> None:
    """Address, authority and a token or certificate are enough for our requests and helm, after ways that have none."""
    cluster, user = own("clusters"), own("users")
    certificate, key = user["client-certificate-data"], user["client-key-data"]
    explicit: dict[str, Any] = {
        "token": lambda: {"token": service_account(namespace, "explicit")},
        "two files": lambda: {"cert_file": pem(tmp_path / "crt", certificate), "key_file": pem(tmp_path / "key", key)},
        "one file": lambda: {"cert_file": pem(tmp_path / "both", certificate, key)},
    }[kind]()
    authority = pem(tmp_path / "ca.crt", cluster["certificate-authority-data"])
    way = KubeAuth(cluster["server"], ssl_ca_cert=authority, assert_hostname="kubernetes.default", **explicit)
    async with doors([InCluster(), KubeConfig(tmp_path / "missing"), way], namespace) as (kube, helm):
        assert await kube.find("pods") == []
        with pytest.raises(errors.ReleaseNotFoundError):
            await helm.values("nothing")


async def test_a_server_of_another_name(namespace: Namespace, tmp_path: Path) -> None:
    """The name that a certificate has to have counts for our requests and for helm; any name may be allowed to ours."""
    cluster, token = own("clusters"), service_account(namespace, "explicit")
    authority = pem(tmp_path / "ca.crt", cluster["certificate-authority-data"])
    settled = {"token": token, "ssl_ca_cert": authority}
    way = KubeAuth(cluster["server"], assert_hostname="elsewhere", **settled)
    async with doors(way, namespace) as (kube, helm):
        with pytest.raises(errors.ApiUnreachableError, match="certificate"):
            await kube.find("pods")
        with pytest.raises(errors.HelmClusterError, match="elsewhere"):
            await helm.values("nothing")
    async with doors(KubeAuth(cluster["server"], assert_hostname=False, **settled), namespace) as (kube, _):
        assert await kube.find("pods") == []


def test_a_cluster_with_explicit_credentials(make_cluster, namespace: Namespace, tmp_path: Path) -> None:
    """With nothing but an address, an authority and a token, a cluster computes, and leaves nothing."""
    cluster = own("clusters")
    way = KubeAuth(
        cluster["server"],
        token=service_account(namespace, "explicit"),
        ssl_ca_cert=pem(tmp_path / "ca.crt", cluster["certificate-authority-data"]),
    )
    made = make_cluster(auth=[KubeConfig(tmp_path / "missing"), way], n_workers=1, values=SMALL)
    with made, Client(made) as client:
        assert client.submit(sum, [1, 2]).result() == 3
    namespace.empties(60)
