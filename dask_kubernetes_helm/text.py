"""Small helpers for sentences that people read.

Belongs here: wording that several modules share. Never here: anything that knows Kubernetes, Helm or Dask.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: object, known: Iterable[str], cutoff: float = 0.5) -> str:
    """A question that names the nearest known word, or nothing; what was given may be no text at all.

    Examples
    --------
    >>> did_you_mean("prodution", ["local", "production"])
    "; did you mean 'production'?"
    """
    spelled = {item.lower(): item for item in known}
    near = difflib.get_close_matches(str(word).lower(), list(spelled), n=1, cutoff=cutoff)
    return f"; did you mean {spelled[near[0]]!r}?" if near else ""
