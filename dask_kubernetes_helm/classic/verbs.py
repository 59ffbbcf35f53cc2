"""What users of classic dask-kubernetes call, on what any front has.

Belongs here: classic's verbs and properties. Never here: its arguments (kubecluster.py), or how a release is scaled.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import dask.config
from distributed.utils import Log, Logs

from dask_kubernetes_helm import config, contract
from dask_kubernetes_helm.classic import arguments
from dask_kubernetes_helm.classic.plan import ClassicArguments
from dask_kubernetes_helm.elasticity import adaptivity
from dask_kubernetes_helm.elasticity.elastic import ElasticCluster
from dask_kubernetes_helm.errors import TemplateWarning, WorkloadNotFoundError
from dask_kubernetes_helm.fronts.arguments import worker_count

if TYPE_CHECKING:
    from kubernetes.client import V1Pod

    from dask_kubernetes_helm.kubeapi.kube import Kube
    from dask_kubernetes_helm.releases.lifecycle import Plan


class ClassicVerbs(ElasticCluster):
    """The verbs of classic's KubeCluster; its arguments are `ElasticCluster`'s."""

    _arguments: ClassicArguments
    #: What is undone at the end.
    _while_open: contextlib.ExitStack

    async def _end(self) -> None:
        try:
            await super()._end()
        finally:
            self._while_open.close()

    async def _prepare(self, plan: Plan, kube: Kube) -> Plan:
        """Tell of a template that no node is large enough for, before anything is created."""
        from dask_kubernetes_helm import sizing  # noqa: PLC0415 - its libraries are slow to import

        nodes = await kube.nodes()
        if nodes and (said := sizing.too_large(plan.asks, nodes)):
            warnings.warn(
                f"{said}. Unless a larger node is added, its pods stay pending.", TemplateWarning, stacklevel=2
            )
        return await super()._prepare(plan, kube)

    # Scaling --------------------------------------------------------------------------------------------

    def scale(
        self,
        n: int | None = None,
        worker_group: str | None = None,
        *,
        memory: str | float | None = None,
        cores: int | None = None,
        force: bool = False,
        timeout: float | str | None = None,
    ) -> Any:
        """Set the number of workers, at most ``kubernetes.count.max``; no result is lost by it.

        Parameters
        ----------
        n : int, optional
            How many.
        worker_group, force, timeout
            As for `HelmCluster.scale`.
        memory : str or float, optional
            Instead of `n`: bytes that all workers shall have together, e.g. ``"100 GB"``.
        cores : int, optional
            Instead of `n`: threads that all workers shall have together.

        Raises
        ------
        InvalidArgumentError, InvalidTypeError
            It is no number of workers, or the template does not tell how large a worker is.
        ScalingError, KubernetesError

        Examples
        --------
        >>> cluster.scale(10)  # doctest: +SKIP
        """
        wanted = [] if n is None else [worker_count(n, "n")]
        wanted += self._workers_for(memory, cores)
        count = arguments.capped(max(wanted, default=0))
        done = super().scale(count, worker_group, force=force, timeout=timeout)
        # Classic's users don't await it.
        return asyncio.ensure_future(done) if asyncio.iscoroutine(done) else done

    def _workers_for(self, memory: Any, cores: Any) -> list[int]:
        if memory is None and cores is None:
            return []
        return arguments.workers_for(self._arguments.template(), memory=memory, cores=cores)

    def scale_up(self, n: int, **kwargs: Any) -> Any:
        """The same as `scale`; for who calls it as classic's `Adaptive` did."""
        return self.scale(n, **kwargs)

    def scale_down(self, workers: Iterable[Any], **kwargs: Any) -> Any:
        """Let these workers go, and no others; no result is lost by it.

        Pods that are still starting go first, as Kubernetes sees to it.

        Parameters
        ----------
        workers : iterable of str
            Their names or addresses.
        **kwargs
            ``force`` and ``timeout``, as for `scale`.

        Examples
        --------
        >>> cluster.scale_down([next(iter(cluster.workers))])  # doctest: +SKIP
        """
        return self.sync(self._scale_down, [str(worker) for worker in workers], **kwargs)

    async def _scale_down(self, workers: list[str], *, force: bool = False, timeout: Any = None) -> None:
        seconds = config.seconds(config.get("drain-timeout", timeout), "timeout")
        known = self.scheduler_info["workers"].items()
        names = {str(info["name"]) for address, info in known if {address, str(info["name"])} & set(workers)}
        # Of several workers in a pod each is called after it.
        pods = {pod for pod in await self._pod_names() if any(f"{name}-".startswith(f"{pod}-") for name in names)}
        if pods:
            await self._carry_out(0, None, force=force, timeout=seconds, chosen=tuple(sorted(pods)))

    def adapt(
        self,
        minimum: Any = None,
        maximum: float | None = None,
        *,
        worker_group: str | None = None,
        **keywords: Any,
    ) -> adaptivity.Adaptive:
        """Have the number of workers follow the work, up to ``kubernetes.count.max``; see `HelmCluster.adapt`.

        Examples
        --------
        >>> cluster.adapt(minimum=1, maximum=100)  # doctest: +SKIP
        """
        if isinstance(minimum, type):  # Dask's own first argument
            keywords["Adaptive"], minimum = minimum, None
        if keywords.pop("Adaptive", None) is not None:
            warnings.warn(
                "The Adaptive class is not used: the agent beside the scheduler adapts.", TemplateWarning, stacklevel=2
            )
        limit = arguments.most()
        if limit is not None:
            minimum = None if minimum is None else min(minimum, limit)
            told = dask.config.get("distributed.adaptive.maximum", math.inf) if maximum is None else maximum
            maximum = min(told, limit)
        return super().adapt(minimum, maximum, worker_group=worker_group, **keywords)

    # Looking --------------------------------------------------------------------------------------------

    @property
    def workers(self) -> dict[str, Any]:  # type: ignore[override] # as classic had it
        """What is known of each worker, by name; nothing yet of those that are still awaited."""
        known = {str(info["name"]): info for info in self.scheduler_info["workers"].values()}
        return {name: known.get(name, {}) for name in super().workers}

    @property
    def scheduler(self) -> Any:
        """The scheduler itself where it runs in this process; else Dask's requests to it."""
        return getattr(self._host, "scheduler", None) or self.scheduler_comm

    def pods(self) -> Any:
        """The workers' pods.

        Returns
        -------
        list of kubernetes.client.V1Pod

        Examples
        --------
        >>> [pod.metadata.name for pod in cluster.pods()]  # doctest: +SKIP
        """
        return self.sync(self._pods)

    async def _pods(self) -> list[V1Pod]:
        from dask_kubernetes_helm.podtemplates import podmodel  # noqa: PLC0415 - its libraries are slow to import

        release = self._open_release()
        return podmodel.pods(await release.kube.find("pods", contract.selector(release.name, contract.WORKER)))

    async def _pod_names(self) -> list[str]:
        release = self._open_release()
        return await release.kube.names("pods", contract.selector(release.name, contract.WORKER))

    def logs(self, pod: V1Pod | str | None = None, **kwargs: Any) -> Any:
        """Logs, by the name of the pod; `get_logs` under its old name.

        Parameters
        ----------
        pod : V1Pod or str, optional
            Only this one's, as a `Log`.
        **kwargs
            As for `get_logs`.
        """
        told = {"cluster": False, **({} if pod is None else _only(pod)), **kwargs}
        return self.get_logs(**told) if kwargs.get("follow") else self.sync(self._logs, pod, **kwargs)

    async def _logs(self, pod: V1Pod | str | None = None, **kwargs: Any) -> Logs | Log:
        if pod is None:
            return await self._get_logs(**{"cluster": False, **kwargs})
        with contextlib.suppress(WorkloadNotFoundError):  # gone since
            logs: Any = await self._get_logs(**{**kwargs, "cluster": False, **_only(pod)})
            return Log("".join(logs.values()))
        return Log("")


def _only(pod: V1Pod | str) -> dict[str, Any]:
    """What `get_logs` is told for the log of one pod."""
    return {"scheduler": False, "workers": [pod if isinstance(pod, str) else str(pod.metadata.name)]}
