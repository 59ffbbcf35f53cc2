"""What an option of Dask's commands means for the chart.

Belongs here: each option judged for itself: carried by a value of the chart, passed on as it is, changed, or left out
with a sentence on why. Never here: finding the options (options.py), or putting a command together (commands.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dask.utils import parse_bytes, parse_timedelta

from dask_kubernetes_helm.podtemplates import options
from dask_kubernetes_helm.podtemplates.options import Item, Kind

#: The words to pass for an option; None: a value of the chart carries it.
Passed = tuple[str, ...] | None
POD_NAME = "$(DASKHELM_POD_NAME)"
#: What the chart's own arguments say as well.
_SAME_HOST = ("", "0.0.0.0", "tcp://0.0.0.0", "tcp://0.0.0.0:8786", "tcp://:8786")  # noqa: S104 - compared, not bound
_SAME = {
    "port": ("8786",),
    "dashboard_address": (":8787", "8787", "0.0.0.0:8787"),
    "host": _SAME_HOST,
}


class NotUnderstoodError(Exception):
    """A command that can't be taken apart, so that it has to stay as it is."""


@dataclass
class Found:
    """What a command's options say; None: nothing."""

    threads: int | None = None
    memory: int | None = None
    nanny: bool | None = None
    workers: int = 1
    resources: dict[str, float] = field(default_factory=dict)
    scheduler: str = ""
    prefix: str = ""
    death_timeout: float | None = None
    idle_timeout: str | None = None
    notes: list[str] = field(default_factory=list)


def judge(items: Sequence[Item], kind: Kind) -> tuple[list[Passed], list[str], Found]:
    """What to pass for each option, what else to pass, and what the options say.

    Parameters
    ----------
    items : sequence of Item
        As `options.read` gives them.
    kind : {"worker", "scheduler", "cuda"}
        Whose options they are.

    Raises
    ------
    NotUnderstoodError
        The address of the scheduler is known in the pod only.
    """
    found = Found()
    past = options.superseded(items, kind)
    passed: list[Passed] = []
    for position, item in enumerate(items):
        if position in past:
            passed.append(())
        elif item.key == "gone":
            found.notes.append(f"{item.was} is gone from Dask without a successor, so it is left out.")
            passed.append(())
        else:
            handler = _HANDLERS[kind].get(item.key, _pass)
            passed.append(handler(item, found))
    if kind == "cuda" and all(item.key != "nthreads" for item in items):
        found.threads = 1  # dask-cuda's default, not the container's cores
    more = [] if kind == "scheduler" else _several(items, found)
    return passed, more, found


def _pass(item: Item, _: Found) -> Passed:
    return item.words


def _nthreads(item: Item, found: Found) -> Passed:
    try:
        threads = int(item.value or "")
    except ValueError:
        return item.words
    if threads < 1:
        return item.words
    found.threads = threads
    return None


def _memory(item: Item, found: Found) -> Passed:
    value = item.value or ""
    try:
        # Dask takes what is a plain number up to 1 for a share of the machine's memory.
        if float(value) <= 1:
            return item.words
    except ValueError:
        pass
    try:
        found.memory = parse_bytes(value)
    except (ValueError, KeyError, OverflowError):  # auto, or a variable
        return item.words
    if found.memory < 1:
        found.memory = None
        return item.words
    return None


def _nanny(item: Item, found: Found) -> Passed:
    found.nanny = item.flag == "--nanny"
    return None


def _resources(item: Item, found: Found) -> Passed:
    try:
        pairs = dict(pair.split("=") for pair in (item.value or "").replace(",", " ").split())
        amounts = {name: float(amount) for name, amount in pairs.items()}
    except ValueError:
        return item.words
    if not amounts or not all(name and 0 < amount < math.inf for name, amount in amounts.items()):
        return item.words
    found.resources = {name: int(amount) if amount.is_integer() else amount for name, amount in amounts.items()}
    return None


def _name(item: Item, found: Found) -> Passed:
    if not item.value or "$" in item.value:
        return item.words
    found.notes.append(
        f"--name {item.value} would name every worker, as all pods of a Deployment have one template; each is called "
        f"{item.value}-<name of its pod>."
    )
    return (f"--name={item.value}-{POD_NAME}",)


def _death_timeout(item: Item, found: Found) -> Passed:
    try:
        found.death_timeout = float(parse_timedelta(item.value))
    except (ValueError, KeyError, TypeError):
        return item.words
    return None


def _address(item: Item, found: Found) -> Passed:
    value = item.value or ""
    if value in options.ADDRESSES:
        return ()
    if "$" in value:
        raise NotUnderstoodError(f"the scheduler's address is {value}, which is known in the pod only")
    found.scheduler = value
    found.notes.append(
        f"The workers go to the scheduler at {value}, as their command names it, not to this cluster's own."
    )
    return ()


def _workers(item: Item, found: Found) -> Passed:
    try:
        found.workers = max(1, int(item.value or ""))
    except ValueError:
        found.workers = 1
    return item.words


def _idle_timeout(item: Item, found: Found) -> Passed:
    if "$" in (item.value or ""):
        return item.words
    found.idle_timeout = item.value
    return ()


def _prefix(item: Item, found: Found) -> Passed:
    found.prefix = item.value or ""
    return item.words


def _fixed(item: Item, found: Found) -> Passed:
    if item.value not in _SAME[item.key]:
        found.notes.append(
            f"{item.was or item.flag} {item.value} is left out: the scheduler's Service and probes know the chart's."
        )
    return ()


def _no_choice(item: Item, found: Found) -> Passed:
    found.notes.append(f"{item.flag} is left out: dask cuda worker has no such option, it always has a nanny.")
    return ()


def _unknown_to_cuda(item: Item, found: Found) -> Passed:
    _death_timeout(item, found)
    return ()


def _several(items: Sequence[Item], found: Found) -> list[str]:
    """What a pod with several workers needs besides: the chart would give each of them the whole container."""
    told = [item for item in items if item.key == "n_workers"]
    if not told or told[-1].value == "1":
        return []
    if found.nanny is False:
        found.nanny = True
        found.notes.append(f"--no-nanny is left out: {told[-1].flag} {told[-1].value} needs nannies.")
    keys = {item.key for item in items}
    return [
        *(["--nthreads=0"] if "nthreads" not in keys else []),
        *(["--memory-limit=auto"] if "memory_limit" not in keys else []),
    ]


_Handler = Callable[[Item, Found], Passed]
_COMMON: dict[str, _Handler] = {
    "nthreads": _nthreads,
    "memory_limit": _memory,
    "resources": _resources,
    "name": _name,
    "scheduler": _address,
}
_HANDLERS: dict[Kind, dict[str, _Handler]] = {
    "worker": {**_COMMON, "nanny": _nanny, "n_workers": _workers, "death_timeout": _death_timeout},
    "cuda": {**_COMMON, "nanny": _no_choice, "death_timeout": _unknown_to_cuda},
    "scheduler": {
        "idle_timeout": _idle_timeout,
        "dashboard_prefix": _prefix,
        "port": _fixed,
        "host": _fixed,
        "dashboard_address": _fixed,
    },
}
