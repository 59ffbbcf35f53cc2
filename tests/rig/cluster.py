"""The whole cluster: up, healed, down.

Belongs here: the order of things. Never here: how one part works.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Iterator

from . import binaries, controlplane, image, kwok, network, node, preflight
from .artifacts import key
from .daemons import Daemon
from .settings import HERE, Settings, cache_root
from .shell import RigError, in_parallel, say, step, until


def up(cluster: Settings) -> None:
    """Bring the cluster up, or heal it; quick where it is healthy.

    Raises
    ------
    RigError
        In one sentence, what is wrong and what to do.
    """
    preflight.judge(preflight.gather(cluster, []))
    with _locked(cluster):
        preflight.install_packages()
        in_parallel(binaries.kubernetes, image.pause)  # Go and apt leave a core to the rest only now and then
        binaries.coredns()
        binaries.helm4()
        image.dask()
        if is_healthy(cluster):
            say(f"the cluster is up: {len(cluster.nodes)} nodes, {cluster.kubeconfig}")
            return
        if _is_ours(cluster):
            try:
                with step("healing the cluster"):
                    _start(cluster)
            except RigError as error:
                say(f"    that did not do ({error}); starting over")
            else:
                return
        _down(cluster)
        preflight.judge(preflight.gather(cluster, controlplane.ports(cluster)))
        with step("bringing the cluster up"):
            _configure(cluster)
            _start(cluster)


def _recipe() -> str:
    """What a running cluster was made by; another one takes a new cluster."""
    modules = [HERE / f"{name}.py" for name in ("settings", "pki", "network", "controlplane", "node")]
    return key([str(binaries.kubernetes()), str(binaries.coredns()), *modules, *sorted((HERE / "templates").iterdir())])


def _is_ours(cluster: Settings) -> bool:
    """Whether there is a cluster's state, by this recipe, from this boot, and its nodes' namespaces."""
    recipe = cluster.run / "recipe"
    made = recipe.exists() and recipe.read_text() == _recipe()
    return made and all(network.has_namespace(item) for item in cluster.nodes)


def _configure(cluster: Settings) -> None:
    cluster.run.mkdir(parents=True, exist_ok=True)
    cluster.run.chmod(0o700)
    controlplane.configure(cluster)
    for item in cluster.nodes:
        node.configure(item)
    (cluster.run / "recipe").write_text(_recipe())


def _start(cluster: Settings) -> None:
    network.up(cluster)

    def control() -> None:
        for daemon in controlplane.daemons(cluster):
            daemon.start()
        controlplane.await_ready(cluster)

    in_parallel(control, *(lambda item=item: node.start(item) for item in cluster.nodes))
    until(
        lambda: nodes_ready(cluster) == len(cluster.nodes) and not dead(cluster),
        timeout=60,
        what=f"Not all nodes are ready (see {cluster.logs})",
        interval=0.3,
    )
    until(
        lambda: "default" in controlplane.kubectl(cluster, "get", "serviceaccounts", "-n", "default", "-o", "name"),
        timeout=30,
        what="The default service account is not there",
    )


def down(cluster: Settings) -> None:
    """Take the cluster down and leave nothing of it."""
    with _locked(cluster), step("taking the cluster down"):
        _down(cluster)


def _down(cluster: Settings) -> None:
    kwok.stop(cluster)
    with contextlib.suppress(RigError):
        for item in cluster.nodes:
            node.stop(item)
    for daemon in reversed(controlplane.daemons(cluster)):
        daemon.stop()
    network.down(cluster)
    shutil.rmtree(cluster.run, ignore_errors=True)
    shutil.rmtree(cluster.disk, ignore_errors=True)


def all_daemons(cluster: Settings) -> list[Daemon]:
    """Every daemon of the cluster."""
    return controlplane.daemons(cluster) + [daemon for item in cluster.nodes for daemon in node.daemons(item)]


def dead(cluster: Settings) -> list[str]:
    """Names of the daemons that do not run."""
    return [daemon.name for daemon in all_daemons(cluster) if not daemon.pid()]


def nodes_ready(cluster: Settings) -> int:
    """How many of its nodes are Ready, by a heartbeat that is theirs and not an old one; KWOK's don't count."""
    try:
        listing = controlplane.kubectl(cluster, "get", "nodes", "--no-headers")
    except RigError:
        return 0
    names = {node.name for node in cluster.nodes}
    return sum(line.split()[0] in names and line.split()[1] == "Ready" for line in listing.splitlines())


def is_healthy(cluster: Settings) -> bool:
    """Whether all parts are there and work together."""
    return (
        _is_ours(cluster)
        and not dead(cluster)
        and all(network.is_up(item) and node.has_images(item) for item in cluster.nodes)
        and controlplane.is_ready(cluster)
        and nodes_ready(cluster) == len(cluster.nodes)
    )


@contextlib.contextmanager
def _locked(cluster: Settings) -> Iterator[None]:
    """One at a time; whoever comes second waits, and finds the work done."""
    cache_root().mkdir(parents=True, exist_ok=True)
    with cluster.lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with step("waiting for another `make cluster` to end"):
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield
