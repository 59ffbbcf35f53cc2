"""The main job, told as it goes: install a release, compute on it, scale it, remove it.

Belongs here: what `python -m dask_kubernetes_helm.demo` (and `make demo`) shows. Never here: what the package needs.
It runs on the cluster that the kubeconfig's context names, with the image in the variable IMAGE.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from distributed import Client

from dask_kubernetes_helm import HelmCluster
from dask_kubernetes_helm.errors import HelmClusterError

if TYPE_CHECKING:
    from typing_extensions import Self


def main(arguments: list[str] | None = None) -> int:
    """Run the demonstration; 0 if it worked."""
    parser = argparse.ArgumentParser(prog="python -m dask_kubernetes_helm.demo", description=__doc__.splitlines()[0])
    parser.add_argument("--environment", default="local", help="values to use (default: %(default)s)")
    parser.add_argument("--namespace", help="where to install (default: the context's)")
    parser.add_argument(
        "--image", default=os.environ.get("IMAGE"), help="Dask image (default: $IMAGE, else the chart's)"
    )
    options = parser.parse_args(arguments)
    try:
        import dask.array  # noqa: F401, PLC0415 - told early, not after the release is installed
    except ImportError:
        print("The demo computes with NumPy: pip install 'dask-kubernetes-helm[demo]'", file=sys.stderr)
        return 1
    try:
        return _run(options)
    except HelmClusterError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # nobody reads any more; the release is removed
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


class _Teller:
    """Tells what goes on, and after each few seconds of silence that it still does."""

    _HEARTBEAT = 8.0

    def __init__(self) -> None:
        self._began = self._spoke = time.monotonic()
        self._doing, self._ended = "", threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self._thread.join()

    def say(self, text: str) -> None:
        """Tell what begins, or how it went."""
        self._doing, self._spoke = text, time.monotonic()
        print(f"{self._spoke - self._began:5.1f} s  {text}", flush=True)

    def _beat(self) -> None:
        while not self._ended.wait(1):
            if time.monotonic() - self._spoke >= self._HEARTBEAT:
                with contextlib.suppress(BrokenPipeError):
                    self.say(f"... {self._doing.removeprefix('... ')}")


def _run(options: argparse.Namespace) -> int:
    """The job itself, told."""
    with _Teller() as teller:
        say = teller.say
        say("installing a release of the chart")
        with HelmCluster(
            environment=options.environment, namespace=options.namespace, image=options.image, n_workers=2
        ) as cluster:
            say(f"release {cluster.name} in namespace {cluster.namespace}, reached by {cluster.connection.route}")
            with Client(cluster) as client:
                say(f"dashboard: {cluster.dashboard_link}")
                result = _compute(client, say)
                for number in (4, 1):
                    before = _workers(client)
                    say(f"scaling to {number}")
                    cluster.scale(number)
                    _await_workers(client, number)
                    say(f"scaled {before} -> {number}")
            say("removing the release")
        say("done, nothing left")
    return 0 if result == 1.0 else 1


def _compute(client: Client, say: Callable[[str], None]) -> float:
    import dask.array  # noqa: PLC0415 - NumPy is needed here alone

    say("waiting for 2 workers")
    _await_workers(client, 2)
    say("computing da.ones((1000, 1000, 1000)).mean() on them")
    result = float(dask.array.ones((1000, 1000, 1000)).mean().compute())
    say(f"result: {result}")
    return result


def _workers(client: Client) -> int:
    return len(client.nthreads())


def _await_workers(client: Client, number: int, timeout: float = 180) -> None:
    deadline = time.monotonic() + timeout
    while _workers(client) != number:
        if time.monotonic() > deadline:
            raise HelmClusterError(f"{number} workers were not there after {timeout} s")
        time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
