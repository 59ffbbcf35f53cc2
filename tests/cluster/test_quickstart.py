"""The quickstart of classic dask-kubernetes, with another import and image and nothing else changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import KINDS, Namespace, until

WORKER_SPEC = """\
      # worker-spec.yml

      kind: Pod
      metadata:
        labels:
          foo: bar
      spec:
        restartPolicy: Never
        containers:
        - image: daskdev/dask:latest
          imagePullPolicy: IfNotPresent
          args: [dask-worker, --nthreads, '2', --no-dashboard, --memory-limit, 6GB, --death-timeout, '60']
          name: dask
          env:
            - name: EXTRA_PIP_PACKAGES
              value: git+https://github.com/dask/distributed
          resources:
            limits:
              cpu: "2"
              memory: 6G
            requests:
              cpu: "2"
              memory: 6G
"""
SCRIPT = """\
from dask_kubernetes import KubeCluster

cluster = KubeCluster.from_yaml('worker-spec.yml')
cluster.scale(10)  # specify number of workers explicitly

cluster.adapt(minimum=1, maximum=100)  # or dynamically scale based on current workload

# Example usage
from dask.distributed import Client
import dask.array as da

# Connect Dask to the cluster
client = Client(cluster)

# Create a large array and calculate the mean
array = da.ones((1000, 1000, 1000))
print(array.mean().compute())  # Should print 1.0
"""


@pytest.mark.alone  # its workers ask for whole nodes
@pytest.mark.parametrize("mode", ["remote", "local"])
def test_quickstart(namespace: Namespace, image: str, tmp_path: Path, mode: str) -> None:
    """It prints 1.0 in both modes, has the spec's label on its workers, and leaves nothing when the script ends."""
    (tmp_path / "worker-spec.yml").write_text(WORKER_SPEC.replace("daskdev/dask:latest", image))
    script = SCRIPT.replace("dask_kubernetes", "dask_kubernetes_helm")
    settings = {"DEPLOY_MODE": mode, "NAMESPACE": namespace.name, "DASHBOARD_ADDRESS": ":0"}
    environment = {**os.environ, **{f"DASK_KUBERNETES__{key}": value for key, value in settings.items()}}
    command = [sys.executable, "-c", script]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        until(lambda: namespace.get("pods", "foo=bar,dask.org/component=worker") or process.poll() is not None)
        printed, said = process.communicate(timeout=240)
    finally:
        process.kill()
        process.communicate()
    assert printed.splitlines()[-1:] == ["1.0"], f"{printed}\n{said}"
    assert "Traceback" not in said, said
    assert process.returncode == 0
    namespace.empties(60, f"{KINDS},roles,rolebindings")
