"""The main job, told as it goes: install a release, compute on it, scale it, remove it.

Belongs here: what `python -m dask_kubernetes_helm.demo` (and `make demo`) shows. Never here: what the package needs.
It runs on the cluster that the kubeconfig's context names, with the image in the variable IMAGE.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from distributed import Client

from dask_kubernetes_helm import HelmCluster
from dask_kubernetes_helm.errors import HelmClusterError


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


def _run(options: argparse.Namespace) -> int:
    import dask.array  # noqa: PLC0415 - NumPy is needed here alone

    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:5.1f} s  {text}", flush=True)

    say("installing a release of the chart")
    with HelmCluster(
        environment=options.environment, namespace=options.namespace, image=options.image, n_workers=2
    ) as cluster:
        say(f"release {cluster.name} in namespace {cluster.namespace}, reached by {cluster.connection.route}")
        with Client(cluster) as client:
            say(f"dashboard: {cluster.dashboard_link}")
            cluster.wait_for_workers(2, timeout=180)
            say("2 workers; computing da.ones((1000, 1000, 1000)).mean()")
            result = float(dask.array.ones((1000, 1000, 1000)).mean().compute())
            say(f"result: {result}")
            for number in (4, 1):
                before = _workers(client)
                cluster.scale(number)
                _await_workers(client, number)
                say(f"scaled {before} -> {_workers(client)}")
        say("removing the release")
    say("done, nothing left")
    return 0 if result == 1.0 else 1


def _workers(client: Client) -> int:
    return len(client.scheduler_info(n_workers=-1)["workers"])


def _await_workers(client: Client, number: int, timeout: float = 180) -> None:
    deadline = time.monotonic() + timeout
    while _workers(client) != number:
        if time.monotonic() > deadline:
            raise HelmClusterError(f"{number} workers were not there after {timeout} s")
        time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
