"""Objects as they change, for as long as somebody listens: a watch that is opened again wherever it ends.

Belongs here: when a watch is opened again and from where. Never here: what becomes of the changes.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from dask_kubernetes_helm.errors import KubernetesError

from .kube import Kube

Object = dict[str, Any]

#: Kinds of news beside Kubernetes' own ADDED, MODIFIED and DELETED: all objects as a list; an attempt that failed; one
#: that did not, after that, though nothing has changed.
LISTED, UNHEARD, HEARD = "LISTED", "UNHEARD", "HEARD"
#: These credentials may not, or a server that has just begun does not know yet that they may.
_REFUSED = (401, 403)
#: The version to go on from is none that the server has (any more).
_STALE = (400, 410, 504)


@dataclass(frozen=True)
class Pace:
    """How often a watch is opened again.

    Attributes
    ----------
    pause, longest_pause : float
        Seconds before one that broke is opened again; doubles up to the maximum.
    silence, longest_silence : float
        Seconds without a change after which one is opened anew, as its connection may be dead; doubles up to the
        maximum while nothing changes, so that a long wait costs the API server little.
    refusal : float
        Seconds for which one that was allowed before may be refused: a server that has just begun does not know all
        rights yet, and tokens are renewed.
    """

    pause: float = 0.2
    longest_pause: float = 5.0
    silence: float = 4.0
    longest_silence: float = 60.0
    refusal: float = 60.0


#: For what somebody waits for.
WAITING = Pace()
#: For what is looked after for days.
LOOKING_AFTER = Pace(pause=1.0, longest_pause=120.0, silence=600.0, longest_silence=600.0, refusal=math.inf)


async def follow(
    kube: Kube,
    resource: str,
    selector: str,
    *,
    fields: str = "",
    pace: Pace,
    listing: bool = True,
    patience: float = math.inf,
) -> AsyncGenerator[tuple[str, Object], None]:
    """News of objects, without an end.

    Parameters
    ----------
    kube : Kube
        The door to the API.
    resource, selector, fields : str
        Which objects.
    pace : Pace
        How often a watch is opened again.
    listing : bool
        Whether objects are wanted as they are; else only what changes from now on is told.
    patience : float
        Seconds for which a server that can't be reached is tried again.

    Yields
    ------
    tuple of str and dict
        ADDED, MODIFIED or DELETED and the object; LISTED and all objects as ``items``, at first and wherever changes
        may have been missed; UNHEARD and the ``error``, at each attempt that failed; HEARD and nothing, where that is
        over.

    Raises
    ------
    KubernetesError
        These credentials may not, or patience is over.
    """
    version, silence, pause, given_up, refused, away = "", pace.silence, pace.pause, math.inf, 0.0, False
    while True:
        began, heard = time.monotonic(), False
        try:
            if not version and listing:
                items, version = await kube.snapshot(resource, selector, fields=fields)
                yield LISTED, {"items": items}
            # From a version on: without one the server may wait for its cache before it answers at all.
            version = version or await kube.version(resource, selector)
            watch = kube.watch(resource, selector, version, fields=fields, silence=silence)
            async with contextlib.aclosing(watch) as changes:
                async for kind, item in changes:
                    pause, version, heard = pace.pause, item["metadata"].get("resourceVersion", version), True
                    yield kind, item
                    if silence > pace.silence:  # more may follow, and is to be noticed soon
                        break
            given_up = refused = math.inf
            if away and not heard:
                yield HEARD, {}
            away = False
        except KubernetesError as error:
            given_up, refused = (math.inf, math.inf) if heard else (given_up, refused)
            given_up = min(given_up, time.monotonic() + patience)
            if error.status in _REFUSED:
                refused = min(refused, time.monotonic() + pace.refusal)
                given_up = min(given_up, refused)
            if time.monotonic() >= given_up:
                raise
            version = "" if error.status in _STALE else version
            away = True
            yield UNHEARD, {"error": error}
        if time.monotonic() - began >= silence:  # that was a pause already
            pause, silence = pace.pause, min(silence * 2, pace.longest_silence)
        silence = pace.silence if heard else silence
        await asyncio.sleep(pause)
        pause = min(pause * 2, pace.longest_pause)
