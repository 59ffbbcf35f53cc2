"""Time limits: kept, and never in the way of who wants to end."""

from __future__ import annotations

import asyncio

import pytest

from dask_kubernetes_helm.deadlines import within


async def give(value: str, after: float = 0.0) -> str:
    await asyncio.sleep(after)
    return value


async def test_what_comes_in_time() -> None:
    """A result or an error that comes in time is told; what does not is ended."""
    assert await within(give("it"), 10) == "it"
    assert await within(give("it"), None) == "it"
    late = asyncio.ensure_future(give("late", 60))
    with pytest.raises(asyncio.TimeoutError):
        await within(late, 0.01)
    assert late.cancelled()


async def test_an_error_is_the_awaitables_own() -> None:
    """What the awaitable raises is raised, a cancellation of its own included."""

    async def wrong() -> str:
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        await within(wrong(), 10)
    task = asyncio.ensure_future(give("it", 60))
    asyncio.get_running_loop().call_later(0.01, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await within(task, 10)


@pytest.mark.parametrize("rounds", range(6))
async def test_a_cancellation_in_the_very_moment(rounds: int) -> None:
    """Who is cancelled just as the result comes is cancelled, and the result is dropped rather than forgotten."""
    coming: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    dropped: list[str] = []
    waiting = asyncio.ensure_future(within(coming, 10, dropped.append))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    coming.set_result("it")
    for _ in range(rounds):
        await asyncio.sleep(0)
    if waiting.done():
        assert waiting.result() == "it"
        return
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert dropped == ["it"]
