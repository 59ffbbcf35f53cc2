"""Simulated workers: what a scheduler sees of a worker, without one.

Belongs here: a worker's answers on its stream, after the time that a real one needs. Never here: pods. What a worker
would have to compute or to transfer is taken for done; an order that no worker here should get is an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable

from distributed.batched import BatchedSend
from distributed.comm import Comm, CommClosedError
from distributed.core import Status
from distributed.versions import get_versions

#: Seconds until a worker answers, and until it has received a result from another.
_ANSWER, _TRANSFER = 0.002, 0.01
_MEMORY, _VERSIONS = 1 << 30, get_versions()
_METRICS = {
    "bandwidth": {"total": 1e8, "workers": {}, "types": {}},
    "digests_total_since_heartbeat": {},
    "spilled_bytes": {"memory": 0, "disk": 0},
    "memory": 60 << 20,
    "cpu": 1.0,
    "event_loop_interval": 0.02,
    "managed_bytes": 0,
}


class Stream(Comm):
    """The scheduler's end of a connection to a simulated worker."""

    def __init__(self, address: str, hear: Callable[[dict], None]) -> None:
        super().__init__(deserialize=False)
        self._address, self._hear = address, hear
        self._messages: asyncio.Queue = asyncio.Queue()
        self._closed = False

    def say(self, message: dict) -> None:
        """Have the scheduler read a message."""
        self._messages.put_nowait([message])

    async def read(self, deserializers=None):  # noqa: ARG002 - the base class's
        message = None if self._closed else await self._messages.get()
        if message is None:
            raise CommClosedError("the pod is gone")
        return message

    async def write(self, msg, serializers=None, on_error=None):  # noqa: ARG002 - the base class's
        if self._closed:
            raise CommClosedError("the pod is gone")
        for message in msg if isinstance(msg, list) else []:
            self._hear(message)
        return 1

    async def close(self):
        self.abort()

    def abort(self):
        if not self._closed:
            self._closed = True
            self._messages.put_nowait(None)

    def closed(self):
        return self._closed

    @property
    def local_address(self):
        return "tcp://127.0.0.1:1"

    @property
    def peer_address(self):
        return self._address


class Sender(BatchedSend):
    """What the scheduler sends by, but for the news that some other worker is gone.

    Dask sends these to each; with thousands that go, one process can't take them for thousands that stay.
    """

    def send(self, *msgs):
        msgs = [message for message in msgs if message["op"] != "remove-worker"]
        if msgs:
            super().send(*msgs)


class SimulatedWorker:
    """One worker, idle but for the results that it holds.

    Parameters
    ----------
    pod : str
        Its pod's name, which is its own.
    address : str
        What the scheduler knows it by.
    changed : callable
        Told of the pod and whether it is in service, as the readiness preload tells the kubelet.
    nbytes : int
        Size of every result.
    """

    def __init__(self, pod: str, address: str, changed: Callable[[str, bool], None], nbytes: int) -> None:
        self.pod, self.address, self._changed, self._nbytes = pod, address, changed, nbytes
        self.computed: Counter = Counter()
        self.stream = Stream(address, self._hear)
        self._loop = asyncio.get_running_loop()
        self.task: asyncio.Task | None = None

    def register(self, scheduler) -> None:
        """Begin, as with `dask worker --name=<pod>` and the chart's preload."""
        registering = scheduler.add_worker(
            self.stream,
            address=self.address,
            status=Status.running.name,
            server_id=f"Worker-{self.pod}",
            nthreads=1,
            name=self.pod,
            resolve_address=False,
            now=time.time(),
            resources={},
            memory_limit=_MEMORY,
            metrics=_METRICS,
            services={},
            local_directory="/dask",
            versions=_VERSIONS,
            nanny="",
            extra={"dask-kubernetes-helm": {"pod": self.pod, "group": "default"}},
            stimulus_id=f"register-{self.pod}",
        )
        self.task = asyncio.ensure_future(registering)

    async def end(self) -> None:
        """Be gone, as with a pod that Kubernetes has deleted."""
        self.stream.abort()
        if self.task:
            with contextlib.suppress(asyncio.CancelledError):
                await self.task

    def _hear(self, message: dict) -> None:
        getattr(self, "_on_" + message["op"].replace("-", "_"))(message)

    def _say(self, after: float, op: str, message: dict, **more) -> None:
        self._loop.call_later(after, self.stream.say, {"op": op, "stimulus_id": message["stimulus_id"], **more})

    def _on_worker_status_change(self, message: dict) -> None:
        self._loop.call_later(_ANSWER, self._changed, self.pod, message["status"] == Status.running.name)
        self._say(_ANSWER, message["op"], message, status=message["status"])

    def _on_compute_task(self, message: dict) -> None:
        self.computed[message["key"]] += 1
        now = time.time()
        self._say(
            _ANSWER,
            "task-finished",
            message,
            status="OK",
            key=message["key"],
            run_id=message["run_id"],
            nbytes=self._nbytes,
            type=b"",
            typename="bytes",
            metadata={},
            thread=1,
            startstops=[{"action": "compute", "start": now, "stop": now + _ANSWER}],
        )

    def _on_acquire_replicas(self, message: dict) -> None:
        self._say(_TRANSFER, "add-keys", message, keys=list(message["who_has"]))

    def _on_remove_replicas(self, message: dict) -> None:
        """Nothing is answered where it is obeyed."""

    def _on_free_keys(self, message: dict) -> None:
        """Nothing is answered."""
