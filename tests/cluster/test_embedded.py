"""The embedded cluster itself: its network, its log, its healing and its end.

All of it on an instance of its own (`RIG_INSTANCE`), as these tests break what they test.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig import audit, cluster, controlplane, image
from tests.rig.settings import Node, Settings
from tests.rig.shell import RigError

from .conftest import until

pytestmark = [pytest.mark.rig, pytest.mark.timeout(600)]
SECOND, THIRD = Settings(1), Settings(2)


def start(command: str, settings: Settings) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.rig", command],
        env={**os.environ, "RIG_INSTANCE": str(settings.instance)},
        stderr=subprocess.PIPE,
        text=True,
    )


def rig(command: str, settings: Settings = SECOND) -> tuple[int, str]:
    """Run the rig as a user does; its exit code and what it said."""
    process = start(command, settings)
    said = process.communicate(timeout=600)[1]
    return process.returncode, said


def kubectl(*arguments: str) -> str:
    return controlplane.kubectl(SECOND, *arguments)


def leftovers(settings: Settings) -> dict[str, list[str]]:
    """All that the machine holds under one of the cluster's names."""
    names = [settings.bridge, str(settings.run), str(settings.disk)]

    def named(text: str) -> bool:
        return any(name in text for name in names)

    def listing(*command: str) -> list[str]:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    processes = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode() + (folder / "cgroup").read_text()
        except OSError:
            continue
        if named(words):
            processes.append(words)
    found = {
        "processes": processes,
        "mounts": [line for line in Path("/proc/self/mounts").read_text().splitlines() if named(line)],
        "namespaces": [line for line in listing("ip", "netns") if named(line)],
        "links": [line for line in listing("ip", "-oneline", "link") if named(line)],
        "routes": [line for line in listing("ip", "route") if named(line) or settings.services in line],
        "cgroups": [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/{settings.bridge}-*")],
        "files": [str(path) for path in (settings.run, settings.disk) if path.exists()],
        "log links": [str(path) for path in Path("/var/log/containers").glob("*") if named(str(path.readlink()))],
    }
    return {kind: what for kind, what in found.items() if what}


@pytest.fixture(scope="module")
def second() -> Iterator[Settings]:
    """A cluster beside the first one, brought up by two calls at once."""
    both = [start("up", SECOND) for _ in range(2)]
    said = [process.communicate(timeout=600)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    yield SECOND
    rig("down")


def ready(name: str) -> dict[str, str]:
    """Wait until the web servers of that name serve; their addresses by node."""
    kubectl("wait", "pods", f"--selector=app={name}", "--for=condition=Ready", "--timeout=60s")
    pods = {node.name: f"{name}-{node.name}" for node in SECOND.nodes}
    return {node: kubectl("get", "pod", pod, "--output=jsonpath={.status.podIP}") for node, pod in pods.items()}


@pytest.fixture
def pods(second: Settings) -> Iterator[dict[str, str]]:
    """A web server on each node behind one Service; addresses by node."""
    name = f"web-{uuid.uuid4().hex[:6]}"
    for node in second.nodes:
        command = f"mkdir /tmp/www && echo {node.name} > /tmp/www/index.html && exec httpd -f -p 8080 -h /tmp/www"
        overrides = f'{{"spec": {{"nodeName": "{node.name}", "terminationGracePeriodSeconds": 0}}}}'
        kubectl(
            "run", f"{name}-{node.name}", f"--image={image.dask_name()}", f"--labels=app={name}",
            f"--overrides={overrides}", "--command", "--", "sh", "-c", command,
        )  # fmt: skip
    kubectl("create", "service", "clusterip", name, "--tcp=80:8080")
    yield {**ready(name), "service": name}
    if second.kubeconfig.exists():
        kubectl("delete", "pods", "--selector", f"app={name}", "--wait=false")
        kubectl("delete", "service", name)


def read(pods: dict[str, str], node: Node, address: str) -> str:
    """What a pod on a node reads from an address."""
    program = f"from urllib.request import urlopen; print(urlopen('http://{address}/', timeout=5).read().decode())"
    return kubectl("exec", f"{pods['service']}-{node.name}", "--", "python", "-c", program).strip()


def reads(pods: dict[str, str], node: Node, address: str, text: str) -> bool:
    """Whether it does yet; a kubelet that has just started knows no pods for a moment."""
    try:
        return read(pods, node, address) == text
    except RigError:
        return False


def test_two_calls_at_once_made_one_cluster(second: Settings) -> None:
    """Both calls ended well, all daemons run once, and a third call finds nothing to do."""
    daemons = [daemon.pid() for daemon in cluster.all_daemons(second)]
    assert len(set(daemons)) == len(daemons) == 11
    assert cluster.nodes_ready(second) == 2
    code, said = rig("up")
    assert (code, "the cluster is up" in said) == (0, True)
    assert [daemon.pid() for daemon in cluster.all_daemons(second)] == daemons
    assert rig("status")[0] == 0


def test_pods_reach_each_other_on_every_node(second: Settings, pods: dict[str, str]) -> None:
    """From each node a pod reads the pod on the same and on the other node, by address."""
    for source in second.nodes:
        for target in second.nodes:
            assert read(pods, source, f"{pods[target.name]}:8080") == target.name


def test_services_answer_by_name_from_every_node(second: Settings, pods: dict[str, str]) -> None:
    """From each node the Service's short and full name lead to pods of both nodes."""
    for source in second.nodes:
        for name in (pods["service"], f"{pods['service']}.default.svc.cluster.local"):
            met: set[str] = set()
            until(lambda name=name, met=met, source=source: met.add(read(pods, source, name)) or len(met) == 2, 30)


def test_the_host_reaches_no_other_cluster(second: Settings) -> None:
    """The kubeconfig names the cluster's own API server, and the first cluster's is another."""
    assert str(SECOND.gateway) in second.kubeconfig.read_text()
    assert str(Settings(0).gateway) not in second.kubeconfig.read_text()


def test_calls_are_counted(second: Settings) -> None:
    """Three calls of kubectl in a namespace count as three, and those before and in other namespaces as none."""
    raw = "/api/v1/namespaces/{}/pods"
    kubectl("get", "--raw", raw.format("default"))
    with audit.count(second, "default") as calls:
        for name in ("default", "default", "default", "kube-system"):
            kubectl("get", "--raw", raw.format(name))
    assert calls["kubectl"] == 3


@pytest.mark.parametrize("victims", ["etcd", "kube-apiserver", "node-1-containerd", "node-2-kubelet", "all", "cable"])
def test_up_heals_what_is_half_dead(second: Settings, pods: dict[str, str], victims: str) -> None:
    """Whatever was killed or cut, one `up` makes the cluster whole again with its objects, and its network works."""
    if victims == "cable":
        subprocess.run(["ip", "link", "delete", second.nodes[0].link], check=True)
    for daemon in cluster.all_daemons(second):
        if victims in ("all", daemon.name):
            daemon.signal(signal.SIGKILL)
    until(lambda: not cluster.is_healthy(second), 30)
    code, said = rig("up")
    assert code == 0, said
    assert "starting over" not in said
    assert rig("status")[0] == 0
    addresses = ready(pods["service"])
    for node in second.nodes:
        until(lambda node=node: reads(pods, node, f"{addresses['node-2']}:8080", "node-2"), 30)


def test_a_taken_port_is_told_before_anything_is_made() -> None:
    """`up` names the port and its holder in one sentence, and leaves nothing of the cluster."""
    with socket.create_server(("127.0.0.1", THIRD.port(2379))):
        code, said = rig("up", THIRD)
    assert code == 1
    assert f"Port {THIRD.port(2379)} is taken by" in said
    assert f"(pid {os.getpid()})" in said
    assert "Traceback" not in said
    assert leftovers(THIRD) == {}


def test_down_leaves_nothing(second: Settings, pods: dict[str, str]) -> None:
    """With pods running, `down` ends well, leaves nothing of this cluster, and the next `down` has nothing to do."""
    assert {"processes", "mounts", "namespaces", "links", "files"} <= leftovers(second).keys()
    code, said = rig("down")
    assert code == 0, said
    assert leftovers(second) == {}
    assert rig("down")[0] == 0
