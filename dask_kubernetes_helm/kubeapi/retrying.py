"""When a request is worth repeating, after how long, and for how long.

Belongs here: judging an answer, or that there was none. Never here: sending, or sleeping.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/ and RFC 9110, 10.2.3 (Retry-After).
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping

#: Seconds after which a server that goes on refusing is taken at its word.
BUDGET = 20.0
_FIRST, _LONGEST = 0.1, 5.0
_CONFLICT, _TOO_MANY = 409, 429
_PASSING = {500, 502, 503, 504}


def pause(status: int, headers: Mapping[str, str], method: str, attempt: int) -> float | None:
    """Seconds to wait before a request is sent again; None where that would change nothing.

    Parameters
    ----------
    status : int
        HTTP's.
    headers : mapping
        The answer's.
    method : str
        The request's; whatever this package sends may be repeated, as its patches test what they change.
    attempt : int
        How many times it was sent.

    Examples
    --------
    >>> pause(429, {"Retry-After": "2"}, "GET", 1), pause(404, {}, "GET", 1)
    (2.0, None)
    """
    if status == _TOO_MANY or (status in _PASSING and "Retry-After" in headers):
        return _asked(headers.get("Retry-After"), attempt)
    # What is to be created exists already, and will; any other conflict is over in a moment.
    if status in _PASSING or (status == _CONFLICT and method != "POST"):
        return backoff(attempt)
    return None


def backoff(attempt: int) -> float:
    """Seconds that double with each attempt, with jitter, so that many clients don't come back together."""
    return min(_LONGEST, _FIRST * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret


def _asked(retry_after: str | None, attempt: int) -> float:
    """What the server asked for, in seconds; dates are not used by Kubernetes."""
    try:
        return max(0.0, float(retry_after or ""))
    except ValueError:
        return backoff(attempt)


class Limits:
    """For how long one request is repeated.

    A server that comes back after it could not be reached often refuses for a while, so refusals are counted from the
    first one on.

    Parameters
    ----------
    patience : float
        Seconds for which a server that can't be reached is tried again.
    """

    def __init__(self, patience: float) -> None:
        self._began, self._patience = time.monotonic(), patience
        self._refused: float | None = None

    def allow_silence(self) -> bool:
        """Whether to try again where nobody answered."""
        self._refused = None
        return time.monotonic() - self._began <= self._patience

    def allow_refusal(self, pause: float) -> bool:
        """Whether to try again after a pause where the server refused."""
        now = time.monotonic()
        self._refused = self._refused or now
        return now + pause <= min(self._refused + BUDGET, self._began + max(BUDGET, self._patience))
