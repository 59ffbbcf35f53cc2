"""The scheduler's pod keeps clients' connections while a port-forward is cut."""

from __future__ import annotations

from dask_kubernetes_helm import contract
from tests.chart.helm import container, refusal


def test_the_scheduler_is_told_where() -> None:
    """The scheduler's container has the port by the variable that Python looks for; nothing else is told of it."""
    told = {item["name"]: item.get("value") for item in container("scheduler")["env"]}
    assert told[contract.RELAY_VARIABLE].isdecimal()
    assert told[contract.RELAY_VARIABLE] not in {str(port["containerPort"]) for port in container("scheduler")["ports"]}
    assert contract.RELAY_VARIABLE not in {item["name"] for item in container("worker")["env"]}


def test_it_is_the_charts_own() -> None:
    """Set beside the chart it is refused, by name."""
    assert "scheduler.env sets DASKHELM_RELAY_PORT" in refusal(
        {"scheduler": {"env": [{"name": "DASKHELM_RELAY_PORT", "value": "1"}]}}
    )
