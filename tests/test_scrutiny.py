"""Reasons for what other tools find in the chart."""

from __future__ import annotations

import pytest

from tests.scrutiny.findings import Finding, Reason, reasons, stale, unexplained

FINDING = Finding("kube-score", "probes", "default", "Deployment/demo-dask-scheduler", "said")


@pytest.mark.parametrize(
    ("judge", "rule", "objects", "covers"),
    [
        ("kube-score", "probes", "Deployment/*-scheduler", True),
        ("kube-score", "probes", "*", True),
        ("kube-score", "probes", "Deployment/*-worker", False),
        ("kube-score", "other", "*", False),
        ("checkov", "probes", "*", False),
    ],
)
def test_which_reason_is_whose(judge: str, rule: str, objects: str, covers: bool) -> None:
    """A reason counts for its tool, its rule and its objects; else the finding and the reason are both told."""
    reason = Reason(judge, rule, (objects,), "because")
    assert unexplained([FINDING], [reason]) == ([] if covers else [FINDING])
    assert stale([FINDING], [reason]) == ([] if covers else [reason])


def test_each_reason_is_given() -> None:
    """Nothing stays without a sentence."""
    assert reasons()
    assert all(reason.why.endswith(".") for reason in reasons())
