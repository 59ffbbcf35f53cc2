"""Nodes that don't exist, for thousands of pods that run nothing: KWOK plays their kubelets.

Belongs here: running KWOK for as long as somebody asks for it, and its nodes. Never here: how it is built.

On its nodes a pod is Ready as soon as it is bound and gone as soon as it is deleted. In between nothing touches its
status, so whoever plays its containers may set its readiness as a kubelet would. The nodes have a taint: only pods that
tolerate it go there.

Source: https://kwok.sigs.k8s.io/docs/user/stages-configuration/

Examples
--------
>>> with nodes(Settings(), 50):  # doctest: +SKIP
...     kubectl("apply", "-f", "a-thousand-pods.yaml")
"""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterator

from . import binaries, controlplane
from .daemons import Daemon
from .settings import Settings
from .shell import RigError, run, step, until

#: What a node's taint, its pods' toleration and its label have.
TAINT = {"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}
LABEL = {"type": "kwok"}
#: Pods that one node takes. More than a real one's 110: fewer nodes have fewer heartbeats to be late with.
PODS = 1000
_SELECTOR = ",".join(f"{key}={value}" for key, value in LABEL.items())


@contextlib.contextmanager
def nodes(cluster: Settings, number: int) -> Iterator[None]:
    """Have so many nodes more; they and KWOK are gone afterwards. Whoever comes second waits.

    Raises
    ------
    RigError
        KWOK can't be built, or the nodes don't become Ready.
    """
    command = _command(cluster)
    with (cluster.run / "kwok.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _daemon(cluster, command).start()
        try:
            with step(f"making {number} nodes that don't exist"):
                _make(cluster, number)
            yield
        finally:
            controlplane.kubectl(cluster, "delete", "nodes", f"--selector={_SELECTOR}", "--wait=false")
            stop(cluster)


def stop(cluster: Settings) -> None:
    """End KWOK, if it runs."""
    _daemon(cluster, []).stop()


def _daemon(cluster: Settings, command: list[str]) -> Daemon:
    return Daemon("kwok", command, cluster.run, cluster.logs / "kwok.log")


def _command(cluster: Settings) -> list[str]:
    folder = binaries.kwok()
    return [
        # On a busy machine its heartbeats would be late, and all pods of a node that is taken for dead are not Ready.
        *("nice", "-n", "-10"),
        str(folder / "kwok"),
        f"--kubeconfig={cluster.kubeconfig}",
        f"--config={folder / binaries.KWOK_STAGES}",
        f"--manage-nodes-with-annotation-selector={TAINT['key']}={TAINT['value']}",
        "--node-lease-duration-seconds=0",  # heartbeats by status instead
        "--node-port=0",  # nothing listens
    ]


def _make(cluster: Settings, number: int) -> None:
    items = [_node(index) for index in range(number)]
    listing = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    program = binaries.kubernetes() / "kubectl"
    run([program, f"--kubeconfig={cluster.kubeconfig}", "apply", "--filename=-"], text=listing)
    until(lambda: _ready(cluster) == number, timeout=60, what="Not all of KWOK's nodes are ready", interval=0.5)


def _node(index: int) -> dict[str, object]:
    size = {"cpu": "64", "memory": "512Gi", "pods": str(PODS)}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": f"kwok-{index}",
            "labels": {**LABEL, "kubernetes.io/hostname": f"kwok-{index}", "kubernetes.io/os": "linux"},
            "annotations": {TAINT["key"]: TAINT["value"]},
        },
        "spec": {"taints": [TAINT]},
        "status": {"capacity": size, "allocatable": size},
    }


def _ready(cluster: Settings) -> int:
    try:
        listing = controlplane.kubectl(cluster, "get", "nodes", f"--selector={_SELECTOR}", "--no-headers")
    except RigError:
        return 0
    return sum(line.split()[1] == "Ready" for line in listing.splitlines())
