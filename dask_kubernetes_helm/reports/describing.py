"""What Dask tells of itself, for a bug report: versions, the scheduler's state, its journal.

Belongs here: asking the scheduler for it. Never here: what is left out of it (redaction.py), or the archive.

Source: https://distributed.dask.org/en/stable/api.html#distributed.Client.dump_cluster_state
"""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version
from typing import Any

from distributed.versions import get_versions

from dask_kubernetes_helm.desk import Desk

#: Seconds that a scheduler may take to tell anything at all, and all that it knows.
_ANSWER, _DUMP = 10.0, 45.0
#: What tasks compute is the user's, and may be large.
_EXCLUDED = ("run_spec",)


def parts(scheduler: Any, cluster: Mapping[str, Any]) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Coroutine functions by the name of the file that each gives.

    Parameters
    ----------
    scheduler : rpc
        The scheduler, as Dask's `rpc` has it.
    cluster : mapping
        What the cluster object says of itself.
    """

    async def answered() -> None:
        try:
            await asyncio.wait_for(scheduler.echo(data=None), _ANSWER)
        except (OSError, asyncio.TimeoutError) as error:
            raise ConnectionError(f"the scheduler does not answer: {str(error) or 'not in time'}") from error

    async def client() -> dict[str, Any]:
        ours = {"dask-kubernetes-helm": version("dask-kubernetes-helm"), "platform": platform.platform()}
        return {**get_versions(), "ours": ours, "cluster": dict(cluster)}

    async def others() -> dict[str, Any]:
        await answered()
        workers = await scheduler.broadcast(msg={"op": "versions"}, on_error="return")
        return {"scheduler": await scheduler.versions(), "workers": workers}

    async def dump() -> Any:
        await answered()
        return await asyncio.wait_for(scheduler.get_cluster_state(exclude=_EXCLUDED), _DUMP)

    async def history() -> list[dict[str, Any]]:
        await answered()
        return await Desk(lambda: scheduler).history()

    # JSON is YAML as well, which is what distributed.cluster_dump.DumpArtefact.from_url reads.
    return {
        "dask/client.json": client,
        "dask/versions.json": others,
        "dask/cluster-dump.yaml": dump,
        "dask/scaling-history.json": history,
    }
