"""What makes a cluster elastic: scaling, adapting, and worker groups.

Belongs here: these verbs, for any front. Never here: how a number is changed (scaling.py), how the agent is steered
(steering.py), or the life that every front shares (base.py).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from distributed.core import Status

from dask_kubernetes_helm import config, contract
from dask_kubernetes_helm.elasticity import adaptivity
from dask_kubernetes_helm.errors import InvalidArgumentError
from dask_kubernetes_helm.fronts import arguments
from dask_kubernetes_helm.fronts.base import ReleaseCluster

if TYPE_CHECKING:
    from dask_kubernetes_helm.elasticity.aftercare import Aftercare
    from dask_kubernetes_helm.elasticity.scaling import Scaling
    from dask_kubernetes_helm.elasticity.steering import Steering


class ElasticCluster(ReleaseCluster):
    """A cluster whose worker groups grow and shrink; its arguments are `ReleaseCluster`'s."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._scaling: Scaling | None = None
        self._steering: Steering | None = None
        self._aftercare: Aftercare | None = None
        self._adaptives: dict[str, adaptivity.Adaptive] = {}
        super().__init__(*args, **kwargs)

    @property
    def is_open(self) -> bool:
        """Whether it can be used."""
        return bool(self.status == Status.running)

    # Starting and ending --------------------------------------------------------------------------------

    async def _start(self) -> None:
        await super()._start()
        scaling, steering, aftercare, desk_of = await asyncio.to_thread(_doors)
        release, desk = self._open_release(), desk_of(lambda: self.scheduler_comm)
        self._aftercare = aftercare.Aftercare(release)
        self._steering = steering.Steering(release, desk, self._aftercare.go_on)
        self._scaling = scaling.Scaling(release, desk, self._steering)
        self._steering.start()
        await self._aftercare.begin()

    async def _leave(self) -> None:
        """Look after the workers no more."""
        if self._aftercare:
            await self._aftercare.rest()

    async def _end(self) -> None:
        if self._scaling and self._steering:
            await self._scaling.close()
            await self._steering.close()
        await self._leave()
        await super()._end()

    def _open_scaling(self) -> Scaling:
        self._open_release()
        if self._scaling is None:
            raise self._closed_error()
        return self._scaling

    def _open_steering(self) -> Steering:
        self._open_scaling()
        assert self._steering is not None
        return self._steering

    # Scaling --------------------------------------------------------------------------------------------

    def scale(
        self,
        n: int,
        worker_group: str | None = None,
        *,
        force: bool = False,
        timeout: float | str | None = None,
    ) -> Any:
        """Set the number of worker pods; no result is lost by it.

        Growing is one request to Kubernetes. To shrink, the scheduler first empties the pods that hold least, and
        Kubernetes then deletes exactly these. A newer call for the same group takes an older one's place, and ends
        adaptive scaling of the group.

        Parameters
        ----------
        n : int
            How many.
        worker_group : str, optional
            Which group; the default one if there are several.
        force : bool
            Also where results are lost by it: when nobody would be left to hold them, or where pods lack the chart's
            preload.
        timeout : float or str, optional
            Seconds, or text such as ``"5 minutes"``, that running tasks have to end; workers that are busy beyond, or
            whose results nobody has room for, stay, and a warning names them. By default ``kubernetes.drain-timeout``.

        Raises
        ------
        InvalidArgumentError, InvalidTypeError
            n is negative, or no integer.
        WorkerGroupNotFoundError, KubernetesError
        ScaleConflictError
            Somebody else changed the number meanwhile; theirs was left alone.
        ResultsAtStakeError
            Nobody would be left to hold the results, and `force` is not set.
        PreloadMissingError
            Kubernetes would have to pick the pods that leave, and `force` is not set.
        RolloutInProgressError
            A rollout of the workers did not end in time.

        Notes
        -----
        Kubernetes deletes pods that are not Ready before those that are:
        https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#scaling-down-a-replicaset

        Examples
        --------
        >>> cluster.scale(10)  # doctest: +SKIP
        """
        count = arguments.worker_count(n, "n")
        seconds = config.seconds(config.get("drain-timeout", timeout), "timeout")
        return self.sync(self._scale, count, worker_group, force=force, timeout=seconds)

    async def _scale(self, n: int, worker_group: str | None = None, *, force: bool = False, timeout: float) -> None:
        await self._carry_out(n, worker_group, force=force, timeout=timeout)

    async def _carry_out(
        self, n: int, worker_group: str | None, *, force: bool, timeout: float, chosen: tuple[str, ...] = ()
    ) -> None:
        """Change a group's number; of its pods the chosen ones leave, if any are."""
        scaling = self._open_scaling()
        if adaptive := self._adaptives.pop(worker_group or contract.DEFAULT_GROUP, None):
            adaptive.state = "stopped"
        release = self._open_release()
        before = sum(release.replicas.values())
        await self._leave()
        await scaling.scale(n, worker_group, force=force, timeout=timeout, chosen=chosen)
        if self._aftercare and sum(release.replicas.values()) > before:
            await self._aftercare.begin()

    def scaling_history(self) -> Any:
        """What was done to the number of workers, by whom and why, the newest last.

        Returns
        -------
        list of dict
            Each with time (ISO 8601, UTC), who, why, group, from and to (pods), seconds, calls (requests to the
            Kubernetes API), left (names of pods), kept (pod, nbytes and why) and outcome. The scheduler keeps the
            last thousand, whoever acted.

        Examples
        --------
        >>> cluster.scaling_history()[-1]["outcome"]  # doctest: +SKIP
        'done'
        """
        return self.sync(self._scaling_history)

    async def _scaling_history(self) -> list[dict[str, Any]]:
        return await self._open_scaling().history()

    def wait_for_workers(self, n_workers: int, timeout: float | str | None = None) -> Any:
        """Wait until so many workers, 1 or more, are there, or it is known that they can't come.

        Parameters
        ----------
        n_workers : int
            How many.
        timeout : float or str, optional
            As for `scale`; by default for ever.

        Raises
        ------
        InvalidArgumentError, InvalidTypeError
        StartError
            Their pods do not come up, or not in time.

        Examples
        --------
        >>> cluster.wait_for_workers(10, timeout="5 minutes")  # doctest: +SKIP
        """
        if arguments.worker_count(n_workers, "n_workers") == 0:
            raise InvalidArgumentError("n_workers is 0, and there is nothing to wait for", cure="Give 1, 2, 3, ...")
        if timeout is not None:
            config.seconds(timeout, "timeout")
        return self.sync(self._wait_for_workers, n_workers, timeout=timeout)

    async def _wait_for_workers(self, n_workers: int = 0, timeout: float | str | None = None) -> None:
        from dask_kubernetes_helm.elasticity import registering  # noqa: PLC0415 - see the module's charter

        release = self._open_release()
        limit = config.seconds(timeout, "timeout") if timeout is not None else float("inf")
        await self._leave()
        await registering.until_registered(release, self.scheduler_comm.identity, n_workers, limit, quiet=self.quiet)

    # Adapting -------------------------------------------------------------------------------------------

    def adapt(
        self,
        minimum: int | None = None,
        maximum: float | None = None,
        *,
        worker_group: str | None = None,
        **keywords: Any,
    ) -> adaptivity.Adaptive:
        """Have the number of worker pods follow the work.

        The agent in the scheduler does it, so it goes on when this process is gone. `scale` ends it.

        Parameters
        ----------
        minimum, maximum : int, optional
            Fewest and most pods; by default Dask's ``distributed.adaptive``.
        worker_group : str, optional
            Which group; the default one if there are several. Tasks that ask for Dask's abstract resources count for
            the group whose workers have them.
        interval, target_duration : float or str, optional
            Seconds between two thoughts, and in which the work that is there should be done; or text such as ``"5s"``.
        wait_count : int, optional
            Thoughts in a row that fewer pods must be enough for until there are fewer.
        scale_up_stabilization, scale_down_stabilization : float or str, optional
            Seconds for which more, or fewer, pods must have been wanted; the latter takes `wait_count`'s place.
        minimum_cores, maximum_cores : int, optional
            Bounds in threads.
        minimum_memory, maximum_memory : int or str, optional
            Bounds in bytes, or text such as ``"100 GiB"``.
        worker_key : callable, optional
            Pods whose workers (`distributed.scheduler.WorkerState`) have the same value leave together.

        Returns
        -------
        Adaptive
            With `minimum`, `maximum` and `stop()`; in a running loop it can be awaited until the agent knows.

        Raises
        ------
        InvalidArgumentError, InvalidTypeError
            A bound that can't be meant, or a keyword that there is not.
        WorkerGroupNotFoundError
        AgentMissingError
            The release has no agent.

        Examples
        --------
        >>> cluster.adapt(minimum=1, maximum=100)  # doctest: +SKIP
        """
        told = adaptivity.bounds(minimum=minimum, maximum=maximum, **keywords)
        group = worker_group or contract.DEFAULT_GROUP
        self._open_release().deployment(group)
        adaptive = adaptivity.Adaptive(self, group, told)
        if self.asynchronous:
            adaptive.telling = asyncio.ensure_future(self._adapt(adaptive, told))
        else:
            self.sync(self._adapt, adaptive, told)
        return adaptive

    async def _adapt(self, adaptive: adaptivity.Adaptive, told: dict[str, Any]) -> None:
        await self._open_steering().adapt(adaptive.worker_group, told)
        self._adaptives[adaptive.worker_group] = adaptive
        if adaptive.worker_group == contract.DEFAULT_GROUP:
            self._adaptive = adaptive
        if self._aftercare:
            await self._aftercare.begin()

    async def rest(self, worker_group: str) -> None:
        """Have the agent leave a group's number as it is."""
        if self.is_open:
            await self._open_steering().rest(worker_group)


def _doors() -> Any:
    """Import what talks to the outside, in a thread; see base.py."""
    from dask_kubernetes_helm import desk  # noqa: PLC0415 - its libraries are slow to import
    from dask_kubernetes_helm.elasticity import aftercare, scaling, steering  # noqa: PLC0415 - its libraries are slow to import

    return scaling, steering, aftercare, desk.Desk
