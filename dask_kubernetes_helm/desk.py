"""The door to the scheduler: every request about scaling that Python makes of it.

Belongs here: one method per request, asked again while the scheduler can't be reached, and what a refusal means. Never
here: Kubernetes, or the order of acts (scaling.py has it). The other side is desk.py in chart/files.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.errors import (
    HelmClusterError,
    PreloadMissingError,
    ResultsAtStakeError,
    ScaleConflictError,
    SchedulerUnreachableError,
)


class ForgottenError(HelmClusterError):
    """The scheduler does not know what it is asked after."""


Reply = dict[str, Any]

#: Seconds for which a scheduler that can't be reached is asked again; see `scaling.PATIENCE`.
PATIENCE = 65.0
#: Seconds that a scheduler has for telling what it knows.
ANSWER = 10.0
_RETRY = 0.5


class Desk:
    """The release's scheduler, as far as scaling goes.

    Parameters
    ----------
    scheduler : callable
        Gives the scheduler as Dask's `rpc` has it.
    """

    def __init__(self, scheduler: Callable[[], Any]) -> None:
        self._scheduler = scheduler

    async def begin(self, check: Callable[[], None], **order: Any) -> Reply | None:
        """Have a group's surplus emptied; None where the scheduler lacks the chart's preload.

        Raises
        ------
        ScalingError
            The scheduler refuses.
        """
        state = await self._ask(check, "scaling_begin", **order)
        if state and "refused" in state:
            raise _refusal(order["group"], state)
        return state  # type: ignore[no-any-return] # what comes over a comm has no type

    async def look(self, check: Callable[[], None], number: str) -> Reply:
        """How it stands; comes back when that has changed, or after a second.

        Raises
        ------
        ForgottenError
            The scheduler has restarted in between.
        """
        state = dict(await self._ask(check, "scaling_look", number=number))
        if state["phase"] == contract.UNKNOWN:
            raise ForgottenError("The scheduler has restarted meanwhile")
        return state

    async def end(self, number: str, outcome: str, **done: Any) -> None:
        """Tell that the number of pods was patched (to `replicas`), or won't be."""
        await self._ask(lambda: None, "scaling_end", number=number, outcome=outcome, **done)

    async def end_badly(self, number: str, outcome: str, calls: int) -> None:
        """Tell that the number of pods won't be patched; asked once, as it undoes itself in any case."""
        await self._scheduler().scaling_end(number=number, outcome=outcome, calls=calls)

    async def record(self, **entry: Any) -> None:
        """Write down what was done without the scheduler."""
        await self._scheduler().scaling_record(**entry)

    async def history(self) -> list[Reply]:
        """What the scheduler has in its journal.

        Raises
        ------
        SchedulerUnreachableError
        """
        try:
            return list(await asyncio.wait_for(self._scheduler().scaling_history(), ANSWER) or [])
        except (OSError, asyncio.TimeoutError) as error:
            raise SchedulerUnreachableError(
                f"The scheduler, which has the journal, does not answer: {str(error) or f'nothing in {ANSWER:.0f} s'}",
                cure="cluster.connection tells whether it can be reached; cluster.diagnose() what is wrong with it.",
            ) from error

    # The agent ------------------------------------------------------------------------------------------

    async def adapt(self, **order: Any) -> Reply | None:
        """Have the agent follow a group's work; None where there is no agent."""
        return await self._scheduler().scaling_adapt(**order)  # type: ignore[no-any-return]

    async def rest(self, group: str) -> Reply:
        """Have the agent leave a group's number alone; empty where there is no agent."""
        return dict(await self._scheduler().scaling_rest(group=group) or {})

    async def attend(self, who: str) -> Reply | None:
        """Tell the agent that this process is there; None where there is no agent."""
        return await self._scheduler().scaling_attend(who=who)  # type: ignore[no-any-return]

    async def tell_settings(self, text: str) -> None:
        """Tell the agent of settings that the file in its pod will have in a while."""
        await self._scheduler().scaling_settings(text=text)

    # Asking ---------------------------------------------------------------------------------------------

    async def _ask(self, check: Callable[[], None], request: str, **arguments: Any) -> Any:
        """Ask again while it can't be reached, and while `check` does not raise."""
        deadline = time.monotonic() + PATIENCE
        while True:
            check()
            try:
                return await getattr(self._scheduler(), request)(**arguments)
            except OSError as error:
                if time.monotonic() > deadline:
                    raise SchedulerUnreachableError(
                        f"The scheduler can't be reached any more: {error}",
                        cure="What was begun undoes itself within two minutes. Try again.",
                    ) from error
                await asyncio.sleep(_RETRY)


def _refusal(group: str, state: Reply) -> HelmClusterError:
    if state["refused"] == "strangers":
        return PreloadMissingError(
            f"{len(state['workers'])} workers lack the chart's preload, {state['workers'][0]} among them, so "
            "Kubernetes would pick the pods that leave, results and all",
            cure="Restart them with the packaged chart (cluster.upgrade()), or give force=True.",
        )
    if state["refused"] == "busy":
        return ScaleConflictError(
            f"{state['who']} is scaling group {group} just now ({state['why']})", cure="Try again when that is done."
        )
    return ResultsAtStakeError(
        f"Without a worker {state['results']} results ({state['bytes']} bytes) and {state['tasks']} running tasks "
        "would be lost",
        cure="Gather what you need, keep a worker, or give force=True.",
    )
