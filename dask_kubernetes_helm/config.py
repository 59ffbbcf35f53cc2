"""The package's defaults in Dask's configuration, under `kubernetes` (see kubernetes.yaml).

Belongs here: reading that file once. Never here: decisions on what was read.

Source: https://docs.dask.org/en/stable/configuration.html#downstream-libraries
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, SupportsFloat

import dask.config
from dask.utils import parse_timedelta

from dask_kubernetes_helm.errors import InvalidArgumentError

_PATH = Path(__file__).with_name("kubernetes.yaml")
_DURATIONS = 'Give seconds, or text such as "90s", "5 minutes" or "2 hours".'


def register() -> None:
    """Make the defaults known to Dask; the user's own files and variables win over them."""
    for defaults in dask.config.collect_yaml([str(_PATH)]):
        dask.config.update_defaults(defaults)


def get(key: str, override: Any = None) -> Any:
    """The value of `kubernetes.<key>`, unless an override is given."""
    return dask.config.get(f"kubernetes.{key}", override_with=override)


def span(value: Any, name: str) -> float:
    """A duration in seconds, as `seconds`, but 0 is one."""
    parsed = _parsed(value, name)
    if parsed < 0:
        raise InvalidArgumentError(f"{name} is {value!r}, it can't be negative", cure="Give 0 seconds or more.")
    return parsed


def seconds(value: Any, name: str) -> float:
    """A duration in seconds: a positive number, or a string that Dask reads, such as "5 minutes".

    Raises
    ------
    InvalidArgumentError
    """
    parsed = _parsed(value, name)
    if parsed <= 0:
        raise InvalidArgumentError(f"{name} is {value!r}, it must be more than 0 seconds", cure=_DURATIONS)
    return parsed


def _parsed(value: Any, name: str) -> float:
    try:
        if isinstance(value, bool):
            raise TypeError  # noqa: TRY301 - a bool is a number for Python, not for people
        found = _number(value)
        found = float(parse_timedelta(value)) if found is None else found
        if math.isfinite(found):
            return found
    # Dask's parser has an error of its own for each kind of text and type that it can't read.
    except (TypeError, ValueError, LookupError, AttributeError, OverflowError) as error:
        raise _no_duration(value, name) from error
    raise _no_duration(value, name)


def _number(value: Any) -> float | None:
    """A number, or text that is nothing else: Dask's parser takes a sign for a unit."""
    try:
        return float(value) if isinstance(value, str | SupportsFloat) else None
    except ValueError:
        return None


def _no_duration(value: Any, name: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"{name} is {value!r}, which is no duration", cure=_DURATIONS)
