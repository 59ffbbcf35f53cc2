"""A `Security` that follows the release's Secret: connections made after a rotation have what is new.

Belongs here: what Dask's Client is given, and its contexts. Never here: reading the Secret (release.py).

Source: https://distributed.dask.org/en/stable/tls.html
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Any

from distributed.security import Security

#: Seconds until all pods trust another authority; renewing.py in chart/files waits as long.
SPREAD = 150.0


class ReleaseSecurity(Security):  # type: ignore[misc]
    """Certificates of a release, for all that connects to it.

    Dask makes a context whenever it is asked for one, and keeps it. This gives the same one to all, so that what is
    renewed in it counts for a Client that has been there for long.

    Parameters
    ----------
    texts : mapping
        PEM by ``ca``, ``cert`` and ``key``.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts, self._due = dict(texts), 0.0
        self._contexts: dict[str, Any] = {}
        self._told(texts)

    def _told(self, texts: Mapping[str, str]) -> None:
        roles = {f"tls_{role}_{kind}": texts[kind] for role in ("client", "worker") for kind in ("cert", "key")}
        super().__init__(tls_ca_file=texts["ca"], require_encryption=True, **roles)

    def __reduce__(self) -> Any:
        """A context can't be sent elsewhere; what it is made of can."""
        return type(self), (self._texts,)

    def get_connection_args(self, role: str) -> dict[str, Any]:
        """What Dask needs to connect, with the one context of a role."""
        arguments = super().get_connection_args(role)
        arguments["ssl_context"] = self._contexts.setdefault(role, arguments["ssl_context"])
        return dict(arguments)

    def renew(self, texts: Mapping[str, str], now: float | None = None) -> None:
        """Take up what the Secret has now: trust it at once, show it when all pods trust it."""
        now = monotonic() if now is None else now
        if texts["ca"] != self._texts["ca"]:
            for context in self._contexts.values():
                context.load_verify_locations(cadata=texts["ca"])
            self._due = now + SPREAD
            self._texts["ca"] = texts["ca"]
        if now >= self._due and texts["cert"] != self._texts["cert"]:
            with tempfile.TemporaryDirectory() as folder:
                for name in ("cert", "key"):
                    (Path(folder) / name).write_text(texts[name], encoding="utf-8")
                for context in self._contexts.values():
                    context.load_cert_chain(f"{folder}/cert", f"{folder}/key")
            self._texts = dict(texts)
        self._told(self._texts)
