"""Waiting for something for so long and no longer.

Belongs here: time limits of coroutines. Never here: how long a limit is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def within(awaitable: Awaitable[T], seconds: float | None, drop: Callable[[T], object] | None = None) -> T:
    """What is awaited, if it comes in time.

    Until Python 3.12 `asyncio.wait_for` forgets that it was cancelled where what it waits for comes in that very moment
    (https://github.com/python/cpython/issues/86296); so whoever cancels once, and waits for the end, may wait for long.

    Parameters
    ----------
    awaitable : awaitable
        Is cancelled when the time is over, or when this is.
    seconds : float, optional
        For how long; None: without a limit.
    drop : callable, optional
        Gets what has come where nobody takes it any more, as this was cancelled.

    Raises
    ------
    asyncio.TimeoutError
        It did not come in time.
    """
    task = asyncio.ensure_future(awaitable)
    try:
        await asyncio.wait((task,), timeout=seconds)
    except asyncio.CancelledError:
        task.cancel()
        (late,) = await asyncio.gather(task, return_exceptions=True)
        if drop is not None and not isinstance(late, BaseException):
            drop(late)
        raise
    if not task.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if task.cancelled():
            raise asyncio.TimeoutError
    return task.result()
