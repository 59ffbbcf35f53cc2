"""Points in time and durations: as Kubernetes writes them, as users say them, and as people read them.

Belongs here: reading and wording them, on plain values. Never here: what happened then.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/ (RFC 3339, with up to nine digits of a second).
"""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta, timezone
from typing import Any

from dask_kubernetes_helm import config
from dask_kubernetes_helm.errors import InvalidArgumentError

_STAMP = re.compile(r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?\d*([Zz]|[+-]\d\d:\d\d)")
_MINUTE, _HOUR = 60, 3600
#: Seconds below which tenths of them are told.
_TENTHS = 10


def parse(stamp: str | None) -> datetime | None:
    """A point in time as Kubernetes writes it; None where it says none.

    Examples
    --------
    >>> parse("2026-11-26T21:30:47.123456789Z").isoformat()
    '2026-11-26T21:30:47.123456+00:00'
    """
    if not (match := _STAMP.fullmatch(stamp or "")):
        return None
    whole, fraction, zone = match.groups()
    offset = "+00:00" if zone in "Zz" else zone
    return datetime.fromisoformat(f"{whole}.{(fraction or '').ljust(6, '0')[:6]}{offset}").astimezone(timezone.utc)


def order(stamp: str) -> tuple[int, int]:
    """A point in time to the nanosecond, for comparing: a log's lines may be closer than a microsecond.

    Examples
    --------
    >>> order("2026-11-26T21:30:47.1234567Z") < order("2026-11-26T21:30:47.123456701Z")
    True
    """
    match, moment = _STAMP.fullmatch(stamp), parse(stamp)
    if match is None or moment is None:
        raise ValueError(stamp)
    return int(moment.replace(microsecond=0).timestamp()), int((match[2] or "").ljust(9, "0"))


def since(value: Any) -> float | datetime | None:
    """From when on, as users say it: seconds ago, or a point in time with its zone.

    Parameters
    ----------
    value : float, str, timedelta, datetime or None
        Seconds, text such as ``"5 minutes"``, or an aware datetime.

    Raises
    ------
    InvalidArgumentError

    Examples
    --------
    >>> since("5 minutes"), since(None)
    (300.0, None)
    """
    if value is None:
        return None
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise InvalidArgumentError(
                f"since is {value.isoformat()}, which has no time zone",
                cure="Give an aware datetime, for example datetime.now(timezone.utc) - timedelta(minutes=5).",
            )
        return value.astimezone(timezone.utc)
    return config.span(value.total_seconds() if isinstance(value, timedelta) else value, "since")


def asked(value: float | datetime | None) -> dict[str, Any]:
    """What `since` gave, as the API is asked for logs: in whole seconds, of which the last one is not lost."""
    if isinstance(value, datetime):
        return {"sinceTime": value.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")}
    return {"sinceSeconds": None if value is None else max(1, math.ceil(value))}


def beginning(value: float | datetime | None) -> datetime | None:
    """The point in time that `since` gave, by this machine's clock where it is seconds ago."""
    if isinstance(value, float):
        return datetime.now(timezone.utc) - timedelta(seconds=value)
    return value


def between(earlier: datetime | None, later: datetime | None) -> float | None:
    """Seconds from one to the other, none below 0, as clocks of machines differ; None where either is not known."""
    return None if earlier is None or later is None else max(0.0, (later - earlier).total_seconds())


def said(seconds: float | None) -> str:
    """A duration in few characters; empty where it is not known.

    Examples
    --------
    >>> said(0.42), said(12.3), said(200), said(7200), said(None)
    ('0.4 s', '12 s', '3 min 20 s', '2 h 0 min', '')
    """
    if seconds is None:
        return ""
    if seconds < _TENTHS:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
