"""Running a script in a pod, under a service account of the test's own.

The nodes share this machine's file system, so the pod mounts the environment that runs the tests.
"""

from __future__ import annotations

import json
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Any

from .conftest import Namespace, run, until

ROOT = Path(__file__).parents[2]


def account(namespace: Namespace, mode: str) -> None:
    """A service account that may do what the mode's documented Role says, and nothing else."""
    namespace.kubectl("create", "serviceaccount", "notebook")
    told = ["rbac", "--mode", mode, "--service-account", "notebook", "--namespace", namespace.name]
    namespace.kubectl("apply", "-f", "-", text=run(sys.executable, "-m", "dask_kubernetes_helm", *told))
    namespace.own |= {"serviceaccount/notebook", "pod/notebook"}
    namespace.own |= {"role.rbac.authorization.k8s.io/dask-helm", "rolebinding.rbac.authorization.k8s.io/dask-helm"}


def helm() -> str:
    """The helm that the tests run."""
    found = shutil.which("helm")
    assert found
    return found


def start(namespace: Namespace, image: str, script: str, **environment: str) -> None:
    """Start the script in a pod called `notebook`."""
    folders = sorted({str(ROOT), sysconfig.get_path("purelib"), str(Path(helm()).parent)})
    variables = {
        "IMAGE": image,
        "PYTHONPATH": ":".join([str(ROOT), sysconfig.get_path("purelib")]),
        "PATH": f"{Path(helm()).parent}:/opt/python/bin:/usr/bin",
        "HOME": "/tmp",
        **environment,
    }
    container: dict[str, Any] = {
        "name": "notebook",
        "image": image,
        "args": ["python", "-c", script],
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "volumeMounts": [
            {"name": f"v{index}", "mountPath": folder, "readOnly": True} for index, folder in enumerate(folders)
        ],
    }
    spec = {
        "serviceAccountName": "notebook",
        "restartPolicy": "Never",
        "volumes": [{"name": f"v{index}", "hostPath": {"path": folder}} for index, folder in enumerate(folders)],
        "containers": [container],
    }
    metadata = {"name": "notebook", "labels": {"dask.org/client": "true"}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    namespace.kubectl("apply", "-f", "-", text=json.dumps(pod))


def log_at_end(namespace: Namespace, timeout: float = 150) -> str:
    """The script's output, once it has ended."""

    def ended() -> str:
        (phase,) = (item["status"]["phase"] for item in namespace.get("pods") if item["metadata"]["name"] == "notebook")
        return phase if phase in ("Succeeded", "Failed") else ""

    until(ended, timeout=timeout)
    return namespace.kubectl("logs", "notebook")
