"""From nothing to the first result on two workers: HelmCluster against plain `kubectl apply` of equal objects.

Each try is a process of its own, timed once `distributed` is imported; both kinds take turns. The plain kind is given
what is best for it: objects rendered beforehand, and the scheduler reached at its pod's own address.
"""

from __future__ import annotations

import argparse
import base64
import sys
import time

import yaml
from distributed import Client
from distributed.security import Security

from bench import common
from dask_kubernetes_helm import HelmCluster

BOUND = 1.3
WORKERS = 2


def with_helmcluster(namespace: str) -> float:
    """Seconds with this package."""
    began = time.monotonic()
    with (
        HelmCluster(
            namespace=namespace, environment="ci", n_workers=WORKERS, image=common.image(), quiet=True
        ) as cluster,
        Client(cluster) as client,
    ):
        return _first_result(client, began)


def with_kubectl(namespace: str) -> float:
    """Seconds with kubectl alone."""
    repository, _, tag = common.image().rpartition(":")
    given = f"image.repository={repository},image.tag={tag},worker.replicas={WORKERS},tls.generated.offline=true"
    chart = ["chart", "--values", "values/ci.yaml", "--set", given, "--namespace", namespace]
    objects = common.run("helm", "template", "plain", *chart)
    security = _security(objects)
    kubectl = ("kubectl", "--namespace", namespace)
    began = time.monotonic()
    common.run(*kubectl, "apply", "--filename=-", text=objects)
    try:
        address = ""
        selector = "--selector=app.kubernetes.io/component=scheduler"
        while not address:
            address = common.run(*kubectl, "get", "pods", selector, "--output=jsonpath={.items[*].status.podIP}")
        with Client(f"tls://{address}:8786", timeout=60, security=security) as client:
            return _first_result(client, began)
    finally:
        common.run(*kubectl, "delete", "--filename=-", text=objects)


def _security(objects: str) -> Security:
    """The client's certificates among the rendered objects."""
    (data,) = (item["data"] for item in yaml.safe_load_all(objects) if item and "ca.crt" in item.get("data", {}))
    trusted, certificate, key = (base64.b64decode(data[name]).decode() for name in ("ca.crt", "tls.crt", "tls.key"))
    return Security(tls_ca_file=trusted, tls_client_cert=certificate, tls_client_key=key, require_encryption=True)


def _first_result(client, began) -> float:
    client.wait_for_workers(WORKERS, timeout=120)
    assert client.submit(sum, [1, 2]).result(timeout=60) == 3
    return time.monotonic() - began


def main() -> None:
    """Measure, or (as a child) do one try."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tries", type=int, default=7)
    parser.add_argument("--child", choices=["helmcluster", "kubectl"])
    parser.add_argument("--namespace")
    options = parser.parse_args()
    if options.child:
        print({"helmcluster": with_helmcluster, "kubectl": with_kubectl}[options.child](options.namespace))
        return
    pythons = {"kubectl": sys.executable, "helmcluster": sys.executable}
    title = f"First result on {WORKERS} workers (at most {BOUND} times)"
    common.in_turns("bench.first_result", pythons, options.tries, title)


if __name__ == "__main__":
    main()
