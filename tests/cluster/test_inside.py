"""The same from a pod inside the cluster, under a Role that has just what it takes."""

from __future__ import annotations

import json
import sys
import sysconfig
from pathlib import Path

from .conftest import Namespace, until

ROOT = Path(__file__).parents[2]
SCRIPT = """
import os
from dask_kubernetes_helm import HelmCluster
from distributed import Client
with HelmCluster(environment="ci", image=os.environ["IMAGE"], n_workers=1) as cluster, Client(cluster) as client:
    cluster.wait_for_workers(1, timeout=60)
    print("ROUTE", cluster.connection.route, cluster.namespace, client.submit(sum, [1, 2]).result())
print("LEFT")
"""


def test_inside_the_cluster(namespace: Namespace, image: str) -> None:
    """With the pod's service account and the documented Role, the scheduler is reached by DNS and all goes as outside.

    The nodes share this machine's file system, so the pod mounts the environment that runs this test.
    """
    role = (ROOT / "docs/roles/helm.yaml").read_text()
    namespace.kubectl("create", "serviceaccount", "notebook")
    namespace.kubectl("apply", "-f", "-", text=role)
    namespace.kubectl(
        "create", "rolebinding", "notebook", "--role=dask-helm", f"--serviceaccount={namespace.name}:notebook"
    )
    namespace.own |= {"serviceaccount/notebook", "pod/notebook"}
    folders = {str(ROOT), sysconfig.get_path("purelib"), str(Path(_helm()).parent)}
    path = ":".join([str(ROOT), sysconfig.get_path("purelib")])
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "notebook"},
        "spec": {
            "serviceAccountName": "notebook",
            "restartPolicy": "Never",
            "volumes": [{"name": f"v{i}", "hostPath": {"path": folder}} for i, folder in enumerate(sorted(folders))],
            "containers": [
                {
                    "name": "notebook",
                    "image": image,
                    "args": ["python", "-c", SCRIPT],
                    "env": [
                        {"name": "IMAGE", "value": image},
                        {"name": "PYTHONPATH", "value": path},
                        {"name": "PATH", "value": f"{Path(_helm()).parent}:/opt/python/bin:/usr/bin"},
                        {"name": "HOME", "value": "/tmp"},
                    ],
                    "volumeMounts": [
                        {"name": f"v{i}", "mountPath": folder, "readOnly": True}
                        for i, folder in enumerate(sorted(folders))
                    ],
                }
            ],
        },
    }
    namespace.kubectl("apply", "-f", "-", text=json.dumps(pod))

    def ended() -> str:
        phase = namespace.get("pods")
        (mine,) = (item["status"]["phase"] for item in phase if item["metadata"]["name"] == "notebook")
        return mine if mine in ("Succeeded", "Failed") else ""

    until(ended, timeout=150)
    log = namespace.kubectl("logs", "notebook")
    assert f"ROUTE in-cluster DNS {namespace.name} 3" in log, log
    assert log.rstrip().endswith("LEFT"), log
    assert set() == namespace.objects()
    assert sys.version_info >= (3, 10)


def _helm() -> str:
    import shutil

    found = shutil.which("helm")
    assert found
    return found
