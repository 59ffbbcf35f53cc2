"""What was done, by whom and why: one line per action.

Belongs here: keeping entries and saying them. Never here: acting.
"""

from __future__ import annotations

import logging
from collections import deque
from datetime import datetime, timezone
from typing import Any

from dask_kubernetes_helm_pod.observing import Tally

logger = logging.getLogger("distributed.scheduler.scaling")

#: Entries that are kept; older ones are in the scheduler's log only.
LENGTH = 1000
#: Names that an entry lists of those that left, so that thousands don't fill the memory.
NAMES = 50

Entry = dict[str, Any]


class Journal:
    """The actions on a release, the newest last."""

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque(maxlen=LENGTH)
        self.tally = Tally()

    def write(self, *, who: str, why: str, group: str, seen: int, replicas: int, **details: Any) -> Entry:
        """Add an entry, and say it in the log.

        Parameters
        ----------
        who, why : str
            By whom, and on what occasion.
        group : str
            The worker group.
        seen, replicas : int
            Its number of pods before and after.
        **details
            seconds, calls (requests to the Kubernetes API), left (names), kept (names, bytes and why), outcome.
        """
        entry: Entry = {
            "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            "who": who,
            "why": why,
            "group": group,
            "from": seen,
            "to": replicas,
            "seconds": round(details.pop("seconds", 0.0), 3),
            "calls": details.pop("calls", 0),
            "left": list(details.pop("left", ()))[:NAMES],
            "kept": list(details.pop("kept", ())),
            "outcome": details.pop("outcome", "done"),
            **details,
        }
        self.entries.append(entry)
        self.tally.add(group, who, entry["outcome"], seconds=entry["seconds"], kept=len(entry["kept"]))
        logger.info("scaling: %s", sentence(entry))
        return entry


def sentence(entry: Entry) -> str:
    """An entry as people read it.

    Examples
    --------
    >>> entry = {"who": "ada", "why": "scale(2)", "group": "default", "from": 10, "to": 2, "seconds": 1.5, "calls": 3}
    >>> sentence({**entry, "kept": [], "outcome": "done"})
    'ada, scale(2): group default 10 -> 2, done in 1.5 s with 3 calls'
    """
    kept = "".join(f"; kept {item['pod']} ({item['nbytes']} bytes): {item['why']}" for item in entry["kept"])
    return (
        f"{entry['who']}, {entry['why']}: group {entry['group']} {entry['from']} -> {entry['to']}, "
        f"{entry['outcome']} in {entry['seconds']:g} s with {entry['calls']} calls{kept}"
    )
