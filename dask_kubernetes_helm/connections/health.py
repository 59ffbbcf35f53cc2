"""How a connection fares: open, being made anew, or closed; since when, how often, and why.

Belongs here: keeping account of that, and saying it in plain words. Never here: noticing it (lasting.py, redialing.py
and base.py do), or doing something about it.
"""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass, field

from dask_kubernetes_helm.errors import ApiUnreachableError

logger = logging.getLogger(__name__)

OPEN, RECONNECTING, CLOSED = "open", "reconnecting", "closed"


def _now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)


@dataclass
class Health:
    """The account of one connection.

    Attributes
    ----------
    state : str
        ``"open"``, ``"reconnecting"`` or ``"closed"``.
    since : datetime
        When that began.
    reconnections : int
        How often it was lost and came back.
    error : str
        What went wrong last; empty where nothing has.

    Examples
    --------
    >>> health = Health()
    >>> health.lost(OSError("cut"))
    >>> health.found()
    >>> health.state, health.reconnections, health.error
    ('open', 1, 'cut')
    """

    state: str = OPEN
    since: dt.datetime = field(default_factory=_now)
    reconnections: int = 0
    error: str = ""
    #: What can't be reached, in plain words.
    missing: str = field(default="", repr=False)

    def lost(self, error: BaseException) -> None:
        """It is cut, or is still; said once in the log."""
        if self.state == CLOSED:
            return
        self.error = getattr(error, "message", "") or str(error) or type(error).__name__
        self.missing = "Kubernetes API" if isinstance(error, ApiUnreachableError) else "scheduler"
        if self.state == OPEN:
            self._turn(RECONNECTING)
            logger.warning("the connection to the scheduler is cut, and is being made anew: %s", self.error)

    def found(self) -> None:
        """It is there."""
        if self.state == RECONNECTING:
            seconds = (_now() - self.since).total_seconds()
            self._turn(OPEN)
            self.reconnections += 1
            logger.warning("the connection to the scheduler is there again, after %.1f s", seconds)

    def close(self) -> None:
        """It is given up on purpose."""
        if self.state != CLOSED:
            self._turn(CLOSED)

    def _turn(self, state: str) -> None:
        self.state, self.since = state, _now()

    def __str__(self) -> str:
        """In plain words, for people; empty while all is well and always was."""
        when = self.since.astimezone().strftime("%H:%M:%S")
        if self.state == RECONNECTING:
            return f"{self.missing} unreachable since {when}, being reconnected: {self.error}"
        if self.state == CLOSED:
            return f"closed since {when}"
        return f"reconnected {self.reconnections}x, last at {when}" if self.reconnections else ""
