"""Which part of a log, and of whose, was asked for.

Belongs here: judging that, on plain data. Never here: reading logs (podlogs.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from dask_kubernetes_helm import contract, moments
from dask_kubernetes_helm.errors import InvalidArgumentError, InvalidTypeError, WorkloadNotFoundError
from dask_kubernetes_helm.text import did_you_mean

#: What `get_logs` is told of workers: all, or names of them.
Asked = bool | str | Iterable[str]

#: How many pods an error names.
_NAMED = 10


@dataclass(frozen=True)
class Excerpt:
    """A part of a log.

    Attributes
    ----------
    previous : bool
        Of the container's life before this one.
    since : float or datetime, optional
        From when on: seconds ago, or a point in time.
    tail : int, optional
        How many of its last lines.
    """

    previous: bool = False
    since: float | datetime | None = None
    tail: int | None = None

    @classmethod
    def told(cls, *, previous: bool = False, since: Any = None, tail: Any = None) -> Excerpt:
        """What was asked for, judged.

        Parameters
        ----------
        previous, since, tail
            As `get_logs` has them.

        Raises
        ------
        InvalidArgumentError, InvalidTypeError

        Examples
        --------
        >>> Excerpt.told(since="2 minutes", tail=10)
        Excerpt(previous=False, since=120.0, tail=10)
        """
        if tail is not None:
            if isinstance(tail, bool) or not isinstance(tail, int):
                raise InvalidTypeError(f"tail is {tail!r}, which is no number of lines", cure="Give an integer.")
            if tail < 0:
                raise InvalidArgumentError(f"tail is {tail}", cure="Give a number of lines, 0 or more.")
        return cls(bool(previous), moments.since(since), tail)


@dataclass(frozen=True)
class Choice:
    """Whose logs: those of all pods, or of those that carry one of the names.

    Attributes
    ----------
    names : frozenset of str, optional
        Names of pods or worker groups, or addresses of Dask's; None: all.
    besides : frozenset of str
        Components whose pods are among them in any case.

    Examples
    --------
    >>> "tcp://10.1.2.3:4567" in Choice.told("tcp://10.1.2.3:4567").names
    True
    """

    names: frozenset[str] | None = None
    besides: frozenset[str] = frozenset()

    @classmethod
    def told(cls, workers: Asked, known: Mapping[str, str] | None = None) -> Choice:
        """What was asked for.

        Parameters
        ----------
        workers : bool, str or iterable of str
            As `get_logs` has it; anything but False.
        known : mapping, optional
            Names of Dask's workers by their address; a worker's name begins with its pod's.
        """
        if workers is True:
            return cls()
        names = {str(name) for name in ([workers] if isinstance(workers, str) else workers or ())}
        return cls(frozenset(names | {known[name] for name in names if name in (known or {})} if known else names))

    def has(self, pod: Mapping[str, Any]) -> bool:
        """Whether a pod is among them."""
        name, labels = pod["metadata"]["name"], pod["metadata"].get("labels", {})
        if self.names is None or labels.get(contract.COMPONENT_LABEL) in self.besides:
            return True
        group, address = labels.get(contract.GROUP_LABEL), pod.get("status", {}).get("podIP")
        # Of several workers in a pod each is called after it.
        return any(
            wanted == group or f"{wanted}-".startswith(f"{name}-") or (address and _host(wanted) == address)
            for wanted in self.names
        )

    def of(self, pods: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The pods that are among them.

        Raises
        ------
        WorkloadNotFoundError
            Names were given, and no pod has any of them.
        """
        found = [pod for pod in pods if self.has(pod)]
        if self.names and not found:
            there = sorted(pod["metadata"]["name"] for pod in pods)
            groups = {pod["metadata"].get("labels", {}).get(contract.GROUP_LABEL, "") for pod in pods} - {""}
            asked = sorted(self.names)
            more = f" and {len(there) - _NAMED} more" if len(there) > _NAMED else ""
            raise WorkloadNotFoundError(
                f"No pod, address or worker group is called {' or '.join(asked)}"
                f"{did_you_mean(asked[0], [*there, *groups], cutoff=0.7)}",
                cure=f"Pods are: {', '.join(there[:_NAMED]) or 'none'}{more}; "
                f"groups: {', '.join(sorted(groups)) or 'none'}.",
            )
        return found


def _host(address: str) -> str | None:
    """The host in an address of Dask's; None where it is none."""
    try:
        return urlsplit(address).hostname if "://" in address else None
    except ValueError:
        return None
