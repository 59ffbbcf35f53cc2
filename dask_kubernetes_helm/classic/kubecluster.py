"""KubeCluster: the API of classic dask-kubernetes on a release of the chart.

Belongs here: classic's arguments. Never here: what they come to (plan.py), its verbs (verbs.py), or
what any front shares (elastic.py, base.py).

Source: https://kubernetes.dask.org/en/2022.10.1/kubecluster.html
"""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from distributed.utils import silence_logging_cmgr

from dask_kubernetes_helm import config
from dask_kubernetes_helm.classic import arguments, plan
from dask_kubernetes_helm.classic.verbs import ClassicVerbs
from dask_kubernetes_helm.connections.routing import Routing
from dask_kubernetes_helm.errors import InvalidTypeError, TemplateWarning
from dask_kubernetes_helm.fronts.arguments import worker_count
from dask_kubernetes_helm.fronts.hosting import RemoteScheduler
from dask_kubernetes_helm.fronts.locally import LocalScheduler
from dask_kubernetes_helm.text import did_you_mean

if TYPE_CHECKING:
    from distributed.security import Security

    from dask_kubernetes_helm.auth import ClusterAuth

#: Of `SpecCluster`, which classic's was one.
_KEYWORDS = ("asynchronous", "loop", "quiet", "shutdown_on_close", "silence_logs", "timeout", "chart")


class KubeCluster(ClassicVerbs):
    """A Dask cluster whose workers have the pod template that they are given.

    Parameters
    ----------
    pod_template : V1Pod, mapping or path, optional
        A worker's pod; by default ``kubernetes.worker-template`` of Dask's configuration, else the file
        ``kubernetes.worker-template-path``. The first container is Dask's.
    name : str, optional
        Template of the cluster's name: ``{user}``, ``{uuid}`` and environment variables are filled in, and what can't
        be part of a name is replaced. By default ``kubernetes.worker-name``, else ``kubernetes.name``.
    namespace : str, optional
        By default ``kubernetes.namespace``, else the pod's or the kubeconfig context's, else ``default``.
    n_workers : int, optional
        Workers to begin with; by default ``kubernetes.count.start``.
    host : str, optional
        Local scheduler: the address where it listens, by default everywhere.
    port : int, optional
        Local scheduler: its port, 0 for any.
    env : dict, optional
        Environment variables for workers and scheduler; by default ``kubernetes.env``.
    auth : ClusterAuth or list of ClusterAuth, optional
        How to authenticate; by default in-cluster, then the kubeconfig.
    idle_timeout : str, optional
        How long a remote scheduler may have nothing to do before the cluster is removed.
    deploy_mode : str, optional
        ``"remote"``: the scheduler is in a pod; ``"local"``: in this process, which pods must be able to reach.
    interface : str, optional
        Local scheduler: the network interface on which it listens.
    protocol : str, optional
        Local scheduler: ``"tcp://"`` for no encryption, or ``"tls://"``.
    dashboard_address : str, optional
        Local scheduler: where its dashboard listens.
    security : distributed.security.Security or bool, optional
        Certificates, which scheduler, workers and clients then have: nobody else gets a connection. By default they are
        made for the cluster, unless ``kubernetes.tls`` is false; ``False`` is for no encryption.
    scheduler_service_wait_timeout : int, optional
        Remote scheduler behind a load balancer: seconds to wait for its address, 0 for ever.
    scheduler_service_name_resolution_retries : int, optional
        Remote scheduler, from a pod: how often to look for the Service's DNS name, half a second apart.
    scheduler_pod_template : V1Pod, mapping or path, optional
        The scheduler's pod; by default the worker's with another command.
    apply_default_affinity : str, optional
        Whether nodes labelled ``k8s.dask.org/node-purpose`` are ``"preferred"``, ``"required"`` or ``"none"``.
    scheduler_service_type : str, optional
        Type of the remote scheduler's Service; by default ``kubernetes.scheduler-service-type``.
    match_node_purpose : str, optional
        The same as `apply_default_affinity`, as 2020 had it: ``"prefer"``, ``"require"`` or ``"ignore"``.
    **kwargs
        ``asynchronous``, ``loop``, ``quiet``, ``silence_logs``, ``shutdown_on_close``, ``timeout`` and ``chart``, as
        `HelmCluster` has them.

    Raises
    ------
    PodTemplateError
        There is no template anywhere, or it can't be used.
    HelmClusterError
        Everything that this package raises on purpose is one; see `dask_kubernetes_helm.errors`.

    Examples
    --------
    >>> from dask_kubernetes_helm import KubeCluster
    >>> cluster = KubeCluster.from_yaml("worker-spec.yml")  # doctest: +SKIP
    >>> cluster.adapt(minimum=1, maximum=100)  # doctest: +SKIP
    """

    def __init__(
        self,
        pod_template: Any = None,
        name: str | None = None,
        namespace: str | None = None,
        n_workers: int | None = None,
        host: str | None = None,
        port: int | None = None,
        env: Mapping[str, Any] | None = None,
        auth: ClusterAuth | list[ClusterAuth] | None = None,
        idle_timeout: str | None = None,
        deploy_mode: str | None = None,
        interface: str | None = None,
        protocol: str | None = None,
        dashboard_address: str | None = None,
        security: Security | bool | None = None,  # noqa: FBT001 - as classic has it
        scheduler_service_wait_timeout: int | None = None,
        scheduler_service_name_resolution_retries: Any = None,
        scheduler_pod_template: Any = None,
        apply_default_affinity: str | None = None,
        *,
        scheduler_service_type: str | None = None,
        match_node_purpose: str | None = None,
        **kwargs: Any,
    ) -> None:
        _refuse_unknown(kwargs)
        retries, scheduler_pod_template = _by_year(scheduler_service_name_resolution_retries, scheduler_pod_template)
        mode = arguments.deploy_mode(deploy_mode)
        secured, encrypted = arguments.encryption(security, protocol, mode)
        told = plan.ClassicArguments(
            pod_template=pod_template,
            scheduler_pod_template=scheduler_pod_template,
            namespace=config.get("namespace", namespace),
            n_workers=arguments.capped(worker_count(config.get("count.start", n_workers), "n_workers")),
            env=arguments.variables(env),
            auth=auth,
            idle_timeout=config.get("idle-timeout", idle_timeout),
            deploy_mode=mode,
            security=secured,
            encrypted=encrypted,
            affinity=arguments.affinity(match_node_purpose, apply_default_affinity),
            service_type=arguments.service_type(scheduler_service_type),
            timeout=config.seconds(config.get("timeout", kwargs.get("timeout")), "timeout"),
            shutdown_on_close=kwargs.get("shutdown_on_close", True),
            chart=kwargs.get("chart") or config.get("chart"),
        )
        local: dict[str, Any] = {"host": host, "port": port, "interface": interface, "protocol": protocol}
        local["dashboard_address"] = dashboard_address
        is_local = told.deploy_mode == arguments.LOCAL
        self._while_open = contextlib.ExitStack()
        # A scheduler in this process would tell of each worker and client, as LocalCluster's would.
        if silent := kwargs.get("silence_logs", logging.WARNING if is_local else None):
            self._while_open.enter_context(silence_logging_cmgr(silent))
        super().__init__(
            arguments.name(name),
            told,
            attach=False,
            shutdown_on_close=told.bound,
            asynchronous=kwargs.get("asynchronous", False),
            loop=kwargs.get("loop"),
            quiet=config.get("quiet", kwargs.get("quiet")),
            host=LocalScheduler.configured(secured, **local)
            if is_local
            else _remote(secured, local, scheduler_service_wait_timeout, retries),
        )

    @classmethod
    def from_yaml(cls, yaml_path: str | os.PathLike[str], **kwargs: Any) -> KubeCluster:
        """A cluster whose workers have the pod template in a YAML file; environment variables in it are expanded.

        Parameters
        ----------
        yaml_path : str
            The file's path.
        **kwargs
            As for `KubeCluster`.

        Raises
        ------
        PodTemplateError

        Examples
        --------
        >>> cluster = KubeCluster.from_yaml("worker-spec.yml", namespace="my-ns")  # doctest: +SKIP
        """
        return cls(os.fspath(yaml_path), **kwargs)

    @classmethod
    def from_dict(cls, pod_spec: Mapping[str, Any], **kwargs: Any) -> KubeCluster:
        """A cluster whose workers have the pod template in a mapping, as Kubernetes writes it.

        Parameters
        ----------
        pod_spec : mapping
            The template.
        **kwargs
            As for `KubeCluster`.

        Raises
        ------
        PodTemplateError

        Examples
        --------
        >>> spec = {"spec": {"containers": [{"image": "ghcr.io/dask/dask", "args": ["dask-worker"]}]}}
        >>> cluster = KubeCluster.from_dict(spec)  # doctest: +SKIP
        """
        return cls(pod_spec, **kwargs)


