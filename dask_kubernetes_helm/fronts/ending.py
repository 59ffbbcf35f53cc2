"""The end of clusters that nobody has closed, or that can't be closed well.

Belongs here: the interpreter's end, and what becomes of errors on the way out. Never here: what closing does (base.py).
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import threading
import weakref
from collections.abc import Iterator
from typing import Any

logger = logging.getLogger(__name__)

#: Clusters that are open, to be closed when the interpreter ends.
running: weakref.WeakSet[Any] = weakref.WeakSet()
#: Seconds that closing may take then.
_EXIT_TIMEOUT = 60


@contextlib.contextmanager
def told_only(name: str, namespace: str | None) -> Iterator[None]:
    """What fails while tidying up takes no place of why that is done: a Ctrl-C, or what a start failed of."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it is
        where = f" --namespace {namespace}" if namespace else ""
        logger.warning("release %s may still be there (dask helm delete %s%s): %s", name, name, where, error)


def _close_all() -> None:
    """Leave nothing behind when the interpreter ends with clusters open."""
    for cluster in list(running):
        with contextlib.suppress(Exception):
            cluster.close(timeout=_EXIT_TIMEOUT)


# `atexit` alone is too late: executors, which HTTP and DNS clients use, have been shut down by then.
getattr(threading, "_register_atexit", atexit.register)(_close_all)
