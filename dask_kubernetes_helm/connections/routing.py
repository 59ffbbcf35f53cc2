"""Which route to a scheduler was asked for, and what its Service and its pod offer.

Belongs here: judging and reading that, on plain data. Never here: requests, waiting, or opening anything (connect.py).

Source: https://kubernetes.io/docs/concepts/services-networking/service/#publishing-services-service-types.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import dask.config

from dask_kubernetes_helm import config, contract
from dask_kubernetes_helm.errors import InvalidArgumentError

Object = dict[str, Any]

#: Dask's own template of dashboard links; another one is a user's word.
DASK_LINK = "{scheme}://{host}:{port}/status"
#: How Kubernetes writes the types of a Service that lead into the cluster.
NODE_PORT, LOAD_BALANCER = "NodePort", "LoadBalancer"
_ADDRESS = re.compile(r"(?:(?:tcp|tls)://)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s/:\[\]]+):(?P<port>\d{1,5})")


@dataclass(frozen=True)
class Routing:
    """How the scheduler shall be reached.

    Parameters
    ----------
    comm_port, dashboard_port : int
        Local ports of a port-forward; 0 for any free one.
    load_balancer_timeout : float, optional
        Seconds that a Service of type LoadBalancer may take to get its address, 0 for as long as it takes; None: there
        is no waiting, and a port-forward leads to the scheduler until there is one.
    resolutions : int
        How often a pod looks for the Service's DNS name, half a second apart, before it uses another route.
    scheme : str
        ``"tcp"``, or ``"tls"`` where the scheduler has certificates.
    address : str
        Where the scheduler is reached, if that is known: ``host:port``, in which ``{release}`` and ``{namespace}`` are
        filled in.

    Raises
    ------
    InvalidArgumentError

    Examples
    --------
    >>> Routing(resolutions=3).load_balancer_timeout is None
    True
    """

    comm_port: int = 0
    dashboard_port: int = 0
    load_balancer_timeout: float | None = None
    resolutions: int = 1
    scheme: str = "tcp"
    address: str = ""

    def __post_init__(self) -> None:
        """Refuse what can't be meant."""
        if self.address and not _ADDRESS.fullmatch(str(self.address)):
            raise InvalidArgumentError(
                f"The scheduler's address is {self.address!r}",
                cure="Give host:port, such as dask.example.org:8786; [::1]:8786 for IPv6 "
                "(kubernetes.scheduler-address).",
            )
        if not isinstance(self.resolutions, int) or isinstance(self.resolutions, bool) or self.resolutions < 1:
            raise InvalidArgumentError(
                f"The Service's DNS name is to be looked for {self.resolutions!r} times",
                cure="Give 1 or more (kubernetes.scheduler-service-name-resolution-retries).",
            )
        seconds = self.load_balancer_timeout
        if seconds is not None and (not isinstance(seconds, int | float) or not seconds >= 0):
            raise InvalidArgumentError(
                f"A load balancer is to be awaited for {seconds!r} seconds",
                cure="Give seconds, or 0 for as long as it takes (kubernetes.scheduler-service-wait-timeout).",
            )

    def place(self, release: str, namespace: str) -> tuple[str, int]:
        """Host and port of the address.

        Examples
        --------
        >>> Routing(address="tls://{release}.dask.example.org:8786").place("demo", "lab")
        ('demo.dask.example.org', 8786)
        """
        match = _ADDRESS.fullmatch(self.address)
        assert match
        host = match["host"].strip("[]").replace("{release}", release).replace("{namespace}", namespace)
        return host, int(match["port"])

    @classmethod
    def configured(
        cls,
        *,
        address: str | None = None,
        comm_port: int | None = None,
        dashboard_port: int | None = None,
        load_balancer_timeout: float | None = None,
        resolutions: int | None = None,
        scheme: str = "tcp",
    ) -> Routing:
        """What is given, else Dask's configuration; a load balancer is awaited only if a time for it is given."""
        return cls(
            config.get("scheduler-forward-port", comm_port),
            config.get("dashboard-forward-port", dashboard_port),
            load_balancer_timeout,
            config.get("scheduler-service-name-resolution-retries", resolutions),
            scheme,
            config.get("scheduler-address", address) or "",
        )


def kind(service: Object) -> str:
    """The type of a Service."""
    return str(service["spec"].get("type", "ClusterIP"))


def ports(service: Object, which: str = "port") -> tuple[int, int]:
    """A Service's ports of the comm and of the dashboard; 0 where it has none.

    Parameters
    ----------
    service : dict
        The Service.
    which : str
        ``"port"``: its own; ``"nodePort"``: those of the nodes.

    Examples
    --------
    >>> ports({"spec": {"ports": [{"name": "tcp-comm", "port": 9000}]}})
    (9000, 0)
    """
    found = {port.get("name"): port.get(which) or 0 for port in service["spec"].get("ports", [])}
    return found.get(contract.COMM_PORT_NAME, 0), found.get(contract.DASHBOARD_PORT_NAME, 0)


def balanced(service: Object) -> str:
    """Where a Service's load balancer is, a name before an address; empty while there is none.

    Examples
    --------
    >>> balanced({"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}})
    '192.0.2.7'
    """
    for ingress in service.get("status", {}).get("loadBalancer", {}).get("ingress") or []:
        return str(ingress.get("hostname") or ingress.get("ip") or "")
    return ""


def url_host(host: str) -> str:
    """A host as URLs have it.

    Examples
    --------
    >>> url_host("2001:db8::7")
    '[2001:db8::7]'
    """
    return f"[{host}]" if ":" in host else host


def link(template: str, host: str, port: int) -> str:
    """A link to a dashboard by a release's template; empty where a user's `distributed.dashboard.link` comes before it.

    Only scheme, host and port are filled in: an environment has secrets, and who may annotate a Service is not who may
    read them.

    Examples
    --------
    >>> link("{scheme}://{host}:{port}/dask/status", "192.0.2.7", 80)
    'http://192.0.2.7:80/dask/status'
    """
    if dask.config.get("distributed.dashboard.link", DASK_LINK) != DASK_LINK:
        return ""
    scheme = "https" if dask.config.get("distributed.scheduler.dashboard.tls.cert", None) else "http"
    for name, value in {"scheme": scheme, "host": host, "port": str(port)}.items():
        template = template.replace(f"{{{name}}}", value)
    return template if template.startswith(("http://", "https://")) else ""
