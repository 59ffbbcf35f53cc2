"""One node: containerd, kubelet and kube-proxy in a network namespace, and what they leave on the host.

Belongs here: a node's configuration, its images, its end. Never here: the control plane.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from . import binaries, controlplane, image, settings
from .daemons import Daemon
from .pki import Authority
from .settings import Node
from .shell import run, succeeds, until

_TEMPLATES = settings.HERE / "templates"
_CGROUPS = Path("/sys/fs/cgroup")


def configure(node: Node) -> None:
    """Make keys, certificates and configuration files."""
    cluster = node.cluster
    for folder in (node.run / "cni", node.disk):
        folder.mkdir(parents=True, exist_ok=True)
    authority = Authority(cluster.run / "pki")
    authority.issue(node.name, f"/O=system:nodes/CN=system:node:{node.name}", f"DNS:{node.name},IP:{node.address}")
    authority.kubeconfig(node.run / "kubeconfig", node.name, controlplane.server(cluster))
    facts = {
        "run": node.run,
        "disk": node.disk,
        "logs": node.disk / "pod-logs",
        "socket": node.socket,
        "pause": settings.PAUSE_IMAGE,
        "pods": node.pods,
        "address": node.address,
        "cgroup": node.cgroup,
        "dns": cluster.gateway,
        "ca": authority.certificate,
        "certificate": authority.folder / f"{node.name}.crt",
        "key": authority.folder / f"{node.name}.key",
    }
    for name, target in (("containerd.toml", ""), ("kubelet.yaml", ""), ("cni.conflist", "cni/10-pods.conflist")):
        (node.run / (target or name)).write_text((_TEMPLATES / name).read_text().format(**facts))
    _make_cgroups(node)


def _make_cgroups(node: Node) -> None:
    """A kubelet with a cgroup root of its own wants it to be there, in every hierarchy of cgroup v1."""
    hierarchies = [_CGROUPS] if (_CGROUPS / "cgroup.controllers").exists() else sorted(_CGROUPS.iterdir())
    for hierarchy in hierarchies:
        folder = hierarchy / node.cgroup.lstrip("/")
        with contextlib.suppress(OSError):
            folder.mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):
            if hierarchy.name == "cpuset" and (folder / name).exists():
                (folder / name).write_text((hierarchy / name).read_text())


def daemons(node: Node) -> list[Daemon]:
    """The node's daemons, in the order in which they start."""
    programs, cluster = binaries.kubernetes(), node.cluster
    kubelet = [
        str(programs / "kubelet"),
        f"--config={node.run / 'kubelet.yaml'}",
        f"--kubeconfig={node.run / 'kubeconfig'}",
        f"--root-dir={node.disk / 'kubelet'}",
        f"--cert-dir={node.run / 'certificates'}",
        f"--hostname-override={node.name}",
        f"--node-ip={node.address}",
        "--v=1",
    ]
    proxy = [
        str(programs / "kube-proxy"),
        f"--kubeconfig={cluster.run / 'proxy.kubeconfig'}",
        "--proxy-mode=iptables",
        f"--hostname-override={node.name}",
        f"--cluster-cidr=10.{144 + cluster.instance}.0.0/16",
        "--iptables-min-sync-period=100ms",
        "--conntrack-max-per-core=0",  # the host's connection tracking stays as it is
        "--conntrack-tcp-timeout-established=0",
        "--conntrack-tcp-timeout-close-wait=0",
        f"--metrics-bind-address={node.address}:10249",
        f"--healthz-bind-address={node.address}:10256",
    ]
    commands = {
        "containerd": ["containerd", "--config", str(node.run / "containerd.toml")],
        "kubelet": kubelet,
        "kube-proxy": proxy,
    }
    return [
        Daemon(f"{node.name}-{name}", command, cluster.run, cluster.logs / f"{node.name}-{name}.log", node.namespace)
        for name, command in commands.items()
    ]


def start(node: Node) -> None:
    """Start the daemons that do not run, and see that the images are there."""
    containerd, *others = daemons(node)
    containerd.start()
    until(lambda: succeeds([*_ctr(node), "version"]), timeout=20, what=f"containerd of {node.name} does not answer")
    load_images(node)
    for daemon in others:
        daemon.start()


def _ctr(node: Node) -> list[str]:
    return ["ctr", "--address", str(node.socket), "--namespace", "k8s.io"]


def load_images(node: Node) -> None:
    """Import the images that the node lacks."""
    provide(node, settings.PAUSE_IMAGE, image.pause)
    provide(node, image.dask_name(), image.dask)


def provide(node: Node, name: str, archive: Callable[[], Path]) -> None:
    """Import an image, and build it first, where the node lacks it."""
    if name not in run([*_ctr(node), "images", "ls", "-q"]).split():
        run([*_ctr(node), "images", "import", archive()])


def has_images(node: Node) -> bool:
    """Whether the node holds the image of the environment at hand."""
    return succeeds([*_ctr(node), "version"]) and image.dask_name() in run([*_ctr(node), "images", "ls", "-q"])


def stop(node: Node) -> None:
    """End the daemons, all containers, and what these have mounted."""
    for daemon in reversed(daemons(node)[1:]):
        daemon.stop()
    _kill_containers(node)
    daemons(node)[0].stop()
    _unmount(node)
    _remove_cgroups(node)
    _remove_log_links(node)
    shutil.rmtree(node.disk, ignore_errors=True)


def _kill_containers(node: Node) -> None:
    """End each container's shim and processes; told by command line and cgroup, as containerd itself may be dead."""
    for _ in range(50):
        pids = [pid for pid in _processes() if _belongs(pid, node)]
        if not pids:
            return
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)


def _processes() -> Iterator[int]:
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            yield int(path.name)


def _belongs(pid: int, node: Node) -> bool:
    with contextlib.suppress(OSError):
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        if b"containerd-shim" in command and str(node.socket).encode() in command:
            return True
        cgroups = Path(f"/proc/{pid}/cgroup").read_text()
        return (
            f":{node.cgroup}/" in cgroups and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        )
    return False


def _unmount(node: Node) -> None:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    points = [line.split()[1].replace("\\040", " ") for line in lines]
    for point in sorted(points, reverse=True):
        if point.startswith((f"{node.run}/", f"{node.disk}/")):
            succeeds(["umount", "--lazy", point])


def _remove_cgroups(node: Node) -> None:
    for hierarchy in _CGROUPS.iterdir():
        top = hierarchy / node.cgroup.lstrip("/")
        if top.is_dir():
            for folder in sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True):
                with contextlib.suppress(OSError):
                    folder.rmdir()
            with contextlib.suppress(OSError):
                top.rmdir()


def _remove_log_links(node: Node) -> None:
    """Kubelets link each container's log from a folder that can't be configured."""
    for link in Path("/var/log/containers").glob("*.log"):
        if node.disk in link.readlink().parents:
            link.unlink(missing_ok=True)
