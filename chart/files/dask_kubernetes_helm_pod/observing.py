"""What an agent can tell of itself, as plain data: samples with a name, a help text, labels and a number.

Belongs here: which facts there are and what they are called. Never here: a library of metrics (metrics.py), acting, or
asking anybody.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

#: Before every name.
PREFIX = "dask_agent_"
AGENT, OTHERS = "agent", "others"
DONE, UNDONE, FAILED = "done", "undone", "failed"
#: What a journal tells that is no change of a number.
_NO_CHANGE = {"adapting", "noticed", "mended"}


@dataclass(frozen=True)
class Group:
    """A worker group as it stands; None: not known, or not so.

    Attributes
    ----------
    in_service, retiring : int
        Its pods that have a worker in service, and its other pods that the scheduler knows.
    desired : int, optional
        The number of pods that it should have.
    adaptive, asleep : bool
        Whether its number follows the work; whether it was put to sleep.
    minimum, maximum : float, optional
        Bounds of a number that follows the work.
    """

    in_service: int = 0
    retiring: int = 0
    desired: int | None = None
    adaptive: bool = False
    asleep: bool = False
    minimum: float | None = None
    maximum: float | None = None


@dataclass
class Tally:
    """Changes of worker groups, counted for as long as the scheduler runs.

    Attributes
    ----------
    actions : Counter
        How many, by group, by whom (`AGENT` or `OTHERS`) and outcome (`DONE`, `UNDONE` or `FAILED`).
    kept : Counter
        Pods that were to leave and could not, by group.
    seconds : dict
        How long the last one took, by group.
    """

    actions: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, group: str, who: str, outcome: str, *, seconds: float = 0.0, kept: int = 0) -> None:
        """Count what a journal's entry tells.

        Examples
        --------
        >>> tally = Tally()
        >>> tally.add("default", "ada", "more work has come", seconds=2.0)
        >>> tally.actions
        Counter({('default', 'others', 'undone'): 1})
        """
        if outcome in _NO_CHANGE:
            return
        whose = AGENT if who == AGENT else OTHERS
        how = DONE if outcome == DONE else FAILED if outcome.startswith(FAILED) else UNDONE
        self.actions[group, whose, how] += 1
        self.kept[group] += kept
        self.seconds[group] = seconds

    def failures(self, group: str) -> int:
        """How many changes by the agent have failed."""
        return self.actions[group, AGENT, FAILED]

    def fail(self, group: str, since: int) -> None:
        """Count a failure of the agent's, unless the journal has told of it since there were so many."""
        self.actions[group, AGENT, FAILED] = max(self.failures(group), since + 1)


@dataclass(frozen=True)
class Facts:
    """An agent and what it looks after.

    Attributes
    ----------
    groups : mapping
        The worker groups by name.
    tally : Tally
        Changes of them.
    idle, alone : float
        Seconds since anything was computed; since there was a client, or a Python that manages the release.
    limits : mapping
        Seconds after which the release is put to sleep or removed, by the name of the chart's key; only what is set.
    owned, attended : bool
        Whether the release has an owner with which it goes; whether a Python that manages it is there.
    calls, api_errors, errors : int
        Requests to Kubernetes, those among them that failed, and rounds that ended in an error.
    """

    groups: Mapping[str, Group]
    tally: Tally
    idle: float = 0.0
    alone: float = 0.0
    limits: Mapping[str, float] = field(default_factory=dict)
    owned: bool = False
    attended: bool = False
    calls: int = 0
    api_errors: int = 0
    errors: int = 0


@dataclass(frozen=True)
class Family:
    """Samples of one name; a counter's is without its `_total`."""

    name: str
    about: str
    samples: tuple[tuple[tuple[str, ...], float], ...]
    labels: tuple[str, ...] = ()
    counts: bool = False


def families(facts: Facts) -> list[Family]:
    """All that is told.

    Examples
    --------
    >>> [(found.name, found.samples) for found in families(Facts({}, Tally(), idle=3.0)) if "idle" in found.name]
    [('dask_agent_idle_seconds', (((), 3.0),))]
    """
    return [*_of_groups(facts.groups), *_of_changes(facts.groups, facts.tally), *_of_the_agent(facts)]


def _of_groups(groups: Mapping[str, Group]) -> Iterable[Family]:
    for name, about, values in (
        ("desired", "Pods that a worker group should have; absent where the agent does not know.", "desired"),
        ("in_service", "Pods of a worker group that have a worker in service.", "in_service"),
        ("retiring", "Pods of a worker group whose workers are out of service.", "retiring"),
        ("minimum", "Fewest pods of a worker group whose number follows the work.", "minimum"),
        ("maximum", "Most pods of a worker group whose number follows the work; absent without a limit.", "maximum"),
    ):
        found = {group: getattr(facts, values) for group, facts in groups.items()}
        yield _by_group(f"group_{name}_pods", about, found)
    yield _by_group(
        "group_adaptive",
        "Whether a worker group's number of pods follows the work.",
        {group: facts.adaptive for group, facts in groups.items()},
    )
    yield _by_group(
        "group_asleep",
        "Whether a worker group was put to sleep until there is work.",
        {group: facts.asleep for group, facts in groups.items()},
    )


def _by_group(name: str, about: str, found: Mapping[str, float | None], *, counts: bool = False) -> Family:
    told = [((group,), float(value)) for group, value in found.items() if value is not None and math.isfinite(value)]
    return Family(PREFIX + name, about, tuple(told), ("group",), counts)


def _of_changes(groups: Mapping[str, Group], tally: Tally) -> Iterable[Family]:
    # Zeros from the start: an increase of what was not there before is none to Prometheus.
    zeros = {(group, who, how): 0 for group in groups for who in (AGENT, OTHERS) for how in (DONE, UNDONE, FAILED)}
    actions = tuple((labels, float(number)) for labels, number in {**zeros, **tally.actions}.items())
    about = "Changes of a worker group's number of pods."
    yield Family(f"{PREFIX}scale_actions", about, actions, ("group", "by", "outcome"), counts=True)
    kept = {**dict.fromkeys(groups, 0), **tally.kept}
    yield _by_group("scale_kept_pods", "Pods that were to leave, and stayed.", kept, counts=True)
    yield _by_group("scale_last_seconds", "Seconds that a worker group's last change took.", tally.seconds)


def _of_the_agent(facts: Facts) -> Iterable[Family]:
    for name, about, value in (
        ("idle_seconds", "Seconds since anything was computed.", facts.idle),
        ("alone_seconds", "Seconds since there was a client, or a Python that manages the release.", facts.alone),
        ("owned", "Whether the release has an owner, and goes with it.", facts.owned),
        ("attended", "Whether a Python that manages the release is there.", facts.attended),
    ):
        yield Family(PREFIX + name, about, (((), float(value)),))
    limits = tuple(((key,), float(value)) for key, value in facts.limits.items())
    about = "Seconds after which the release is put to sleep or removed."
    yield Family(f"{PREFIX}lifecycle_limit_seconds", about, limits, ("limit",))
    for name, about, value in (
        ("api_requests", "Requests to the Kubernetes API.", facts.calls),
        ("api_errors", "Requests to the Kubernetes API that failed.", facts.api_errors),
        ("errors", "Rounds of the agent that ended in an error.", facts.errors),
    ):
        yield Family(PREFIX + name, about, (((), float(value)),), counts=True)
