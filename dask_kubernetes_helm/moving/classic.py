"""Classic dask-kubernetes' worker-spec.yml as values.

Belongs here: what `KubeCluster` does with such a file besides translating its pod. Never here: the pod (pods.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from dask_kubernetes_helm.errors import PodTemplateError
from dask_kubernetes_helm.moving import pods
from dask_kubernetes_helm.moving.sheet import Sheet
from dask_kubernetes_helm.moving.tracing import Ledger, Tracked
from dask_kubernetes_helm.podtemplates import commands, podmodel, translation
from dask_kubernetes_helm.podtemplates.commands import Role

_VARIABLE = re.compile(r"\$(\{\w+\}|[A-Za-z_]\w*)")


def convert(ledgers: Sequence[Ledger], sheet: Sheet) -> dict[str, Any]:
    """Values from pod templates: a worker's, and a scheduler's where there is one.

    Raises
    ------
    PodTemplateError
        Kubernetes would refuse one, there are two for a role, or none for the workers.
    """
    found: dict[Role, Tracked] = {}
    for ledger in ledgers:
        role = _role(ledger.root.value)
        if role in found:
            raise PodTemplateError(
                f"There are two pod templates of a {role}", cure="Give one file for each, and convert them one by one."
            )
        found[role] = ledger.root
    if "worker" not in found:
        raise PodTemplateError("There is no pod template of a worker", cure="Give the worker-spec.yml with it.")
    return _values(found["worker"], found.get("scheduler"), sheet)


def _values(root: Tracked, own: Tracked | None, sheet: Sheet) -> dict[str, Any]:
    for given in (root, own):
        if given is not None:
            _variables(given)
    settled = root.peek()  # the scheduler's template is the worker's where none is given
    worker = pods.carry(root, "worker", sheet)
    if own is not None:
        scheduler = pods.carry(own, "scheduler", sheet)
    else:
        sheet.pod(("scheduler",), root.get("metadata"), Tracked.at(root.ledger, ("spec",)))
        pod = {key: settled.get(key) or {} for key in ("metadata", "spec")}
        scheduler = translation.translate(translation.for_scheduler(_known(pod)), "scheduler")
    container = root.get("spec", "containers", 0)
    place = container.path if container else ()
    pods.death(worker, root.ledger, place)
    root.ledger.note(
        (),
        "It does not say how many workers there are: worker.replicas is the chart's own.",
        "Set it, or worker.adaptive.",
    )
    source = own or root
    return {**pods.together(scheduler.values, worker.values), **pods.lifecycle(scheduler, source.ledger, ())}


def _known(pod: dict[str, Any]) -> dict[str, Any]:
    """A pod without what Kubernetes does not know, which has been told of the worker."""
    for path in list(podmodel.strangers(pod)):
        holder: Any = pod
        for part in path[:-1]:
            holder = holder[part]
        del holder[path[-1]]
    return pod


def _role(pod: dict[str, Any]) -> Role:
    """The role whose command the first container has."""
    spec = pod.get("spec")
    containers = spec.get("containers") if isinstance(spec, dict) else None
    first = containers[0] if isinstance(containers, list) and containers else None
    if not isinstance(first, dict):
        return "worker"
    words = {key: first.get(key) for key in ("command", "args")}
    if any(
        part and not (isinstance(part, list) and all(isinstance(word, str) for word in part)) for part in words.values()
    ):
        return "worker"
    try:
        commands.read(words, "worker")
    except PodTemplateError:
        return "scheduler"
    return "worker"


def _variables(pod: Tracked) -> None:
    """Classic expands the environment of whoever reads the file; what is in there must not end up in values."""
    for part in pod.children():
        if part.path[-1] in ("command", "args"):
            continue  # a shell of the container may expand these
        if isinstance(part.value, str) and (match := _VARIABLE.search(part.value)):
            part.note(
                f"{match[0]} stays as it is written, where classic dask-kubernetes puts in the environment's.",
                "Write its value, or end the output's name with .j2 and write {{ NAME }} there.",
            )
        _variables(part)
