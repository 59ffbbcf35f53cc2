"""What a way to authenticate came to: headers and TLS for our requests, an environment for helm, and when it ends.

Belongs here: using credentials. Never here: from where they come (ways.py), or requests (transport.py). No credential
reaches an argument list, a repr or a log.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import hashlib
import json
import ssl
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException

from dask_kubernetes_helm.errors import KubeConfigError


@dataclass(frozen=True)
class Credentials:
    """What one way of authentication came to.

    Attributes
    ----------
    origin : str
        Where they come from, for messages.
    namespace : str, optional
        The namespace that they suggest.
    expires : datetime, optional
        When they end, where that is known.
    login : str
        How to come by others, as a sentence.
    renew : coroutine function, optional
        Reads them anew from where they came from: a kubeconfig's same context, whichever is the current one by then.
    """

    origin: str
    configuration: Configuration = field(repr=False)
    namespace: str | None = None
    environment: dict[str, str] = field(default_factory=dict, repr=False)
    kubeconfig: dict[str, Any] | None = field(default=None, repr=False)
    expires: dt.datetime | None = None
    login: str = "Log in again, or give others."
    renew: Callable[[], Awaitable[Credentials]] | None = field(default=None, repr=False, compare=False)

    @property
    def server(self) -> str:
        """Address of the API server."""
        return str(self.configuration.host)

    @property
    def expired(self) -> bool:
        """Whether they are known to have ended."""
        return self.expires is not None and self.expires <= dt.datetime.now(dt.timezone.utc)

    @functools.cached_property
    def tls(self) -> tuple[ssl.SSLContext, str]:
        """How the server is judged and who we are to it; and a digest that tells whether that has changed.

        Raises
        ------
        KubeConfigError
            When a file is missing or is no certificate.
        """
        settings = self.configuration
        with self._explained("certificate-authority", settings.ssl_ca_cert):
            context = ssl.create_default_context(cafile=settings.ssl_ca_cert)
        with self._explained("client certificate", settings.cert_file):
            if settings.cert_file:
                context.load_cert_chain(settings.cert_file, settings.key_file)
            files = [
                path and Path(path).read_bytes()
                for path in (settings.ssl_ca_cert, settings.cert_file, settings.key_file)
            ]
        if not settings.verify_ssl or settings.assert_hostname is False:
            context.check_hostname = False
        if not settings.verify_ssl:
            context.verify_mode = ssl.CERT_NONE
        # As kubectl and helm judge certificates: from 3.13 on Python refuses authorities that lack formalities of
        # RFC 5280, which those of many a cluster do. https://docs.python.org/3/library/ssl.html#ssl.create_default_context
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        settled = repr((files, settings.verify_ssl, settings.assert_hostname))
        return context, hashlib.sha256(settled.encode()).hexdigest()

    @contextlib.contextmanager
    def _explained(self, what: str, path: str | None) -> Iterator[None]:
        try:
            yield
        except OSError as error:  # ssl's errors are such
            reason = getattr(error, "reason", None) or error.strerror or str(error)
            raise KubeConfigError(f"The {what} of {self.origin} can't be used: {path}: {reason}") from error

    async def headers(self) -> dict[str, str]:
        """What to send along with a request.

        Raises
        ------
        KubeConfigError
            When a token file that is read again can't be.
        """
        try:
            settings = await self.configuration.auth_settings()  # for a pod's token, reads the file again each minute
        except (ConfigException, OSError) as error:
            raise KubeConfigError(f"The token of {self.origin} can't be read: {error}") from error
        return {item["key"]: str(item["value"]).strip() for item in settings.values() if item["in"] == "header"}

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
