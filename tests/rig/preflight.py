"""What must be so before anything is done, each told in one sentence with its cure.

Belongs here: judging facts, and gathering them. Never here: mending, but for missing Debian packages.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from .settings import Settings, cache_root
from .shell import RigError, run, step

#: Program that tells whether it is there, and the Debian package that has it.
PACKAGES = {
    "buildah": "buildah",
    "busybox": "busybox-static",
    "catatonit": "catatonit",
    "conntrack": "conntrack",
    "containerd": "containerd",
    "etcd": "etcd-server",
    "ip": "iproute2",
    "iptables": "iptables",
    "nsenter": "util-linux",
    "openssl": "openssl",
    "runc": "runc",
    "sysctl": "procps",
    "tini": "tini",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
}
_MINIMUM_GO = (1, 24)
_GIB = 1 << 30
_DISK, _MEMORY = 8, 3


@dataclass(frozen=True)
class Facts:
    """What the machine is like."""

    root: bool
    debian: bool
    go: str | None
    disk: float
    memory: float
    taken: dict[int, str]


def judge(facts: Facts) -> None:
    """Refuse a machine that can't carry the cluster.

    Raises
    ------
    RigError
        One sentence that says what is wrong and what to do.
    """
    if not facts.root:
        raise RigError(
            "The embedded cluster needs root (namespaces, mounts, cgroups): run it as root, or name your own "
            "cluster with KUBECONFIG=... IMAGE=... make demo."
        )
    if not facts.debian:
        raise RigError(
            "The embedded cluster is for Debian 12 or its like (there is no apt-get here): name your own cluster "
            "with KUBECONFIG=... IMAGE=... make demo."
        )
    version = re.search(r"go(\d+)\.(\d+)", facts.go or "")
    if not version:
        raise RigError("There is no Go on PATH, which builds Kubernetes: install Go 1.24 or later.")
    if (int(version[1]), int(version[2])) < _MINIMUM_GO:
        raise RigError(f"Go is {version[0]}, but building Kubernetes needs 1.24 or later: install a newer one.")
    if facts.disk < _DISK:
        raise RigError(
            f"Only {facts.disk:.1f} GiB of disk are free at {cache_root()}, {_DISK} are needed: free some, or set "
            "XDG_CACHE_HOME to a larger disk."
        )
    if facts.memory < _MEMORY:
        raise RigError(f"Only {facts.memory:.1f} GiB of memory are free, {_MEMORY} are needed: end some programs.")
    for port, holder in facts.taken.items():
        raise RigError(f"Port {port} is taken by {holder}, but the cluster needs it: end that program.")


def gather(settings: Settings, ports: Iterable[tuple[str, int]]) -> Facts:
    """Look at the machine."""
    folder = cache_root()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RigError(
            f"The cache {folder} can't be made ({error.strerror}): set XDG_CACHE_HOME to a folder that can be written."
        ) from error
    go = shutil.which("go")
    return Facts(
        root=os.geteuid() == 0,
        debian=shutil.which("apt-get") is not None,
        go=subprocess.run([go, "version"], capture_output=True, text=True, check=False).stdout if go else None,
        disk=shutil.disk_usage(folder).free / _GIB,
        memory=_available_memory() / _GIB,
        taken={port: holder for address, port in ports if (holder := _holder(address, port))},
    )


def _available_memory() -> int:
    match = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    return int(match[1]) * 1024 if match else 0


def _holder(address: str, port: int) -> str:
    """Who listens at a port; empty when it is free, or when the address isn't there yet."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.strerror != "Address already in use":
                return ""
            listing = subprocess.run(["ss", "-Hltnp", f"sport = :{port}"], capture_output=True, text=True, check=False)
            match = re.search(r'\("([^"]+)",pid=(\d+)', listing.stdout)
            return f"{match[1]} (pid {match[2]})" if match else "another program"
    return ""


def missing_packages(exists: Callable[[str], object] = shutil.which) -> list[str]:
    """Debian packages whose program is not there."""
    return [package for program, package in PACKAGES.items() if not exists(program)]


def install_packages() -> None:
    """Install what is missing, without starting the services that come with it.

    Source: https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt (101: action forbidden)
    """
    packages = missing_packages()
    if not packages:
        return
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        with step(f"installing Debian packages: {' '.join(packages)}"):
            run(["apt-get", "update", "-qq"], environment=environment)
            install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends"]
            run([*install, *packages], environment=environment)
    finally:
        if ours:
            policy.unlink()
    still = missing_packages()
    if still:
        raise RigError(
            f"apt-get installed {' '.join(still)}, yet a program of it is not on PATH: add /usr/sbin to PATH."
        )
