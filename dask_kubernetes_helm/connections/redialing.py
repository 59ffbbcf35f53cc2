"""A stream opened with patience: again and again while whoever wants it is there, and one attempt at a time.

Belongs here: when to try again. Never here: how a stream is opened (kube.py), or who wants one (tunnel.py).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

from dask_kubernetes_helm.connections.health import Health
from dask_kubernetes_helm.deadlines import within
from dask_kubernetes_helm.errors import ForbiddenError, HelmClusterError
from dask_kubernetes_helm.kubeapi import retrying


class _Stream(Protocol):
    def abort(self) -> None: ...


S = TypeVar("S", bound=_Stream)

#: Seconds that one attempt may take, and most between two; what comes back is used within two of these.
_ATTEMPT, _LONGEST = 30.0, 2.0
#: Seconds for which what was allowed before may be refused.
_REFUSAL = 60.0


class Redialer(Generic[S]):
    """Opens streams; while that fails, all who want one share the attempts.

    Parameters
    ----------
    dial : coroutine function
        One attempt.
    health : Health
        Is told of failures; that a stream is of use, only its user can tell.
    final : tuple of exception classes
        What trying again would not change; a missing right in any case.
    allowed : bool
        Whether it is known that there is that right.
    """

    def __init__(
        self,
        dial: Callable[[], Awaitable[S]],
        health: Health,
        final: tuple[type[Exception], ...] = (),
        *,
        allowed: bool = False,
    ) -> None:
        self._dial, self._health = dial, health
        self._final: tuple[type[Exception], ...] = (ForbiddenError, *final)
        self._failed, self._refused, self._allowed = 0, 0.0, allowed
        self._turn = asyncio.Lock()

    async def __call__(self) -> S:
        """Open a stream, however long that takes.

        Raises
        ------
        HelmClusterError
            Trying again would change nothing.
        """
        if not self._failed and (stream := await self._attempt()) is not None:
            return stream
        async with self._turn:
            while True:
                if self._failed:
                    await asyncio.sleep(min(retrying.backoff(self._failed), _LONGEST))
                if (stream := await self._attempt()) is not None:
                    return stream

    async def _attempt(self) -> S | None:
        try:
            stream = await within(self._dial(), _ATTEMPT, lambda late: late.abort())
        except self._final as error:
            self._health.lost(error)
            if not isinstance(error, ForbiddenError) or not self._may_pass():
                raise
            self._failed += 1
            return None
        except (HelmClusterError, OSError, asyncio.TimeoutError) as error:
            self._failed += 1
            said = error if str(error) else TimeoutError(f"no answer within {_ATTEMPT:.0f} s")
            self._health.lost(said)
            return None
        self._failed, self._refused, self._allowed = 0, 0.0, True
        return stream

    def _may_pass(self) -> bool:
        """Whether a refusal is one of a server that has just begun, and does not know yet who may what."""
        self._refused = self._refused or time.monotonic()
        return self._allowed and time.monotonic() - self._refused < _REFUSAL
