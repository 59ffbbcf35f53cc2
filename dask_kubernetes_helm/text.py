"""Small helpers for sentences that people read.

Belongs here: wording that several modules share. Never here: anything that knows Kubernetes, Helm or Dask.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question that names the nearest known word, or nothing.

    Examples
    --------
    >>> did_you_mean("prodution", ["local", "production"])
    "; did you mean 'production'?"
    """
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""
