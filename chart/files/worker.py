"""Worker preload: a listening socket is open exactly while the worker is in service.

The pod's readiness probe is a `tcpSocket` on it, which the kernel answers, so a worker whose user code holds the GIL
stays Ready. In service means: registered with the scheduler and not retiring. Standard library, distributed and
tornado only, as this runs in any Dask image.
"""

import os
import socket

from distributed.core import Status
from tornado.ioloop import PeriodicCallback

PORT = int(os.environ.get("READINESS_PORT", "8791"))
INTERVAL = 100  # milliseconds
IN_SERVICE = {Status.running, Status.paused}


class Readiness:
    """Opens and closes the socket as the worker's state asks for."""

    def __init__(self, worker, port=PORT):
        self.worker, self.port = worker, port
        self.socket = None
        self.callback = PeriodicCallback(self.update, INTERVAL)

    def update(self):
        """Do what the worker's state asks for."""
        in_service = self.worker.status in IN_SERVICE
        if in_service and self.socket is None:
            self.open()
        elif not in_service and self.socket is not None:
            self.close()

    def open(self):
        """Listen; several workers in a pod (--nworkers) share the port, so the pod is Ready while one is in service."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("0.0.0.0", self.port))
        listener.listen(128)
        listener.setblocking(False)
        self.socket = listener
        self.worker.loop.add_handler(listener, self.accept, self.worker.loop.READ)

    def accept(self, listener, events):
        """Take leave of whoever knocked: the kernel has told them what they wanted to know."""
        try:
            while True:
                listener.accept()[0].close()
        except OSError:
            pass

    def close(self):
        """Stop listening."""
        if self.socket is not None:
            self.worker.loop.remove_handler(self.socket)
            self.socket.close()
            self.socket = None


def dask_setup(worker):
    """Begin with the worker."""
    worker.readiness = Readiness(worker)
    worker.readiness.callback.start()


def dask_teardown(worker):
    """End with the worker."""
    worker.readiness.callback.stop()
    worker.readiness.close()
