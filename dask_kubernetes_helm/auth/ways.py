"""Ways to authenticate with a cluster; a part of the door to the `kubernetes` library, which loads them.

Belongs here: from where credentials come, and that they can be read anew. Never here: what a kubeconfig holds
(kubeconfig.py), requests to the API (transport.py). No credential reaches an argument list, a repr or a log.

Sources: https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/ and
https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import inspect
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from kubernetes.aio import config as kubernetes_config
from kubernetes.aio.client import Configuration

from dask_kubernetes_helm.auth import kubeconfig
from dask_kubernetes_helm.auth.credentials import Credentials
from dask_kubernetes_helm.errors import InvalidArgumentError, InvalidAuthError, KubeConfigError

__all__ = ["ClusterAuth", "Credentials", "InCluster", "KubeAuth", "KubeConfig"]

_HOW_TO_AUTHENTICATE = "Set KUBECONFIG to a kubeconfig file, or give auth=KubeConfig(config_file=...)."
_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


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
        InvalidAuthError
        """
        ways = _judged(ClusterAuth.DEFAULT if auth is None else auth)
        reasons = []
        for way in ways:
            try:
                return await _load(way)
            except KubeConfigError as error:
                reasons.append(error)
        told = [error.message if not place else _begun_small(error.message) for place, error in enumerate(reasons)]
        raise KubeConfigError(
            "; ".join(told) or "No authorization methods were provided: auth is an empty list",
            cure=next((error.cure for error in reasons if error.cure), _HOW_TO_AUTHENTICATE),
        )


