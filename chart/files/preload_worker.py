"""Worker preload: the worker tells Kubernetes whether it is in service, and the scheduler of which pod it is.

Belongs here: what happens when a worker starts and ends. Never here: how (the package's modules).
"""

from __future__ import annotations

import os
import sys
from typing import Any

# Where the chart mounts the package; Dask copies a preload elsewhere before it imports it.
sys.path.append("/etc/dask-kubernetes-helm")

from dask_kubernetes_helm_pod import facts, leaving
from dask_kubernetes_helm_pod.readiness import Readiness


def dask_setup(worker: Any) -> None:
    """Begin with the worker, before it registers."""
    told = {
        "pod": os.environ.get("DASKHELM_POD_NAME", worker.name),
        "group": os.environ.get("DASKHELM_WORKER_GROUP", "default"),
    }
    worker.startup_information[facts.KEY] = lambda _: told
    worker.readiness = Readiness(worker)
    worker.readiness.callback.start()
    if worker.nanny is None:
        leaving.on_sigterm(worker)


def dask_teardown(worker: Any) -> None:
    """End with the worker."""
    worker.readiness.callback.stop()
    worker.readiness.close()
