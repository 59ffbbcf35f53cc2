"""Where a release's dashboard is seen from here.

Belongs here: the way to it where it is not beside Dask's comm. Never here: the way to the scheduler (connect.py), or
what a link looks like (routing.py).
A dashboard on a Service of its own is reached by that, where it can be, else by a port-forward as the scheduler is.
"""

from __future__ import annotations

import asyncio
import time

from dask_kubernetes_helm import contract, diagnosis
from dask_kubernetes_helm.connections import routing
from dask_kubernetes_helm.connections.connect import IN_CLUSTER, Connection, Router, accepts
from dask_kubernetes_helm.connections.schedulerpod import SchedulerPod
from dask_kubernetes_helm.kubeapi.kube import Object

#: Seconds in which its address must take a connection, as the scheduler itself answers already; between tries.
_TRIAL, _INTERVAL = 2.0, 0.1


async def lead(connection: Connection, router: Router, own: Object) -> None:
    """Complete a connection to a scheduler by the way to its dashboard.

    Parameters
    ----------
    connection : Connection
        To a scheduler that answers.
    router : Router
        Which opened it.
    own : dict
        The dashboard's own Service; empty where the dashboard is on the scheduler's.
    """
    connection.link = router.service["metadata"].get("annotations", {}).get(contract.LINK_ANNOTATION, "")
    if not own:
        return
    if connection.route == IN_CLUSTER:
        host, port = f"{own['metadata']['name']}.{router.kube.namespace}.svc", routing.ports(own)[1]
    else:
        host, port = _outside(router, own)
        if not host or not await _accepts(host, port):
            if not connection.tunnels:  # the scheduler is reached by an address
                tunnel = await SchedulerPod(router.kube, router.release).tunnel(
                    contract.DASHBOARD_PORT, router.wanted.dashboard_port
                )
                connection.tunnels.append(tunnel)
                connection.dashboard_host, connection.dashboard_port = tunnel.host, tunnel.port
            return
    connection.dashboard_host, connection.dashboard_port = routing.url_host(host), port


async def _accepts(host: str, port: int) -> bool:
    """Whether a connection can be made, for which nodes may still be getting ready."""
    deadline = time.monotonic() + _TRIAL
    while (left := deadline - time.monotonic()) > 0:
        if await accepts(host, port, left):
            return True
        await asyncio.sleep(_INTERVAL)
    return False


def _outside(router: Router, own: Object) -> tuple[str, int]:
    """An address of a Service that leads into the cluster; no host where there is none."""
    kind = routing.kind(own)
    if kind == routing.LOAD_BALANCER:
        return routing.balanced(own), routing.ports(own)[1]
    pods = [pod for pod in router.watcher.of(contract.SCHEDULER) if diagnosis.is_started(pod, contract.SCHEDULER)]
    if kind == routing.NODE_PORT and pods:
        return str(pods[0]["status"]["hostIP"]), routing.ports(own, "nodePort")[1]
    return "", 0
