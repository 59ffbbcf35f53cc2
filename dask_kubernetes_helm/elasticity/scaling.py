"""A worker group's number of pods, changed so that no result is lost.

Belongs here: the order of acts between Kubernetes and the scheduler. Never here: who leaves and how workers are emptied
(the scheduler does that, see chart/files), or details of either side's protocol beyond one call each.

To shrink, the scheduler takes the surplus out of service and empties it; as readiness follows, Kubernetes then sees
exactly these pods as not Ready, and these are the ones that it deletes first when the number is patched, once.
Source: https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#scaling-down-a-replicaset
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.desk import Desk, ForgottenError
from dask_kubernetes_helm.elasticity import rollout, steering
from dask_kubernetes_helm.errors import HelmClusterError, PreloadMissingError, ScaleConflictError
from dask_kubernetes_helm.releases.release import Release

logger = logging.getLogger(__name__)

#: Seconds for which an API server that can't be reached is tried again: less than the scheduler's `LEASE`, and
#: more than one takes to restart.
PATIENCE = 65.0
#: Seconds in which each pod's readiness has been probed.
_PROBED = 1.5
#: How often somebody else may change the number in between before we leave it to them.
_ATTEMPTS = 5


class SupersededError(HelmClusterError):
    """A newer wish for the same group has come."""


@dataclass(frozen=True)
class Wish:
    """What a call of `Scaling.scale` asks for: a group, its number of pods, and the call's other arguments."""

    group: str
    target: int
    force: bool
    timeout: float
    chosen: tuple[str, ...] = ()


class Scaling:
    """Changes the numbers of pods of a release's worker groups.

    Parameters
    ----------
    release : Release
        Whose.
    desk : Desk
        The door to its scheduler.
    agent : Steering
        Leaves a group's number to whoever scales it.
    """

    def __init__(self, release: Release, desk: Desk, agent: steering.Steering) -> None:
        self._release, self._desk, self._agent = release, desk, agent
        self._locks: dict[str, asyncio.Lock] = {}
        self._wishes: dict[str, Wish | None] = {}

    async def close(self) -> None:
        """End what is under way, with everybody back in service."""
        for group, lock in list(self._locks.items()):
            self._wishes[group] = None
            async with lock:
                pass

    async def scale(
        self, target: int, group: str | None, *, force: bool, timeout: float, chosen: tuple[str, ...] = ()
    ) -> None:
        """Give a group `target` pods; a newer call for the same group takes its place.

        Parameters
        ----------
        target : int
            How many pods.
        group : str, optional
            Which group.
        force : bool
            Also where results are lost by it.
        timeout : float
            Seconds that running tasks have to end.
        chosen : tuple of str
            Names of the pods that are to leave, in place of a target.

        Raises
        ------
        WorkerGroupNotFoundError, KubernetesError
        ScaleConflictError
            Somebody else changed the number meanwhile; it was left alone.
        ResultsAtStakeError
            Nobody would be left to hold the results.
        PreloadMissingError
            Kubernetes would have to pick who leaves.
        """
        group = group or contract.DEFAULT_GROUP
        self._release.deployment(group)
        self._wishes[group] = wish = Wish(group, target, force, timeout, chosen)
        act = _Act(self._release, self._desk, wish, lambda: self._wishes[group] is wish)
        async with self._locks.setdefault(group, asyncio.Lock()):
            with contextlib.suppress(SupersededError):
                try:
                    await self._agent.rest(group)
                    await act.run()
                except HelmClusterError as error:
                    raise error.concerning(self._release.name, self._release.namespace) from error.__cause__

    async def history(self) -> list[dict[str, Any]]:
        """What the scheduler has in its journal."""
        return await self._desk.history()


