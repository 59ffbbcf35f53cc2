"""One account of the workers that were lost, from what was seen, what events tell, and the journal of who scaled.

Belongs here: whose word counts where several tell of the same. Never here: what one of them says (losses.py).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.diagnosis import happenings
from dask_kubernetes_helm.diagnosis.losses import (
    DELETED,
    INTENDED,
    LOST_AS_A_WHOLE,
    PREEMPTED,
    SCALED_DOWN,
    UNTOLD,
    LostWorker,
    LostWorkers,
)


def account(
    seen: Iterable[LostWorker], told: Iterable[LostWorker], journal: Iterable[Mapping[str, Any]] = ()
) -> LostWorkers:
    """One entry for each loss, the newest last.

    Parameters
    ----------
    seen : iterable of LostWorker
        What a watch has seen, and what the pods that are there remember.
    told : iterable of LostWorker
        What events tell.
    journal : iterable of mapping
        As `scaling_history` gives it.
    """
    found: dict[tuple[str, datetime | None], LostWorker] = {}
    for lost in (*told, *seen):
        key = (lost.pod, None if _is_removal(lost) else lost.when)
        known = found.get(key)
        # By whom a pod was displaced stands only in the event, and so may why it was ended.
        if known is None or (_rank(lost) >= _rank(known) and not _says_less(lost, known)):
            found[key] = lost
        else:  # it is seen when, and told why
            found[key] = dataclasses.replace(known, when=lost.when)
    for entry in journal:
        for name in entry.get("left") or ():
            known = found.get((name, None))
            if known is None or known.reason in INTENDED:
                found[name, None] = _by_journal(name, entry, known)
    return LostWorkers(sorted(found.values(), key=lambda lost: lost.when))


def _is_removal(lost: LostWorker) -> bool:
    return lost.message == UNTOLD or lost.reason in LOST_AS_A_WHOLE


def _says_less(lost: LostWorker, known: LostWorker) -> bool:
    return known.reason not in INTENDED and (lost.message == UNTOLD or lost.reason == known.reason == PREEMPTED)


def _rank(lost: LostWorker) -> int:
    """How much a reason tells: that a pod was deleted is true of all."""
    return (lost.reason != DELETED) + (lost.reason not in INTENDED)


def _by_journal(name: str, entry: Mapping[str, Any], known: LostWorker | None) -> LostWorker:
    when = known.when if known else happenings.moment(entry["time"]) or datetime.fromtimestamp(0, tz=timezone.utc)
    message = f"{entry.get('why', 'scaled')} by {entry.get('who', 'somebody')}"
    return LostWorker(name, name, entry.get("group", contract.DEFAULT_GROUP), when, SCALED_DOWN, message)
