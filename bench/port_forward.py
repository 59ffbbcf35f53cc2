"""A port of a pod, reached by our port-forward, kr8s's, the official client's, kubectl's, and at the pod's own address.

A server in the pod sends, takes, or echoes; what is measured is the throughput of one connection in each direction, the
round trip of a small message, and the time until a new connection has carried its first byte. The ways take turns. Ours
is measured as Dask's comm has it, with the relay in the pod that lets a connection outlive cuts, and without.

With --memory: how much the memory of a process grows that moves 1 GiB each way.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from kr8s.objects import Pod
from kubernetes import client as official
from kubernetes import config as official_config
from kubernetes.stream import portforward

from bench import common
from dask_kubernetes_helm.connections.health import Health
from dask_kubernetes_helm.connections.lasting import LastingStream
from dask_kubernetes_helm.connections.tunnel import Stream, Tunnel
from dask_kubernetes_helm.kubeapi.kube import Kube

PORT, RELAY, SIZE, PINGS = 9000, 9001, 256 << 20, 500
_FILES = common.ROOT / "chart/files/dask_kubernetes_helm_pod"
_PARTS = [(name, (_FILES / f"{name}.py").read_text()) for name in ("framing", "lasting", "pipes", "relay")]
_SERVER = f"""
import socket, sys, threading, types
package = sys.modules["dask_kubernetes_helm_pod"] = types.ModuleType("dask_kubernetes_helm_pod")
for name, source in {_PARTS!r}:
    module = sys.modules["dask_kubernetes_helm_pod." + name] = types.ModuleType(name)
    setattr(package, name, module)
    exec(source, module.__dict__)
package.relay.Relay({RELAY}, {PORT}).start()
block = b"x" * (1 << 20)
def serve(peer):
    with peer:
        kind = peer.recv(1)
        if kind == b"d":
            for _ in range({SIZE} >> 20): peer.sendall(block)
            peer.recv(1)
        elif kind == b"u":
            left = {SIZE}
            while left: left -= len(peer.recv(1 << 20))
            peer.sendall(b"k")
            peer.recv(1)
        else:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while data := peer.recv(64): peer.sendall(data)
listener = socket.create_server(("", {PORT}))
while True: threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""
Way = Callable[[str, str], contextlib.AbstractContextManager[tuple[str, int]]]


@contextlib.contextmanager
def direct(namespace: str, pod: str) -> Iterator[tuple[str, int]]:
    """No port-forward: the host has a route to the embedded cluster's pods."""
    yield common.run("kubectl", "-n", namespace, "get", "pod", pod, "--output=jsonpath={.status.podIP}"), PORT


