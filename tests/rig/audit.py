"""Counting API calls by who made them, from the API server's audit log.

Belongs here: reading that log. Never here: bounds on the counts (the tests have those).

Examples
--------
>>> with count(Settings()) as calls:  # doctest: +SKIP
...     cluster.scale(10)
>>> calls["dask-kubernetes-helm"]  # doctest: +SKIP
1
"""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from datetime import datetime, timezone
from typing import Any, TextIO

from .settings import Settings


def events(cluster: Settings) -> Iterator[dict[str, Any]]:
    """The log's entries, oldest first, rotated files included, up to now."""
    with contextlib.ExitStack() as stack:
        files = _opened(cluster, stack)
        for file in sorted(files, key=lambda file: os.fstat(file.fileno()).st_mtime):
            for line in file:
                with contextlib.suppress(ValueError):  # the last line may be half-written
                    yield json.loads(line)


def _opened(cluster: Settings, stack: contextlib.ExitStack) -> list[TextIO]:
    """All files of the log, opened before any is read: once it is rotated, the name leads to another file."""
    while True:
        paths = sorted(cluster.run.glob("audit*.log"))
        with contextlib.suppress(FileNotFoundError), contextlib.ExitStack() as tried:
            files: list[TextIO] = [tried.enter_context(path.open()) for path in paths]
            if sorted(cluster.run.glob("audit*.log")) == paths:  # a rotation leaves a new name
                stack.push(tried.pop_all())
                return files


def calls_by_user_agent(
    entries: Iterable[dict[str, Any]],
    since: datetime,
    until: datetime,
    namespace: str | None = None,
    without: Container[str] = (),
) -> Counter[str]:
    """Requests received in a span of time, by the first word of their user agent; those of some subresources aside."""
    counted: Counter[str] = Counter()
    seen: set[str] = set()
    for entry in entries:
        received = datetime.fromisoformat(entry["requestReceivedTimestamp"].replace("Z", "+00:00"))
        about = entry.get("objectRef", {})
        inside = namespace in (None, about.get("namespace")) and about.get("subresource") not in without
        # A watch is logged when it begins and when it ends.
        if since <= received <= until and inside and entry["auditID"] not in seen:
            seen.add(entry["auditID"])
            counted[entry.get("userAgent", "?").split("/")[0].split()[0]] += 1
    return counted


@contextlib.contextmanager
def count(cluster: Settings, namespace: str | None = None, without: Container[str] = ()) -> Iterator[Counter[str]]:
    """Count the calls that are made inside the context; the counter is filled when it ends."""
    counter: Counter[str] = Counter()
    since = datetime.now(timezone.utc)
    yield counter
    counter.update(calls_by_user_agent(events(cluster), since, datetime.now(timezone.utc), namespace, without))
