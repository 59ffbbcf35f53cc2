"""The package's defaults in Dask's configuration, under `kubernetes` (see kubernetes.yaml).

Belongs here: reading that file once. Never here: decisions on what was read.

Source: https://docs.dask.org/en/stable/configuration.html#downstream-libraries
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.config
from dask.utils import parse_timedelta

from dask_kubernetes_helm.errors import InvalidArgumentError

_PATH = Path(__file__).with_name("kubernetes.yaml")


def register() -> None:
    """Make the defaults known to Dask; the user's own files and variables win over them."""
    for defaults in dask.config.collect_yaml([str(_PATH)]):
        dask.config.update_defaults(defaults)


def get(key: str, override: Any = None) -> Any:
    """The value of `kubernetes.<key>`, unless an override is given."""
    return dask.config.get(f"kubernetes.{key}", override_with=override)


def span(value: Any, name: str) -> float:
    """A duration in seconds, as `seconds`, but 0 is one."""
    return 0.0 if _parsed(value, name) == 0 else seconds(value, name)


def seconds(value: Any, name: str) -> float:
    """A duration in seconds: a positive number, or a string that Dask reads, such as "5 minutes".

    Raises
    ------
    InvalidArgumentError
    """
    parsed = _parsed(value, name)
    if parsed <= 0:
        raise InvalidArgumentError(f"{name} is {value!r}, it must be more than 0 seconds")
    return parsed


def _parsed(value: Any, name: str) -> float:
    try:
        return float(parse_timedelta(value))
    except (TypeError, ValueError, KeyError) as error:
        raise InvalidArgumentError(
            f"{name} is {value!r}, which is no duration", cure='Give seconds, or text such as "5 minutes".'
        ) from error
