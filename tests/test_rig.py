"""The embedded cluster's parts that need no cluster: refusals, the cache, pids, counting API calls."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from tests.rig import artifacts, cluster, controlplane, preflight
from tests.rig.audit import calls_by_user_agent, events
from tests.rig.daemons import Daemon, began
from tests.rig.settings import Settings
from tests.rig.shell import RigError, in_parallel

FIT = preflight.Facts(root=True, debian=True, go="go version go1.26.1 linux/amd64", disk=50, memory=20, taken={})


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "dask-kubernetes-helm" / "artifacts"


@pytest.mark.parametrize(
    ("change", "wrong", "cure"),
    [
        ({"root": False}, "needs root", "run it as root"),
        ({"debian": False}, "no apt-get", "KUBECONFIG="),
        ({"go": None}, "no Go on PATH", "install Go 1.24"),
        ({"go": "go version go1.19.8 linux/amd64"}, "Go is go1.19", "install a newer one"),
        ({"disk": 1.5}, "Only 1.5 GiB of disk", "XDG_CACHE_HOME"),
        ({"memory": 0.5}, "Only 0.5 GiB of memory", "end some programs"),
        ({"taken": {2379: "etcd (pid 7)"}}, "Port 2379 is taken by etcd (pid 7)", "end that program"),
    ],
)
def test_an_unfit_machine_gets_one_sentence(change: dict[str, object], wrong: str, cure: str) -> None:
    """Each lack is refused with one sentence that says what is wrong and what to do; a fit machine is not."""
    preflight.judge(FIT)
    with pytest.raises(RigError) as caught:
        preflight.judge(replace(FIT, **change))  # type: ignore[arg-type]
    said = str(caught.value)
    assert wrong in said
    assert cure in said
    assert "\n" not in said


def test_a_taken_port_is_found_with_its_holder() -> None:
    """The program that listens at a port is named with its pid; a free port is not reported."""
    serve = "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); input()"
    command = [sys.executable, "-c", serve]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        port = int(process.stdout.readline())
        taken = preflight.gather(Settings(9), [("127.0.0.1", port)]).taken
        process.communicate("\n")
    assert f"(pid {process.pid})" in taken[port]
    assert not preflight.gather(Settings(9), [("127.0.0.1", port)]).taken


def test_a_cache_that_cannot_be_made_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache folder that can't be written is named with the variable that moves it."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc")
    with pytest.raises(RigError, match=r"The cache /proc/dask-kubernetes-helm can't be made .*XDG_CACHE_HOME"):
        preflight.gather(Settings(9), [])


def test_only_missing_packages_are_installed() -> None:
    """A machine that has every program asks apt for nothing; one without runc, for runc alone."""
    assert preflight.missing_packages(lambda name: name) == []
    assert preflight.missing_packages(lambda name: name != "runc") == ["runc"]


def test_a_build_that_fails_leaves_no_artifact(cache: Path) -> None:
    """A build that breaks off half-way is not taken for a whole one, and the next one begins anew."""

    def breaks(folder: Path) -> None:
        (folder / "half").touch()
        raise RigError("no disk")

    with pytest.raises(RigError, match="no disk"):
        artifacts.artifact("thing", ["1"], breaks)
    assert list(cache.iterdir()) == []
    built = artifacts.artifact("thing", ["1"], lambda folder: (folder / "whole").touch())
    assert [path.name for path in built.iterdir()] == ["whole"]


def test_an_artifact_is_built_once_for_each_of_its_parts(cache: Path, tmp_path: Path) -> None:
    """The same parts give the same folder without a build; a changed text or file gives another."""
    source = tmp_path / "source"
    builds = []

    def build(folder: Path) -> None:
        builds.append(folder)

    folders = set()
    for text, content in (("1", "a"), ("1", "a"), ("2", "a"), ("1", "b")):
        source.write_text(content)
        folders.add(artifacts.artifact("thing", [text, source], build))
    assert len(folders) == len(builds) == 3


def test_two_builders_at_once_agree(cache: Path) -> None:
    """Whoever comes second takes the first one's folder, and no work folder stays."""
    found = []

    def build(folder: Path) -> None:
        (folder / "file").write_text("x")
        if len(found) == 0:
            found.append(artifacts.artifact("thing", ["1"], lambda other: (other / "file").write_text("y") and None))

    in_parallel(lambda: found.append(artifacts.artifact("thing", ["1"], build)))
    assert found[0] == found[1]
    assert [path.name for path in cache.iterdir()] == [found[0].name]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def test_a_reused_pid_is_not_taken_for_the_daemon(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    """A pid file that names a process which began at another time names no daemon, and stopping spares the process."""
    daemon = Daemon("thing", ["sleep", "60"], tmp_path, tmp_path / "log")
    (tmp_path / "thing.pid").write_text(json.dumps({"pid": sleeper.pid, "began": (began(sleeper.pid) or 0) - 1}))
    assert daemon.pid() is None
    daemon.signal(signal.SIGKILL)
    daemon.stop()
    assert sleeper.poll() is None


def test_a_daemon_starts_once_and_ends(tmp_path: Path) -> None:
    """Starting twice starts one process; stopping ends it and removes its record; a torn record is no daemon."""
    daemon = Daemon("thing", ["sleep", "60"], tmp_path, tmp_path / "log")
    daemon.start()
    pid = daemon.pid()
    daemon.start()
    assert pid
    assert daemon.pid() == pid
    daemon.stop()
    assert began(pid) is None
    assert not (tmp_path / "thing.pid").exists()
    (tmp_path / "thing.pid").write_text("{")
    assert daemon.pid() is None


def test_nodes_that_do_not_exist_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster's health is that of its own nodes, however many KWOK plays beside them."""
    listing = "node-1 Ready <none> 1m v1\nnode-2 NotReady <none> 1m v1\nkwok-0 Ready agent 1s kwok\n"
    monkeypatch.setattr(controlplane, "kubectl", lambda *_: listing)
    assert cluster.nodes_ready(Settings(9)) == 1


def test_two_clusters_share_nothing() -> None:
    """No path, name, network or port of one instance is another's."""
    first, second = Settings(0), Settings(1)
    for attribute in ("bridge", "network", "services", "run", "disk", "logs", "lock"):
        assert getattr(first, attribute) != getattr(second, attribute)
    for mine, other in zip(first.nodes, second.nodes, strict=True):
        assert {mine.namespace, mine.link, mine.address, mine.pods, mine.cgroup}.isdisjoint(
            {other.namespace, other.link, other.address, other.pods, other.cgroup}
        )


#: Listens, and takes its time to end: with many threads, and memory to be given back.
LISTENER = """
import socket, sys, threading, time
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
held = bytearray(300 << 20)
for _ in range(60):
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
print("listens", flush=True)
time.sleep(60)
"""


def test_who_has_ended_holds_no_port(tmp_path: Path) -> None:
    """As soon as a daemon that was killed counts as gone, another may listen where it did."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    daemon = Daemon("thing", [sys.executable, "-c", LISTENER, str(port)], tmp_path, tmp_path / "log")
    daemon.start()
    deadline = time.monotonic() + 30
    while daemon.tail() != "listens":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    daemon.signal(signal.SIGKILL)
    while daemon.pid():
        assert time.monotonic() < deadline
    socket.create_server(("127.0.0.1", port)).close()
    daemon.stop()


def test_calls_are_counted_by_agent_in_a_span_and_a_namespace() -> None:
    """Only requests received within the span, of the namespace and of what is counted, by their agent's first word."""

    def entry(agent: str, second: int, namespace: str = "here", **about: str) -> dict[str, object]:
        received = f"2026-01-01T00:00:{second:02}.000000Z"
        request = {"auditID": uuid.uuid4().hex, "requestReceivedTimestamp": received}
        return {**request, "userAgent": agent, "objectRef": {"namespace": namespace, **about}}

    entries = [
        entry("kubectl/v1.34 (linux)", 9),
        entry("kubectl/v1.34 (linux)", 10),
        entry("kubectl/v1.34 (linux)", 20),
        entry("Helm/4", 15),
        entry("Helm/4", 15, "elsewhere"),
        entry("Helm/4", 21),
        entry("mine", 15, subresource="portforward"),
    ]
    since, until = (datetime(2026, 1, 1, 0, 0, second, tzinfo=timezone.utc) for second in (10, 20))
    assert calls_by_user_agent(entries, since, until, "here") == {"kubectl": 2, "Helm": 1, "mine": 1}
    assert calls_by_user_agent(entries, since, until, "here", ["portforward"]) == {"kubectl": 2, "Helm": 1}
    assert calls_by_user_agent(entries, since, until) == {"kubectl": 2, "Helm": 2, "mine": 1}


def test_no_request_is_missed_where_the_audit_log_is_rotated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that is rotated between two files, before or while they are read, gives each entry once."""
    monkeypatch.setattr(Settings, "run", property(lambda settings: tmp_path))
    log, older = tmp_path / "audit.log", tmp_path / "audit-1.log"
    older.write_text('{"n": 1}\n')
    log.write_text('{"n": 2}\n{"n": 3}\n')
    os.utime(older, (1, 1))
    os.utime(log, (2, 2))

    def rotate(name: str) -> None:
        log.rename(tmp_path / name)
        log.write_text("")

    glob = Path.glob

    def rotated_once_listed(folder: Path, pattern: str) -> Iterator[Path]:
        paths = list(glob(folder, pattern))
        if not (tmp_path / "audit-2.log").exists():
            rotate("audit-2.log")
        return iter(paths)

    reading = events(Settings())
    monkeypatch.setattr(Path, "glob", rotated_once_listed)
    seen = [next(reading)["n"]]
    rotate("audit-3.log")
    older.unlink()
    assert [*seen, *(entry["n"] for entry in reading)] == [1, 2, 3]