@contextlib.contextmanager
def ours(namespace: str, pod: str, *, lasting: bool = True) -> Iterator[tuple[str, int]]:
    """The package's tunnel, in a loop of its own as in Dask."""
    loop, stop, ready = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
    address = []

    async def carry() -> None:
        kube, health = await Kube.connect(None, namespace), Health()

        async def carrier() -> Stream:
            return await kube.dial(pod, RELAY)

        async def outliving() -> Stream:
            return await LastingStream(carrier, carrier, health).open()

        tunnel = await Tunnel(outliving if lasting else lambda: kube.dial(pod, PORT)).start()
        address.append((tunnel.host, tunnel.port))
        ready.set()
        await stop.wait()
        await tunnel.close()
        await kube.close()

    thread = threading.Thread(target=lambda: loop.run_until_complete(carry()))
    thread.start()
    ready.wait()
    yield address[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


@contextlib.contextmanager
def kr8s(namespace: str, pod: str) -> Iterator[tuple[str, int]]:
    """What dask-kubernetes' operator and dask-ctl use."""
    with Pod.get(pod, namespace=namespace).portforward(PORT, local_port="auto") as port:
        yield "127.0.0.1", port


@contextlib.contextmanager
def official_client(namespace: str, pod: str) -> Iterator[tuple[str, int]]:
    """The official client's socket, with a thread for each direction behind a local port."""
    official_config.load_kube_config()
    api = official.CoreV1Api()
    listener = socket.create_server(("127.0.0.1", 0))

    def copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.close()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                peer = listener.accept()[0]
                forward = portforward(api.connect_get_namespaced_pod_portforward, pod, namespace, ports=str(PORT))
                stream = forward.socket(PORT)
                stream.settimeout(None)
                for pair in ((peer, stream), (stream, peer)):
                    threading.Thread(target=copy, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname()
    listener.close()


@contextlib.contextmanager
def kubectl(namespace: str, pod: str) -> Iterator[tuple[str, int]]:
    """A process of kubectl's."""
    command = ["kubectl", "--namespace", namespace, "port-forward", f"pod/{pod}", f":{PORT}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield "127.0.0.1", int(process.stdout.readline().split(":")[1].split()[0])
        process.terminate()


WAYS: dict[str, Way] = {
    "direct": direct,
    "ours": ours,
    "ours, plain": functools.partial(ours, lasting=False),
    "kubectl": kubectl,
    "kr8s": kr8s,
    "official client": official_client,
}


def _await_server(namespace: str) -> None:
    """Until Python listens in the pod, which Kubernetes doesn't know of."""
    with direct(namespace, "server") as address:
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection(address, timeout=10).close()
                return


def _connect(address: tuple[str, int]) -> socket.socket:
    peer = socket.create_connection(address, timeout=120)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return peer


def measure(address: tuple[str, int]) -> dict[str, float]:
    """Figures of one way."""
    figures = {}
    began = time.perf_counter()
    with _connect(address) as peer:
        peer.sendall(b"p")
        peer.sendall(b"x" * 63)
        peer.recv(64)
        figures["connect ms"] = (time.perf_counter() - began) * 1e3
    with _connect(address) as peer:
        peer.sendall(b"p")
        began = time.perf_counter()
        for _ in range(PINGS):
            peer.sendall(b"x" * 64)
            left = 64
            while left:
                left -= len(peer.recv(left))
        figures["round trip ms"] = (time.perf_counter() - began) / PINGS * 1e3
    with _connect(address) as peer:
        began = time.perf_counter()
        peer.sendall(b"d")
        left = SIZE
        while left:
            left -= len(peer.recv(1 << 20))
        figures["down MiB/s"] = (SIZE >> 20) / (time.perf_counter() - began)
    with _connect(address) as peer:
        began = time.perf_counter()
        peer.sendall(b"u")
        block = b"x" * (1 << 20)
        for _ in range(SIZE >> 20):
            peer.sendall(block)
        peer.recv(1)
        figures["up MiB/s"] = (SIZE >> 20) / (time.perf_counter() - began)
    return figures


def _resident() -> int:
    """This process's memory in bytes."""
    with Path("/proc/self/status").open() as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmRSS"))


def _grow(namespace: str) -> None:
    """Move a gigabyte each way, and print by how much this process has grown since the first 64 MiB."""
    with ours(namespace, "server") as address:
        measure(address)
        before = _resident()
        for _ in range((1 << 30) // SIZE - 1):
            measure(address)
        print((_resident() - before) / 1e6)


@contextlib.contextmanager
def _served() -> Iterator[str]:
    """A namespace with the server in it."""
    with common.namespace() as namespace:
        kubectl = ("kubectl", "--namespace", namespace)
        common.run(*kubectl, "run", "server", f"--image={common.image()}", "--command", "--", "python", "-c", _SERVER)
        common.run(*kubectl, "wait", "pod/server", "--for=condition=Ready", "--timeout=60s")
        _await_server(namespace)
        yield namespace
        common.run(*kubectl, "delete", "pod", "server", "--now")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tries", type=int, default=3)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--memory", action="store_true", help="growth of a process that moves 1 GiB each way")
    parser.add_argument("--grow", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.grow:
        _grow(options.grow)
        return
    if options.memory:
        with _served() as namespace:
            command = [sys.executable, "-m", "bench.port_forward", "--grow", namespace]
            grown = float(common.run(*command).split()[-1])
        common.show("Memory", ["", "MB more after 1 GiB each way"], [("ours", grown)])
        return
    found: dict[str, list[dict[str, float]]] = {name: [] for name in options.ways}
    with _served() as namespace:
        for number in range(options.tries):
            for name in options.ways:
                common.say(f"port-forward: {name}, try {number + 1} of {options.tries}")
                with WAYS[name](namespace, "server") as address:
                    found[name].append(measure(address))
    columns = ["connect ms", "round trip ms", "down MiB/s", "up MiB/s"]
    medians = {name: [median([try_[column] for try_ in tries]) for column in columns] for name, tries in found.items()}
    against = medians.get("kubectl", next(iter(medians.values())))
    rows = [(name, *figures, figures[2] / against[2], figures[3] / against[3]) for name, figures in medians.items()]
    common.show("Port-forward, one connection", ["", *columns, "down over kubectl", "up over kubectl"], rows)


if __name__ == "__main__":
    main()
