"""New certificates taken up by a process that runs, without a restart and without losing a connection.

Kubernetes renews mounted files within a minute or two. Belongs here: seeing that, and giving the certificates to
whatever connects or listens from then on; connections that are there stay. Never here: making certificates.

Source: https://kubernetes.io/docs/concepts/configuration/secret/#mounted-secrets-are-updated-automatically
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from time import monotonic
from typing import Any

from distributed import Client

logger = logging.getLogger("distributed.renewing")

#: Seconds between looks at the files.
_LOOK = 5.0
#: Seconds until all pods of a release have the files, and trust another authority.
_SPREAD = 150.0


class Renewal:
    """The certificates of a scheduler, a worker or a nanny.

    Where the authorities have changed as well, the new ones are trusted at once, but a certificate of theirs is shown
    only when all other pods have had the time to trust them; those that have left the file are trusted until then.

    Parameters
    ----------
    server : distributed.Server
        Whose.
    role : str
        ``"scheduler"`` or ``"worker"``.
    """

    def __init__(self, server: Any, role: str) -> None:
        self._server, self._role = server, role
        config = server.security.get_tls_config_for_role(role)
        self._files = [Path(config[name]) for name in ("ca_file", "cert", "key")] if _are_files(config) else []
        self._shown = self._texts()
        self._trusted = self._shown[:1]
        self._due = 0.0

    @property
    def is_possible(self) -> bool:
        """Whether there are files that may be renewed."""
        return bool(self._files)

    def _texts(self) -> list[bytes]:
        return [path.read_bytes() for path in self._files]

    def look(self, now: float) -> bool:
        """Take up what is new, as far as it is time; whether there was a new certificate to show."""
        try:
            found = self._texts()
            if found == self._shown:
                return False
            if found[:1] != self._trusted:
                self._trust()
                self._trusted, self._due = found[:1], now + _SPREAD
            if now < self._due:
                return False
            self._show()
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError: half of the files may be new
            logger.warning("new certificates can't be used yet: %s", error)
            return False
        self._shown = found
        logger.info("new certificates are in use")
        return True

    def _trust(self) -> None:
        for context in self._contexts():
            context.load_verify_locations(self._files[0])
        logger.info("other authorities are trusted from now on")

    def _show(self) -> None:
        """Have new contexts take the place of the old ones: a context can learn to trust, but not to stop."""
        security = self._server.security
        connecting = security.get_connection_args(self._role)["ssl_context"]
        listening = security.get_listen_args(self._role)["ssl_context"]
        for arguments in self._connecting():
            arguments["ssl_context"] = connecting
        for listener in self._listening():
            listener.server_args["ssl_options"] = listener.tcp_server.ssl_options = listening

    def _contexts(self) -> list[Any]:
        used = [arguments["ssl_context"] for arguments in self._connecting()]
        return used + [listener.tcp_server.ssl_options for listener in self._listening()]

    def _connecting(self) -> list[dict[str, Any]]:
        """What the process connects with: the server, and clients that tasks have made by the same files."""
        mine = [self._server.connection_args]
        clients = list(Client._instances)  # noqa: SLF001 - Dask tells of them nowhere else
        mine += [client.connection_args for client in clients if client.security.tls_ca_file == str(self._files[0])]
        return [arguments for arguments in mine if arguments.get("ssl_context") is not None]

    def _listening(self) -> list[Any]:
        listeners = [item for item in self._server.listeners if "ssl_options" in getattr(item, "server_args", ())]
        return [item for item in listeners if item.tcp_server is not None]


def _are_files(config: dict[str, Any]) -> bool:
    """Whether certificates are given by path; without any there is nothing to renew, and a text never changes."""
    given = [config.get(name) for name in ("ca_file", "cert", "key")]
    return all(item and "\n" not in item for item in given)


def start(server: Any, role: str) -> None:
    """Renew a server's certificates as long as its process runs."""
    renewal = Renewal(server, role)
    if renewal.is_possible:
        server.renewing = asyncio.ensure_future(_run(renewal))


async def _run(renewal: Renewal) -> None:
    while True:
        await asyncio.sleep(_LOOK)
        renewal.look(monotonic())