def _begun_small(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _judged(auth: Any) -> list[ClusterAuth]:
    """The ways that were given, if that is what they are."""
    several = isinstance(auth, Sequence) and not isinstance(auth, str | bytes)
    for way in auth if several else [auth]:
        if not isinstance(way, ClusterAuth):
            what = f"the class {way.__name__}" if isinstance(way, type) else f"of type {type(way).__name__}"
            raise InvalidAuthError(
                f"Invalid authorization method provided: {'auth holds one that' if several else 'auth'} is {what}",
                cure="Give InCluster(), KubeConfig(), KubeAuth(...) or a list of them.",
            )
    return list(auth) if several else [auth]


async def _load(way: ClusterAuth) -> Credentials:
    """What a way has, seen to be usable as far as that shows before a request, and able to be read anew."""
    made: Any = way.load()
    loaded = await made if inspect.isawaitable(made) else made
    if not isinstance(loaded, Credentials):
        raise InvalidAuthError(
            f"Invalid authorization method provided: {type(way).__name__}.load() returned {type(loaded).__name__}",
            cure="It has to return dask_kubernetes_helm.auth.Credentials; to configure the kubernetes library, as for "
            "classic dask-kubernetes, has no effect. KubeAuth(host, token=...) may do.",
        )
    if loaded.renew is None:
        loaded = replace(loaded, renew=functools.partial(_load, way))
    if loaded.expired:  # by a clock that may be wrong: the server judges
        loaded = replace(loaded, expires=None)
    _ = loaded.tls
    return loaded


def _login(loaded: kubeconfig.Loaded) -> str:
    """How to log in to a context again, by what its credentials come from."""
    if loaded.plugin:
        how = f"Log in again with what its plugin {loaded.plugin} belongs to"
    else:
        how = "Log in again as the cluster's provider has it"
    return (
        f"{how} (for example aws eks update-kubeconfig, gcloud container clusters get-credentials, az aks "
        f"get-credentials, oc login), see that kubectl --context {loaded.context} get pods works, or name another "
        "context."
    )


class InCluster(ClusterAuth):
    """The service account of the pod that this process runs in."""

    async def load(self) -> Credentials:  # noqa: D102 - the base says it
        configuration = Configuration()
        try:
            kubernetes_config.load_incluster_config(client_configuration=configuration)
        except (kubernetes_config.ConfigException, OSError) as error:
            # The library's sentence for a process that runs in no pod says nothing that people know.
            inside = "KUBERNETES_SERVICE_HOST" in os.environ
            reason = str(error).rstrip(".") if inside else "this process runs in no pod"
            raise KubeConfigError(f"Not in a cluster: {reason}") from error
        namespace = None
        with contextlib.suppress(OSError):
            namespace = (_SERVICE_ACCOUNT / "namespace").read_text(encoding="utf-8").strip()
        # An empty kubeconfig makes helm take the pod's service account, whatever the home folder holds.
        return Credentials(
            "the pod's service account",
            configuration,
            namespace,
            {"KUBECONFIG": os.devnull},
            login="Was the service account, or this pod, deleted and made anew? Start the pod again.",
        )


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
        paths = os.fspath(self.config_file or os.environ.get("KUBECONFIG") or Path("~/.kube/config"))
        loaded = await kubeconfig.load(paths, self.context, persist=self.persist_config)
        settled = replace(self, config_file=loaded.paths, context=loaded.context)
        return Credentials(
            f"context {loaded.context!r} of {loaded.paths}",
            loaded.configuration,
            loaded.namespace,
            {"KUBECONFIG": loaded.paths, "HELM_KUBECONTEXT": loaded.context},
            expires=loaded.expires,
            login=_login(loaded),
            renew=functools.partial(_load, settled),
        )


@dataclass(frozen=True)
class KubeAuth(ClusterAuth):
    """An API server's address and explicit credentials, for the API and for helm.

    Parameters
    ----------
    host : str
        URL of the API server.
    token : str, optional
        Bearer token.
    ssl_ca_cert, cert_file, key_file : path, optional
        PEM files: the server's CA, the client's certificate and its key (by default in the same file).
    verify_ssl : bool
        Whether to verify the server's certificate.
    proxy : str, optional
        URL of a proxy.
    username, password : str, optional
        For HTTP's basic authentication, instead of a token; Kubernetes itself knows it no more, a proxy before it may.
    assert_hostname : str or bool, optional
        The name that the server's certificate has to have, if not the host's. False: any name; helm has no such
        setting, and goes on to compare the names.
    debug : bool
        Ignored: classic's printed each request, with the credentials in it.
    """

    host: str
    token: str | None = field(default=None, repr=False)
    ssl_ca_cert: str | os.PathLike[str] | None = None
    cert_file: str | os.PathLike[str] | None = None
    key_file: str | os.PathLike[str] | None = None
    verify_ssl: bool = True
    proxy: str | None = field(default=None, repr=False)
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    assert_hostname: str | bool | None = None
    debug: bool = False

    def __post_init__(self) -> None:
        address = re.fullmatch(r"https?://(?P<user>[^/@]*@)?[^/@\s]+(/\S*)?", str(self.host))
        if not address or address["user"]:
            what = "holds a user name" if address else f"is {self.host!r}, which is no URL"
            raise InvalidArgumentError(
                f"KubeAuth's host {what}", cure="Give https://address:port; a name goes to username and password."
            )
        if (self.username is None) != (self.password is None) or (self.token and self.username is not None):
            raise InvalidArgumentError("KubeAuth takes a token, or username and password together")
        if self.key_file and not self.cert_file:
            raise InvalidArgumentError("KubeAuth's key_file is nothing without cert_file")
        for name in ("ssl_ca_cert", "cert_file", "key_file"):
            if path := getattr(self, name):  # helm resolves them from another folder
                object.__setattr__(self, name, str(Path(path).expanduser().absolute()))

    async def load(self) -> Credentials:  # noqa: D102 - the base says it
        configuration = Configuration(host=self.host.rstrip("/"))
        for name in ("ssl_ca_cert", "cert_file", "key_file", "verify_ssl", "proxy", "assert_hostname"):
            setattr(configuration, name, getattr(self, name))
        configuration.tls_server_name = self._server_name
        if self.token:
            configuration.api_key["BearerToken"] = f"Bearer {self.token}"
        if self.username is not None:
            pair = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
            configuration.api_key["BearerToken"] = f"Basic {pair}"
        login = "Give KubeAuth a token that is valid, such as kubectl create token prints, or use KubeConfig()."
        return Credentials("KubeAuth", configuration, kubeconfig=self._kubeconfig(), login=login)

    @property
    def _server_name(self) -> str | None:
        return self.assert_hostname if isinstance(self.assert_hostname, str) else None

    def _kubeconfig(self) -> dict[str, Any]:
        cluster = {
            "server": self.host,
            "certificate-authority": self.ssl_ca_cert if self.verify_ssl else None,  # helm refuses both
            "insecure-skip-tls-verify": not self.verify_ssl,
            "tls-server-name": self._server_name,
            "proxy-url": self.proxy,
        }
        user = {
            "token": self.token,
            "username": self.username,
            "password": self.password,
            "client-certificate": self.cert_file,
            "client-key": self.key_file or self.cert_file,
        }
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "it", "cluster": {key: item for key, item in cluster.items() if item}}],
            "users": [{"name": "it", "user": {key: item for key, item in user.items() if item}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "current-context": "it",
        }


ClusterAuth.DEFAULT = [InCluster(), KubeConfig()]
