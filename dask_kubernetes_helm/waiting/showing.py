"""What is shown of a release's pods while something is awaited: how many are how far.

Belongs here: from pods to rows. Never here: the display (progress.py), or what a pod's state means (diagnosis).
"""

from __future__ import annotations

from collections.abc import Iterable

from dask_kubernetes_helm import contract, diagnosis
from dask_kubernetes_helm.diagnosis.phases import is_over
from dask_kubernetes_helm.waiting.progress import Progress
from dask_kubernetes_helm.waiting.watching import Watcher

_ROWS = {contract.SCHEDULER: "scheduler", contract.WORKER: "workers"}
_READY = "ready"


def pods(watcher: Watcher, progress: Progress, components: Iterable[str] = tuple(_ROWS)) -> None:
    """Show how far a release's pods are; called each time round while waiting.

    A worker that is Ready is one that the scheduler knows: the readiness probe asks for just that. Nobody waits for a
    pod that has ended for good.

    Parameters
    ----------
    watcher : Watcher
        What Kubernetes has of the release.
    progress : Progress
        Where to show it.
    components : iterable of str
        Which pods.
    """
    for component in components:
        phases = [diagnosis.phase(pod) for pod in watcher.of(component) if not is_over(pod)]
        if component == contract.WORKER:
            phases = ["registered" if phase == _READY else phase for phase in phases]
        counted = [f"{phases.count(phase)} {phase}" for phase in sorted(set(phases))]
        text = ", ".join(counted if component == contract.WORKER else dict.fromkeys(phases))
        if text:
            progress.show(_ROWS[component], text)
    progress.heartbeat()
