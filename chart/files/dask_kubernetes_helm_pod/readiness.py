"""A socket listens exactly while the worker is in service, and the pod is Ready exactly while it does.

In service means registered with the scheduler and not retiring. The kernel answers the probe (a `tcpSocket`), so a
worker whose user code holds the GIL stays Ready. Belongs here: what a worker tells Kubernetes about itself. Never here:
what needs more than the standard library, distributed and tornado, as this runs in any Dask image; or calls of the
Kubernetes API, for which workers have no token.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from typing import Any

from tornado.ioloop import PeriodicCallback

from dask_kubernetes_helm_pod import facts

INTERVAL = 100  # milliseconds
#: Probes that wait for Python to take them; one comes each second, and once this is full the kernel answers no more.
BACKLOG = 4096

logger = logging.getLogger("distributed.worker.readiness")


class Readiness:
    """Opens and closes the socket as the worker's state asks for."""

    def __init__(self, worker: Any) -> None:
        self.worker = worker
        self.port = int(os.environ.get("DASKHELM_READINESS_PORT", "8791"))
        self.listener: socket.socket | None = None
        self.refused = False
        self.callback = PeriodicCallback(self.update, INTERVAL)

    def update(self) -> None:
        """Do what the worker's state asks for."""
        in_service = self.worker.status in facts.IN_SERVICE
        if in_service and self.listener is None:
            self.open()
        elif not in_service:
            self.close()

    def open(self) -> None:
        """Listen, or say once why that can't be, and try again."""
        try:
            self.listener = _listen(self.port)
        except OSError as error:
            if not self.refused:
                logger.warning("This pod can't become Ready: nothing can listen on port %d: %s", self.port, error)
            self.refused = True
            return
        self.refused = False
        self.worker.loop.add_handler(self.listener, _take_leave, self.worker.loop.READ)

    def close(self) -> None:
        """Stop listening; harmless when nothing listens."""
        if self.listener is not None:
            self.worker.loop.remove_handler(self.listener)
            self.listener.close()
            self.listener = None


def _listen(port: int) -> socket.socket:
    """Listen on IPv4 and IPv6; several workers in a pod (--nworkers) share the port, so one in service is enough."""
    dualstack = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if dualstack else socket.AF_INET
    listener = socket.create_server(
        ("", port), family=family, backlog=BACKLOG, reuse_port=True, dualstack_ipv6=dualstack
    )
    listener.setblocking(False)
    return listener


def _take_leave(listener: socket.socket, events: int) -> None:
    """Hang up on whoever knocked: that the kernel answered is all they wanted to know."""
    with contextlib.suppress(OSError):
        while True:
            listener.accept()[0].close()
