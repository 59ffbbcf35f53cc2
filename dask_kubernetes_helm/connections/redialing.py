"""A stream opened with patience: again and again while whoever wants it is there, and one attempt at a time.

Belongs here: when to try again. Never here: how a stream is opened (kube.py), or who wants one (tunnel.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from dask_kubernetes_helm.connections.health import Health
from dask_kubernetes_helm.errors import ForbiddenError, HelmClusterError
from dask_kubernetes_helm.kubeapi import retrying

S = TypeVar("S")

#: Seconds that one attempt may take, and most between two; what comes back is used within two of these.
_ATTEMPT, _LONGEST = 30.0, 2.0


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
    """

    def __init__(
        self, dial: Callable[[], Awaitable[S]], health: Health, final: tuple[type[Exception], ...] = ()
    ) -> None:
        self._dial, self._health = dial, health
        self._final: tuple[type[Exception], ...] = (ForbiddenError, *final)
        self._failed = 0
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
            stream = await asyncio.wait_for(self._dial(), _ATTEMPT)
        except self._final as error:
            self._health.lost(error)
            raise
        except (HelmClusterError, OSError, asyncio.TimeoutError) as error:
            self._failed += 1
            said = error if str(error) else TimeoutError(f"no answer within {_ATTEMPT:.0f} s")
            self._health.lost(said)
            return None
        self._failed = 0
        return stream
