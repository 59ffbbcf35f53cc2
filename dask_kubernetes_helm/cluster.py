"""HelmCluster: what users call.

Belongs here: its arguments and its verbs. Never here: the life that every front shares (base.py), details of Kubernetes
or Helm. Everything is implemented once, as a coroutine; the public method of the same name runs it by `self.sync`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dask_kubernetes_helm import config, contract
from dask_kubernetes_helm.connections import certificates
from dask_kubernetes_helm.elasticity.elastic import ElasticCluster
from dask_kubernetes_helm.errors import InvalidArgumentError, ScalingError
from dask_kubernetes_helm.fronts import arguments, keywords
from dask_kubernetes_helm.fronts.hosting import RemoteScheduler

if TYPE_CHECKING:
    from distributed.security import Security
    from tornado.ioloop import IOLoop

    from dask_kubernetes_helm.auth import ClusterAuth
    from dask_kubernetes_helm.chartvalues.values import Layer


class HelmCluster(ElasticCluster):
    """A Dask cluster that is a release of the Helm chart.

    Parameters
    ----------
    name : str, optional
        Name of the release, or a template of it: ``{user}``, ``{uuid}`` and environment variables are filled in.
        By default ``kubernetes.name`` of the configuration, ``dask-{user}-{uuid}``.
    namespace : str, optional
        By default ``kubernetes.namespace``, else the pod's or the kubeconfig context's, else ``default``.
    environment : str, optional
        Name of a packaged values file (docs/environments.md: local, ci, production...), or of one in the folder
        ``kubernetes.environments``.
    values : path, mapping, or list of them, optional
        Values on top of the environment's; later ones win. Files that end with ``.j2`` are Jinja2 templates over
        the environment variables.
    n_workers : int, optional
        Worker pods to begin with; by default what the values say.
    image : str, optional
        ``repository[:tag][@digest]`` for scheduler and workers.
    chart : str, optional
        A folder, a packed .tgz, ``repo/chart`` or ``oci://...``; by default the packaged chart.
    auth : ClusterAuth or list of ClusterAuth, optional
        How to authenticate; by default in-cluster, then the kubeconfig.
    timeout : float or str, optional
        Seconds, or text such as ``"5 minutes"``, that creation may take.
    security : distributed.security.Security, optional
        Certificates to connect with; by default those in the release's Secret, which takes the right to read it.
    shutdown_on_close : bool
        Whether closing removes the release.
    asynchronous : bool
        For use with ``await`` and ``async with`` in a running event loop.
    loop : tornado.ioloop.IOLoop, optional
        The loop to run in.
    quiet : bool
        Show no progress.

    Raises
    ------
    HelmClusterError
        Everything that this package raises on purpose is one; see `dask_kubernetes_helm.errors`.

    Examples
    --------
    >>> from dask_kubernetes_helm import HelmCluster
    >>> from distributed import Client
    >>> with HelmCluster(environment="production", n_workers=2) as cluster:  # doctest: +SKIP
    ...     client = Client(cluster)
    ...     cluster.scale(10)
    """

    _arguments: arguments.Arguments

    @keywords.refusing("HelmCluster", keywords.INSTEAD)
    def __init__(
        self,
        name: str | None = None,
        *,
        namespace: str | None = None,
        environment: str | None = None,
        values: Any = None,
        n_workers: int | None = None,
        image: str | None = None,
        chart: str | os.PathLike[str] | None = None,
        auth: ClusterAuth | list[ClusterAuth] | None = None,
        timeout: float | str | None = None,
        security: Security | None = None,
        shutdown_on_close: bool = True,
        asynchronous: bool = False,
        loop: IOLoop | None = None,
        quiet: bool | None = None,
        _attach: bool = False,
    ) -> None:
        told = arguments.Arguments(
            namespace=config.get("namespace", namespace),
            environment=None if _attach else config.get("environment", environment),
            values=values,
            n_workers=n_workers,
            image=image,
            chart=arguments.chart_reference(config.get("chart", chart)),
            auth=auth,
            timeout=config.seconds(config.get("timeout", timeout), "timeout"),
            shutdown_on_close=shutdown_on_close,
        )
        super().__init__(
            arguments.release_name(name, attach=_attach),
            told.checked(),
            attach=_attach,
            shutdown_on_close=shutdown_on_close,
            asynchronous=asynchronous,
            loop=loop,
            quiet=config.get("quiet", quiet),
            host=RemoteScheduler(certificates.given(security)),
        )

    @classmethod
    def from_name(cls, name: str | None = None, namespace: str | None = None, **kwargs: Any) -> HelmCluster:
        """Attach to a release that is there, and leave it in place on close.

        Parameters
        ----------
        name : str, optional
            The release's name; by default ``kubernetes.release`` of the configuration, which in the notebooks of a
            release's own Jupyter is that release.
        namespace : str, optional
            Its namespace.
        **kwargs
            As for `HelmCluster`: auth, timeout, security, asynchronous, loop, quiet, shutdown_on_close.

        Raises
        ------
        ReleaseNotFoundError
            There is no such release of this chart.
        InvalidArgumentError
            No name is given, and none configured; or values are, which the release has already.

        Examples
        --------
        >>> cluster = HelmCluster.from_name("dask", namespace="team")  # doctest: +SKIP
        """
        name = config.get("release", name)
        if name is None:
            raise InvalidArgumentError(
                "HelmCluster.from_name was given no name of a release", cure="Give one, or set kubernetes.release."
            )
        keywords.refuse_settled(kwargs)
        kwargs.setdefault("shutdown_on_close", False)
        return cls(name, namespace=namespace, _attach=True, **kwargs)

    # Using ----------------------------------------------------------------------------------------------

    def upgrade(self, values: Any = None, *, chart: str | os.PathLike[str] | None = None) -> Any:
        """Upgrade the release, and wait until its pods are as they should be.

        Parameters
        ----------
        values : path, mapping, or list of them, optional
            On top of what the release was given. A number of workers that was set by scaling stays, unless
            ``worker.replicas`` is among these.
        chart : str, optional
            As for `HelmCluster`.

        Raises
        ------
        ValuesError, HelmError, StartError

        Examples
        --------
        >>> cluster.upgrade({"worker": {"resources": {"limits": {"memory": "8Gi"}}}})  # doctest: +SKIP
        """
        return self.sync(self._upgrade, values, chart=chart)

    async def _upgrade(self, values: Any = None, *, chart: str | os.PathLike[str] | None = None) -> None:
        await self._change(arguments.layers(values), chart=chart)

    async def _change(
        self, layers: list[Layer], *, chart: str | os.PathLike[str] | None = None, without: str = ""
    ) -> None:
        """Upgrade; see `ManagedRelease.upgrade`."""
        reference = self._arguments.chart if chart is None else arguments.chart_reference(chart)
        release, steering = self._open_release(), self._open_steering()
        await release.upgrade(layers, reference, self._arguments.timeout, without=without)
        await steering.tell_settings()
        replicas = arguments.wanted_replicas(layers)
        if replicas is not None and replicas != release.replicas[contract.DEFAULT_GROUP]:
            await self._scale(replicas, timeout=self._arguments.timeout)
            await release.rolled_out(self._arguments.timeout)

    def add_worker_group(
        self,
        name: str,
        n_workers: int = 3,
        *,
        image: str | None = None,
        resources: Mapping[str, Any] | None = None,
        dask_resources: Mapping[str, float] | None = None,
        env: Mapping[str, Any] | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> Any:
        """Add a worker group beside those there are; what is not said is as the default group has it.

        Parameters
        ----------
        name : str
            The group's.
        n_workers : int
            Pods to begin with; 0 is meant.
        image : str, optional
            ``repository[:tag][@digest]``.
        resources : mapping, optional
            Requests and limits, as Kubernetes writes them.
        dask_resources : mapping, optional
            Dask's abstract resources of each worker, e.g. ``{"GPU": 1}``.
        env : mapping, optional
            Environment variables.
        values : mapping, optional
            Any other key of the chart's ``worker``, ``adaptive`` among them.

        Raises
        ------
        InvalidArgumentError
            The name can't be one, or is taken.
        ValuesError, HelmError, StartError

        Examples
        --------
        >>> cluster.add_worker_group("gpu", 0, dask_resources={"GPU": 1})  # doctest: +SKIP
        >>> cluster.adapt(0, 8, worker_group="gpu")  # doctest: +SKIP
        """
        told = arguments.group_values(
            name,
            n_workers,
            image=image,
            resources=resources,
            dask_resources=dask_resources,
            env=env,
            values=values,
        )
        if name in self._open_release().groups:
            raise InvalidArgumentError(f"There is a worker group {name!r} already", cure="Choose another name.")
        return self.sync(self._upgrade, told)

    def delete_worker_group(self, name: str, *, force: bool = False, timeout: float | str | None = None) -> Any:
        """Empty a worker group and delete it.

        Parameters
        ----------
        name : str
            The group's; the default one stays.
        force, timeout
            As for `scale`.

        Raises
        ------
        InvalidArgumentError
            It is the default group.
        WorkerGroupNotFoundError, ScalingError, HelmError

        Examples
        --------
        >>> cluster.delete_worker_group("gpu")  # doctest: +SKIP
        """
        if name == contract.DEFAULT_GROUP:
            raise InvalidArgumentError("The default worker group can't be deleted", cure="scale(0) empties it.")
        self._open_release().deployment(name)
        seconds = config.seconds(config.get("drain-timeout", timeout), "timeout")
        return self.sync(self._delete_worker_group, name, force=force, timeout=seconds)

    async def _delete_worker_group(self, name: str, *, force: bool, timeout: float) -> None:
        await self._scale(0, name, force=force, timeout=timeout)
        release = self._open_release()
        if left := 0 if force else release.replicas[name]:
            raise ScalingError(
                f"Worker group {name!r} still has {left} pods, so it was not deleted",
                cure="cluster.scaling_history() tells who stayed, and why; try again, or give force=True.",
            ).concerning(release.name, release.namespace)
        await self._change([], without=name)