def _by_year(retries: Any, template: Any) -> tuple[int | None, Any]:
    """The retries and the scheduler's template: 2020's signature has the template where 2022's has the retries."""
    if retries is None or isinstance(retries, int):
        return retries, template
    return None, retries


def _refuse_unknown(keywords: Mapping[str, Any]) -> None:
    for keyword in keywords:
        if keyword not in _KEYWORDS:
            raise InvalidTypeError(
                f"KubeCluster has no argument {keyword!r}{did_you_mean(keyword, _arguments())}",
                cure=f"Arguments are: {', '.join(_arguments())}.",
            )


def _arguments() -> list[str]:
    names = KubeCluster.__init__.__annotations__
    return sorted({*names, *_KEYWORDS} - {"return", "kwargs"})


def _remote(
    security: Security | None, local: Mapping[str, Any], wait: float | None, retries: int | None
) -> RemoteScheduler:
    """A scheduler in the release; what is meant for one in this process is told not to count."""
    given = [name for name, value in local.items() if value is not None]
    if given:
        warnings.warn(
            f"{', '.join(given)}: not used, as the scheduler runs in a pod; with deploy_mode='local' it runs here",
            TemplateWarning,
            stacklevel=3,
        )
    routing = Routing.configured(
        load_balancer_timeout=config.get("scheduler-service-wait-timeout", wait), resolutions=retries
    )
    return RemoteScheduler(security, lambda: routing)
