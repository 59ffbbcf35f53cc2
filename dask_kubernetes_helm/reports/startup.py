"""How long a release took to start, and where the time went: the account, and how it reads.

Belongs here: steps between points in time, and their table. Never here: where the points come from (timing.py).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from dask_kubernetes_helm import contract, moments, tables

_HEADER = ("POD", "STATE", "SCHEDULED", "PULLED", "STARTED", "READY", "REGISTERED", "IMAGE")
_MEBI = 1 << 20


@dataclass(frozen=True)
class PodStart:
    """How one pod came up.

    Attributes
    ----------
    name, component, group, node : str
        The pod, and where it is.
    created, scheduled, pulled, started, ready, registered : datetime, optional
        When it was made, had a node, had its images, its Dask process began, was Ready, and was known to the scheduler;
        None for what did not happen yet, or is not told.
    pull_seconds : float, optional
        How long its images took to pull, waiting for the node's other pulls included; None where they were there.
    image_bytes : int, optional
        How large what was pulled is.
    restarts : int
        How often its Dask container has started anew; the times are those of its life now.
    """

    name: str
    component: str
    group: str = ""
    node: str = ""
    created: datetime | None = None
    scheduled: datetime | None = None
    pulled: datetime | None = None
    started: datetime | None = None
    ready: datetime | None = None
    registered: datetime | None = None
    pull_seconds: float | None = None
    image_bytes: int | None = None
    restarts: int = 0

    @property
    def state(self) -> str:
        """How far it is."""
        if self.registered or (self.ready and self.component == contract.WORKER):
            return "registered"
        reached = {"ready": self.ready, "starting": self.started, "pulling": self.scheduled}
        return next((word for word, when in reached.items() if when), "waiting for a node")

    @property
    def seconds(self) -> float | None:
        """Seconds from its creation until it could be used; None as long as it can't, or where it has started anew."""
        if self.restarts:
            return None
        ready = max(filter(None, (self.ready, self.registered)), default=None)
        return moments.between(self.created, ready)

    @property
    def steps(self) -> dict[str, float]:
        """Seconds by what they went for, as far as it is told: of a start anew only what came before the first one."""
        started = None if self.restarts else self.started
        prepared = moments.between(self.scheduled, started)
        found = {
            "waiting for a node": moments.between(self.created, self.scheduled),
            "pulling images": self.pull_seconds,
            "preparing volumes and containers": None
            if prepared is None
            else max(0.0, prepared - (self.pull_seconds or 0.0)),
            "starting Dask": moments.between(started, self.registered or self.ready),
        }
        return {word: seconds for word, seconds in found.items() if seconds is not None}

    def to_dict(self) -> dict[str, Any]:
        """As plain data; times in ISO 8601, UTC."""
        plain = {
            key: value.isoformat() if isinstance(value, datetime) else value for key, value in asdict(self).items()
        }
        return {**plain, "state": self.state, "seconds": self.seconds, "steps": self.steps}


@dataclass(frozen=True)
class StartupReport:
    """How long a release took to start; a table as text and in a notebook.

    Attributes
    ----------
    release, namespace : str
        Which release.
    totals : dict
        Seconds: ``checks`` and ``helm`` (where this process has installed it), ``scheduler`` (until it answered here),
        and ``workers`` (the slowest one there is).
    pods : list of PodStart
        Each pod, the scheduler's first.
    missing : list of str
        What could not be had, and why.
    """

    release: str
    namespace: str
    totals: dict[str, float]
    pods: list[PodStart]
    missing: list[str] = field(default_factory=list)

    @property
    def slowest(self) -> dict[str, Any] | None:
        """The step that took longest, with its ``step``, ``pod`` (empty for none) and ``seconds``."""
        own = [(self.totals[word], word, "") for word in ("checks", "helm") if word in self.totals]
        found = own + [(seconds, word, pod.name) for pod in self.pods for word, seconds in pod.steps.items()]
        if not found:
            return None
        seconds, step, pod = max(found)
        return {"step": step, "pod": pod, "seconds": seconds}

    def __str__(self) -> str:
        """As text."""
        table = tables.text(_HEADER, map(_row, self.pods)) if self.pods else "No pods."
        return "\n".join([self._title, *self._sentences(), "", table, *self._gaps()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        said = "<br>".join(tables.escaped([*self._sentences(), *self._gaps()]))
        return f"{tables.as_html(_HEADER, map(_row, self.pods), self._title)}<p>{said}</p>"

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "release": self.release,
            "namespace": self.namespace,
            "totals": self.totals,
            "slowest": self.slowest,
            "pods": [pod.to_dict() for pod in self.pods],
            "missing": self.missing,
        }

    @property
    def _title(self) -> str:
        return f"Start of release {self.release} in namespace {self.namespace}"

    def _sentences(self) -> list[str]:
        found = []
        if self.totals:
            found.append(", ".join(f"{word} {moments.said(seconds)}" for word, seconds in self.totals.items()) + ".")
        if slow := self.slowest:
            whose = f" (pod {slow['pod']})" if slow["pod"] else ""
            found.append(f"The slowest step was {slow['step']}{whose}, with {moments.said(slow['seconds'])}.")
        return found

    def _gaps(self) -> list[str]:
        return [f"Not known: {sentence}" for sentence in self.missing]


def _row(pod: PodStart) -> list[str]:
    def after(when: datetime | None) -> str:
        seconds = moments.between(pod.created, when)
        return "" if seconds is None else f"{seconds:.0f} s"

    image = "" if pod.pulled is None else "was there"
    if pod.pull_seconds is not None:
        size = f", {pod.image_bytes / _MEBI:.0f} MiB" if pod.image_bytes else ""
        image = f"{moments.said(pod.pull_seconds)}{size}"
    state = pod.state + (f", {pod.restarts} restart{'s' * (pod.restarts != 1)}" if pod.restarts else "")
    times = [after(when) for when in (pod.scheduled, pod.pulled, pod.started, pod.ready, pod.registered)]
    return [pod.name, state, *times, image]
