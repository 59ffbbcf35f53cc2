"""Nanny preload: on its way out a nanny has its worker emptied, and ends it while it still answers it.

A nanny that is told to end first stops listening, then asks its worker to end. A worker that hears at that moment of
the scheduler's end (as when a release is removed) asks the nanny for leave and gets no answer, until the nanny kills
it eight seconds later. Belongs here: what a nanny does for its pod. Never here: what needs more than distributed, as
this runs in any Dask image.
"""

from __future__ import annotations

import sys
from typing import Any

# Where the chart mounts the package; Dask copies a preload elsewhere before it imports it.
sys.path.append("/etc/dask-kubernetes-helm")

from dask_kubernetes_helm_pod import leaving, renewing


def dask_setup(nanny: Any) -> None:
    """Begin with the nanny."""
    renewing.start(nanny, "worker")


async def dask_teardown(nanny: Any) -> None:
    """Empty and end the worker; called before the nanny stops listening."""
    if not await leaving.give_up_start(nanny) and nanny.is_alive():
        await leaving.be_emptied(nanny.scheduler, nanny.worker_address)
    await nanny.kill(timeout=leaving.CLOSING, reason="nanny-close")
