"""Where a scheduler in this process listens, and by which address pods are likely to reach it.

Belongs here: this machine's addresses. Never here: listening on them (locally.py).
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from urllib.parse import urlsplit

from distributed.utils import get_ip, get_ip_interface

from dask_kubernetes_helm.errors import InvalidArgumentError, PortInUseError


def listenable(interface: str | None, host: str, port: int) -> str:
    """The address to listen on, where that is possible; Dask would try for long, and leave its sockets open.

    Raises
    ------
    InvalidArgumentError, PortInUseError
    """
    try:
        host = get_ip_interface(interface) if interface else host
        family, kind, _, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except ValueError as error:  # no such interface
        raise InvalidArgumentError(f"The scheduler can't listen on {interface}: {error}") from error
    except OSError as error:
        raise PortInUseError(
            f"The scheduler can't listen on {host}:{port}: {error.strerror or error}",
            cure="Give another host, interface or port; port=0 takes any that is free.",
        ) from error
    return f"[{host}]" if ":" in host and not host.startswith("[") else str(host)


def towards(server: str) -> str:
    """The address that this machine has on the way to the API server, by which pods are likely to reach it.

    A server on this machine itself tells nothing; the address on the way out is taken then.
    """
    url = urlsplit(server)
    with contextlib.suppress(OSError):
        family, kind, _, _, address = socket.getaddrinfo(url.hostname, url.port or 443, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(address)  # sends nothing
            host = str(probe.getsockname()[0])
        if not ipaddress.ip_address(host).is_loopback:
            return f"[{host}]" if ":" in host else host
    return str(get_ip())


def host_of(address: str) -> str:
    """The host of an address as Dask writes it."""
    return address.partition("://")[2].rpartition(":")[0]
