"""The cluster's network: a bridge on the host, and a network namespace with one cable for each node.

Belongs here: iproute2. Never here: what runs in a namespace. Pods of one node reach those of another by routes on the
host; nothing of it is reachable from outside this machine.
"""

from __future__ import annotations

from pathlib import Path

from .settings import Node, Settings
from .shell import run, succeeds


def up(settings: Settings) -> None:
    """Make what is missing of it."""
    if not succeeds(["ip", "link", "show", settings.bridge]):
        run(["ip", "link", "add", settings.bridge, "type", "bridge"])
    run(["ip", "address", "replace", f"{settings.gateway}/24", "dev", settings.bridge])
    run(["ip", "link", "set", settings.bridge, "up"])
    # What a node's rules don't translate (yet) is refused here, rather than sent out of this machine and lost there.
    run(["ip", "route", "replace", "unreachable", f"{settings.services}.0.0/16"])
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    for node in settings.nodes:
        _connect(settings, node)


def _connect(settings: Settings, node: Node) -> None:
    if not has_namespace(node):
        run(["ip", "netns", "add", node.namespace])
    inside = ["ip", "-n", node.namespace]
    if not is_up(node):
        _unplug(node)
        run(["ip", "link", "add", node.link, "type", "veth", "peer", "name", "eth0", "netns", node.namespace])
    run([*inside, "address", "replace", f"{node.address}/24", "dev", "eth0"])
    for link in ("lo", "eth0"):
        run([*inside, "link", "set", link, "up"])
    run([*inside, "route", "replace", "default", "via", settings.gateway])
    run(["nsenter", f"--net=/run/netns/{node.namespace}", "sysctl", "-qw", "net.ipv4.ip_forward=1"])
    run(["ip", "link", "set", node.link, "master", settings.bridge, "up"])
    run(["ip", "route", "replace", node.pods, "via", node.address])


def has_namespace(node: Node) -> bool:
    """Whether a node's namespace has its name; daemons that were started in one that has lost it are cut off."""
    return succeeds(["ip", "-n", node.namespace, "link", "show", "lo"])


def is_up(node: Node) -> bool:
    """Whether a node's namespace and cable are there."""
    return succeeds(["ip", "-n", node.namespace, "link", "show", "eth0"]) and succeeds(
        ["ip", "link", "show", node.link]
    )


def _unplug(node: Node) -> None:
    succeeds(["ip", "link", "delete", node.link])
    succeeds(["ip", "-n", node.namespace, "link", "delete", "eth0"])


def down(settings: Settings) -> None:
    """Remove all of it; a route to a link goes with that link."""
    for node in settings.nodes:
        _unplug(node)
        succeeds(["ip", "netns", "delete", node.namespace])
    succeeds(["ip", "route", "delete", "unreachable", f"{settings.services}.0.0/16"])
    succeeds(["ip", "link", "delete", settings.bridge])