class _Act:
    """One wish carried out."""

    def __init__(self, release: Release, desk: Desk, wish: Wish, is_newest: Callable[[], bool]) -> None:
        self._release, self._kube, self._desk, self._wish = release, release.kube, desk, wish
        self._group, self._target = wish.group, wish.target
        self._is_newest, self._patience = is_newest, PATIENCE
        self._deployment = release.deployment(wish.group)
        self._began, self._calls = time.monotonic(), release.kube.calls
        why = f"scale_down({', '.join(wish.chosen)})" if wish.chosen else f"scale({wish.target})"
        self._told = {"who": steering.who(), "why": why, "group": wish.group}

    async def run(self) -> None:
        """Grow at once if the number is what it was; else look first."""
        if self._wish.chosen:
            await self._release_chosen()
            return
        seen = self._release.replicas[self._group]
        if self._target >= seen and await self._patch(seen, self._target):
            await self._record(seen)
            return
        for _ in range(_ATTEMPTS):
            self._check()
            seen = await rollout.finished(self._release, self._group, self._wish.timeout, PATIENCE, self._check)
            if seen == self._target:
                return
            if seen > self._target:
                with contextlib.suppress(ForgottenError):
                    await self._shrink(seen)
                    return
            elif await self._patch(seen, self._target):
                await self._record(seen)
                return
        raise self._conflict(seen)

    async def _release_chosen(self) -> None:
        """Let pods go by name: as many fewer as they are, whatever the number is."""
        seen = await rollout.finished(self._release, self._group, self._wish.timeout, PATIENCE, self._check)
        self._target = max(0, seen - len(self._wish.chosen))
        with contextlib.suppress(ForgottenError):
            await self._shrink(seen)

    async def _patch(self, seen: int, replicas: int) -> bool:
        done = await self._kube.scale(self._deployment, replicas, seen, self._patience)
        if done:
            self._release.replicas[self._group] = replicas
        return done

    async def _record(self, seen: int) -> None:
        """Have it written down; that may fail, as nothing depends on it."""
        entry = {**self._told, "seen": seen, "replicas": self._target, **self._cost()}
        logger.info("scaled group %s of release %s: %d -> %d", self._group, self._release.name, seen, self._target)
        with contextlib.suppress(OSError):
            await self._desk.record(**entry)

    def _cost(self) -> dict[str, Any]:
        return {"seconds": time.monotonic() - self._began, "calls": self._kube.calls - self._calls}

    # Shrinking ------------------------------------------------------------------------------------------

    async def _shrink(self, seen: int) -> None:
        number = uuid.uuid4().hex
        outcome = "interrupted"
        try:
            state = await self._emptied(number, seen)
            if state is None:
                await self._patch_blindly(seen)
                return
            replicas = min(seen, max(self._target, state["in_service"]))
            state = await self._voted_out(number, state)
            if replicas < seen and not await self._patch(seen, replicas):
                await self._check_conflict(seen, replicas)
            await self._desk.end(number, "done", replicas=replicas, calls=self._cost()["calls"])
            self._report(seen, replicas, state)
        except BaseException as error:
            outcome = str(error) or type(error).__name__
            with contextlib.suppress(Exception):
                await asyncio.shield(self._desk.end_badly(number, outcome, self._cost()["calls"]))
            raise

    async def _emptied(self, number: str, seen: int) -> dict[str, Any] | None:
        """How things stand once the surplus is empty; None where the scheduler can't do it and need not."""
        state = await self._desk.begin(
            self._check,
            number=number,
            deployment=self._deployment,
            target=self._target,
            seen=seen,
            timeout=self._wish.timeout,
            force=self._wish.force,
            chosen=self._wish.chosen,
            **self._told,
        )
        if state is None:
            if self._wish.force:
                return None
            raise PreloadMissingError(
                "The scheduler lacks the chart's preload, so Kubernetes would pick who leaves, results and all",
                cure="Upgrade the release to the packaged chart, or give force=True.",
            )
        while state["phase"] == contract.EMPTYING:
            state = await self._desk.look(self._check, number)
        return self._still_empty(state)

    def _still_empty(self, state: dict[str, Any]) -> dict[str, Any]:
        """The state, unless everybody is back in service: a patch would take workers that hold results."""
        if state["phase"] != contract.EMPTY:
            raise ScaleConflictError(
                f"Scaling group {self._group} to {self._target} was undone by the scheduler",
                cure="cluster.scaling_history() tells why; try again.",
            )
        return state

    async def _voted_out(self, number: str, state: dict[str, Any]) -> dict[str, Any]:
        """Wait until Kubernetes counts those in service, and only those, as Ready.

        Where not all were Ready before, one that is not Ready yet and one that still is could make up the right number
        for as long as a probe takes.
        """
        calm, since = 0.0 if self._release.ready[self._group] == self._release.replicas[self._group] else _PROBED, 0.0
        async with contextlib.aclosing(rollout.ready(self._release, self._group, PATIENCE)) as counts:
            async for ready in counts:
                state = self._still_empty(await self._desk.look(self._check, number))
                if ready != state["in_service"]:
                    since = 0.0
                    continue
                since = since or time.monotonic()
                if time.monotonic() - since >= calm:
                    break
            else:
                self._patience = 0.0  # a server that was away is not to find the patch before it finds the pods
                logger.warning(
                    "release %s: %d pods are Ready where %d workers are in service, so Kubernetes may take others",
                    self._release.name,
                    ready,
                    state["in_service"],
                )
        return state

    async def _patch_blindly(self, seen: int) -> None:
        logger.warning("release %s: Kubernetes picks the pods that leave, as it was forced to", self._release.name)
        if not await self._patch(seen, self._target):
            await self._check_conflict(seen, self._target)
        await self._record(seen)

    # What can come in between ---------------------------------------------------------------------------

    def _check(self) -> None:
        """Raise if this is not wanted any more."""
        if not self._is_newest():
            raise SupersededError("superseded by a newer wish")

    async def _check_conflict(self, seen: int, replicas: int) -> None:
        """Raise, unless the number is ours: the answer to our own patch may have been lost."""
        (deployment,) = await rollout.deployments(self._release, self._group, PATIENCE)
        self._release.replicas[self._group] = now = deployment["spec"].get("replicas", 1)
        if now != replicas:
            raise self._conflict(seen)

    def _conflict(self, seen: int) -> HelmClusterError:
        return ScaleConflictError(
            f"Somebody else has set group {self._group} to {self._release.replicas[self._group]} pods while it was "
            f"being scaled from {seen} to {self._target}; their number was left alone",
            cure="Agree on who scales, then try again.",
        )

    def _report(self, seen: int, replicas: int, state: dict[str, Any]) -> None:
        logger.info("scaled group %s of release %s: %d -> %d", self._group, self._release.name, seen, replicas)
        for kept in state["kept"]:
            logger.warning(
                "release %s: worker %s stays, with %d bytes: %s",
                self._release.name,
                kept["pod"],
                kept["nbytes"],
                kept["why"],
            )
