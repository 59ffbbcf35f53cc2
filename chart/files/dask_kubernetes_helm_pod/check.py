"""What `helm test` runs in a pod of its own: `python -m dask_kubernetes_helm_pod.check ADDRESS SECONDS`.

Belongs here: computing on the workers as any client does, and one sentence on what came of it. Never here: waiting for
numbers of workers: work is what makes an adaptive release start some.
"""

from __future__ import annotations

import asyncio
import sys
from time import monotonic

from distributed import Client, Future, TimeoutError, wait  # noqa: A004 - Dask's own, of which asyncio's is one

#: Tasks, each the square of its number.
_TASKS = 100


class CheckError(Exception):
    """What does not work, and what to look at."""


async def check(address: str, seconds: float) -> str:
    """Compute on the workers, and move results from one to the other; what was done.

    Raises
    ------
    CheckError
        The scheduler or the workers did not do it in time, or not rightly.
    """
    deadline = monotonic() + seconds
    try:
        client = await Client(address, asynchronous=True, timeout=seconds)
    except OSError as error:
        raise CheckError(f"No connection to the scheduler at {address} within {seconds:g} s: {error}") from error
    async with client:
        squares = client.map(pow, range(_TASKS), [2] * _TASKS, pure=False)
        await _done(client, squares, deadline, seconds)
        workers = list(await client.nthreads())
        # One part on each worker, and all on the first.
        parts = [
            client.submit(sum, squares[index :: len(workers)], workers=[worker], allow_other_workers=True, pure=False)
            for index, worker in enumerate(workers)
        ]
        total = client.submit(sum, parts, workers=workers[:1], allow_other_workers=True, pure=False)
        await _done(client, [total], deadline, seconds)
        expected, found = sum(number**2 for number in range(_TASKS)), await total
    if found != expected:
        raise CheckError(f"The workers computed {found} in the place of {expected}")
    return f"{_TASKS} tasks on {len(workers)} workers: the sum of their squares is {found}"


async def _done(client: Client, futures: list[Future], deadline: float, seconds: float) -> None:
    """Wait for futures; the error of one of them is raised as it is."""
    try:
        await wait(futures, timeout=max(0.1, deadline - monotonic()))
    except TimeoutError as error:
        workers = len(await client.nthreads())
        if workers:
            raise CheckError(f"{workers} workers are there, but did not finish within {seconds:g} s") from error
        raise CheckError(
            f"No worker came within {seconds:g} s. See why with kubectl describe pods, or scale up where the number of "
            "workers is 0."
        ) from error


def main() -> None:
    """Say what came of it; fail where it did not work."""
    try:
        sys.stdout.write(asyncio.run(check(sys.argv[1], float(sys.argv[2]))) + "\n")
    except CheckError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
