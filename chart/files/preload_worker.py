"""Worker preload: the worker tells Kubernetes whether it is in service, and the scheduler of which pod it is.

Belongs here: what happens when a worker starts and ends. Never here: how (the package's modules).
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

# Where the chart mounts the package; Dask copies a preload elsewhere before it imports it.
sys.path.append("/etc/dask-kubernetes-helm")

from dask_kubernetes_helm_pod import drawing, facts, leaving, renewing
from dask_kubernetes_helm_pod.readiness import Readiness

#: Seconds until there is a dashboard of the worker's own: by then others have started.
_LATER = 10.0


def dask_setup(worker: Any) -> None:
    """Begin with the worker, before it registers."""
    told = {
        "pod": os.environ.get("DASKHELM_POD_NAME", worker.name),
        "group": os.environ.get("DASKHELM_WORKER_GROUP", "default"),
    }
    worker.startup_information[facts.KEY] = lambda _: told
    worker.readiness = Readiness(worker)
    worker.readiness.callback.start()
    renewing.start(worker, "worker")
    if drawing.is_wanted():
        worker.drawing = asyncio.ensure_future(drawing.draw(worker, drawing.WORKER, _LATER))
    if worker.nanny is None:
        leaving.on_sigterm(worker)
    else:
        leaving.apart_from_the_nanny()


def dask_teardown(worker: Any) -> None:
    """End with the worker."""
    for name in ("drawing", "renewing"):
        if hasattr(worker, name):
            getattr(worker, name).cancel()
    worker.readiness.callback.stop()
    worker.readiness.close()
