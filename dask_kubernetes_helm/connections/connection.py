"""An open route to a scheduler, and how it fares.

Belongs here: what users see of it. Never here: choosing one (connect.py), or keeping its account (health.py).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from dask_kubernetes_helm.connections.health import Health
from dask_kubernetes_helm.connections.tunnel import Tunnel


@dataclass
class Connection:
    """An open route to a scheduler.

    Attributes
    ----------
    route : str
        ``"in-cluster DNS"``, ``"load balancer"``, ``"node port"``, ``"address"`` or ``"port-forward"``.
    reason : str
        Why this one.
    host : str
        Where to reach it, as URLs have it.
    comm_port, dashboard_port : int
        Ports there.
    scheme : str
        ``"tcp"`` or ``"tls"``.
    dashboard_host : str
        Where to reach the dashboard, if that is elsewhere.
    link : str
        The release's template of dashboard links; empty where it has none.
    health : Health
        How it fares: `state`, `since`, `reconnections` and `error`, which are attributes of the connection as well.

    Examples
    --------
    >>> connection = Connection("load balancer", "Service dask has one", "192.0.2.7", 8786, 80)
    >>> print(connection, connection.state)
    load balancer at tcp://192.0.2.7:8786 (Service dask has one) open
    """

    route: str
    reason: str
    host: str
    comm_port: int
    dashboard_port: int
    scheme: str = "tcp"
    tunnels: list[Tunnel] = field(default_factory=list, repr=False)
    dashboard_host: str = ""
    link: str = ""
    health: Health = field(default_factory=Health)

    def __str__(self) -> str:
        """In plain words: the route, why, and how it fares where there is something to say."""
        said = f"{self.route} at {self.address} ({self.reason})"
        return f"{said}; {self.health}" if str(self.health) else said

    @property
    def state(self) -> str:
        """``"open"``, ``"reconnecting"`` or ``"closed"``."""
        return self.health.state

    @property
    def since(self) -> dt.datetime:
        """When that began."""
        return self.health.since

    @property
    def reconnections(self) -> int:
        """How often it was lost and came back."""
        return self.health.reconnections

    @property
    def error(self) -> str:
        """What went wrong last; empty where nothing has."""
        return self.health.error

    def to_dict(self) -> dict[str, Any]:
        """All of that as plain data; the time is ISO 8601."""
        told = {name: getattr(self, name) for name in ("route", "reason", "address", "state", "reconnections", "error")}
        return {**told, "since": self.since.isoformat()}

    @property
    def address(self) -> str:
        """The scheduler's address for this process."""
        return f"{self.scheme}://{self.host}:{self.comm_port}"

    @property
    def dashboard(self) -> tuple[str, int]:
        """Host and port of the dashboard."""
        return self.dashboard_host or self.host, self.dashboard_port

    async def close(self) -> None:
        """Give the route up."""
        self.health.close()
        for tunnel in self.tunnels:
            await tunnel.close()
        self.tunnels.clear()
