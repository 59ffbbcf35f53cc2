"""Ways to authenticate with a cluster; a part of the door to the `kubernetes` library, which loads them.

Belongs here: from where credentials come, for the API (`configuration`) and for helm (`helm_environment`).
Never here: requests to the API (kube.py makes them). No credential reaches an argument list, a repr or a log.

Sources: https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/ and
https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from kubernetes.aio import config as kubernetes_config
from kubernetes.aio.client import Configuration

from dask_kubernetes_helm.errors import InvalidTypeError, KubeConfigError

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True)
class Credentials:
    """What one way of authentication came to.

    Attributes
    ----------
    origin : str
        Where they come from, for messages.
    namespace : str, optional
        The namespace that they suggest.
    """

    origin: str
    configuration: Configuration = field(repr=False)
    namespace: str | None = None
    environment: dict[str, str] = field(default_factory=dict, repr=False)
    kubeconfig: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def server(self) -> str:
        """Address of the API server."""
        return str(self.configuration.host)

    @contextlib.contextmanager
    def helm_environment(self) -> Iterator[dict[str, str]]:
        """Environment variables that make helm use the same credentials, while the context is open."""
        if self.kubeconfig is None:
            yield self.environment
            return
        with tempfile.TemporaryDirectory(prefix="dask-helm-") as folder:  # mode 0700
            path = Path(folder) / "kubeconfig"
            path.write_text(json.dumps(self.kubeconfig), encoding="utf-8")
            yield {**self.environment, "KUBECONFIG": str(path)}


class ClusterAuth(ABC):
    """A way to authenticate; subclasses say which.

    Examples
    --------
    >>> HelmCluster(auth=KubeConfig(context="lab"))  # doctest: +SKIP
    """

    DEFAULT: ClassVar[list[ClusterAuth]]

    @abstractmethod
    async def load(self) -> Credentials:
        """Read the credentials.

        Raises
        ------
        KubeConfigError
            When there are none of this kind.
        """

    @staticmethod
    async def load_first(auth: ClusterAuth | Sequence[ClusterAuth] | None = None) -> Credentials:
        """Read the credentials of the first way that has some.

        Parameters
        ----------
        auth : ClusterAuth or list of ClusterAuth, optional
            Tried in order; by default in-cluster ones, then the kubeconfig's.

        Raises
        ------
        KubeConfigError
            Says for each way why it has none.
        """
        ways = ClusterAuth.DEFAULT if auth is None else auth
        ways = [ways] if isinstance(ways, ClusterAuth) else ways
        if not isinstance(ways, Sequence) or not all(isinstance(way, ClusterAuth) for way in ways):
            raise InvalidTypeError(
                f"auth is {type(auth).__name__}",
                cure="Give InCluster(), KubeConfig(), KubeAuth(...) or a list of them.",
            )
        reasons = []
        for way in ways:
            try:
                return await way.load()
            except KubeConfigError as error:
                reasons.append(error.message)
        raise KubeConfigError(
            "; ".join(reasons) or "No authorization methods were provided: auth is an empty list",
            cure="Set KUBECONFIG to a kubeconfig file, or give auth=KubeConfig(config_file=...).",
        )


class InCluster(ClusterAuth):
    """The service account of the pod that this process runs in."""

    async def load(self) -> Credentials:  # noqa: D102 - the base says it
        configuration = Configuration()
        try:
            kubernetes_config.load_incluster_config(client_configuration=configuration)
        except kubernetes_config.ConfigException as error:
            raise KubeConfigError(f"Not in a cluster: {str(error).rstrip('.')}") from error
        namespace = (_SERVICE_ACCOUNT / "namespace").read_text(encoding="utf-8").strip()
        # An empty kubeconfig makes helm take the pod's service account, whatever the home folder holds.
        return Credentials("the pod's service account", configuration, namespace, {"KUBECONFIG": os.devnull})


@dataclass(frozen=True)
class KubeConfig(ClusterAuth):
    """A kubeconfig file.

    Parameters
    ----------
    config_file : path, optional
        By default ``$KUBECONFIG`` (which may name several, separated by ':'), else ``~/.kube/config``.
    context : str, optional
        By default the file's current one.
    persist_config : bool
        Write refreshed tokens back.
    """

    config_file: str | os.PathLike[str] | None = None
    context: str | None = None
    persist_config: bool = True

    async def load(self) -> Credentials:  # noqa: D102 - the base says it
        path = os.fspath(self.config_file or os.environ.get("KUBECONFIG") or Path("~/.kube/config"))
        path = os.pathsep.join(str(Path(part).expanduser()) for part in path.split(os.pathsep))
        if not any(Path(part).is_file() for part in path.split(os.pathsep)):
            raise KubeConfigError(f"There is no kubeconfig at {path}")
        configuration = Configuration()
        try:
            contexts, current = kubernetes_config.list_kube_config_contexts(path)
            chosen = self._choose([item["name"] for item in contexts], current["name"], path)
            await kubernetes_config.load_kube_config(
                path, context=chosen, client_configuration=configuration, persist_config=self.persist_config
            )
        except (kubernetes_config.ConfigException, ValueError, TypeError, KeyError) as error:
            raise KubeConfigError(f"The kubeconfig {path} can't be used: {str(error).rstrip('.')}") from error
        namespace = next(item["context"].get("namespace") for item in contexts if item["name"] == chosen)
        environment = {"KUBECONFIG": path, "HELM_KUBECONTEXT": chosen}
        return Credentials(f"context {chosen!r} of {path}", configuration, namespace, environment)

    def _choose(self, contexts: list[str], current: str, path: str) -> str:
        if self.context and self.context not in contexts:
            raise KubeConfigError(
                f"The kubeconfig {path} has no context {self.context!r}; it has: {', '.join(contexts)}"
            )
        return self.context or current


@dataclass(frozen=True)
class KubeAuth(ClusterAuth):
    """An API server's address and explicit credentials.

    Parameters
    ----------
    host : str
        URL of the API server.
    token : str, optional
        Bearer token.
    ssl_ca_cert, cert_file, key_file : str, optional
        Paths of PEM files: the server's CA, the client's certificate and its key.
    verify_ssl : bool
        Whether to verify the server's certificate.
    proxy : str, optional
        URL of a proxy.
    """

    host: str
    token: str | None = field(default=None, repr=False)
    ssl_ca_cert: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    verify_ssl: bool = True
    proxy: str | None = None

    async def load(self) -> Credentials:  # noqa: D102 - the base says it
        configuration = Configuration(host=self.host.rstrip("/"))
        for name in ("ssl_ca_cert", "cert_file", "key_file", "verify_ssl", "proxy"):
            setattr(configuration, name, getattr(self, name))
        if self.token:
            configuration.api_key["BearerToken"] = f"Bearer {self.token}"
        return Credentials(self.host, configuration, kubeconfig=self._kubeconfig())

    def _kubeconfig(self) -> dict[str, Any]:
        cluster = {
            "server": self.host,
            "certificate-authority": self.ssl_ca_cert,
            "insecure-skip-tls-verify": not self.verify_ssl,
            "proxy-url": self.proxy,
        }
        user = {"token": self.token, "client-certificate": self.cert_file, "client-key": self.key_file}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "it", "cluster": {key: item for key, item in cluster.items() if item}}],
            "users": [{"name": "it", "user": {key: item for key, item in user.items() if item}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "current-context": "it",
        }


ClusterAuth.DEFAULT = [InCluster(), KubeConfig()]
