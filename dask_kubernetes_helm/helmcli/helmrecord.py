"""What Helm has written down of a release, read without helm.

Belongs here: the form of Helm's records in Secrets. Never here: asking for them, or running helm (helm.py).

Source: https://github.com/helm/helm/blob/v4.0.0/pkg/storage/driver/secrets.go and util.go (gzip of JSON, in base64, and
that once more in base64, as all data of Secrets is).
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Mapping
from typing import Any

#: Of Chart.yaml; the rest describes the chart to people.
_CHART = ("name", "version", "appVersion", "kubeVersion")


def newest(records: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """What the newest record of a release says; None where there is none that can be read.

    Parameters
    ----------
    records : iterable of dict
        Secrets with the labels ``owner=helm`` and ``name=<release>``.

    Returns
    -------
    dict
        With revision, status, description, chart (its name and versions) and values (what the release was given).
    """
    found = [told for record in records if (told := _read(record))]
    return max(found, key=lambda told: int(told["revision"] or 0), default=None)


def _read(record: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        packed = base64.b64decode(base64.b64decode(record["data"]["release"]))
        told = json.loads(gzip.decompress(packed))
        return {
            "revision": told["version"],
            "status": told["info"].get("status"),
            "description": told["info"].get("description"),
            "chart": {key: told["chart"]["metadata"].get(key) for key in _CHART},
            "values": told.get("config") or {},
        }
    except (KeyError, TypeError, ValueError, OSError, EOFError):
        return None
