"""What keeps a release there: disruption budgets, autoscalers, rollouts."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest

from dask_kubernetes_helm import contract
from tests.chart.helm import Object, deployment, refusal, render

BUDGET, EVICT, DISRUPT = (
    "PodDisruptionBudget",
    "cluster-autoscaler.kubernetes.io/safe-to-evict",
    "karpenter.sh/do-not-disrupt",
)
LOCAL: Object = {
    "scheduler": {"enabled": False},
    "worker": {"custom_scheduler_url": "tcp://192.0.2.1:8786"},
    "lifecycle": {"noClientTimeout": 60, "owner": {"name": "a", "uid": "b"}},
}
every_helm = pytest.mark.parametrize("helm", ["helm", "helm3"])


def _budgets(values: Object, **where: Any) -> dict[str, Object]:
    """Specs of the budgets by name."""
    found = [item for item in render(values, **where) if item["kind"] == BUDGET]
    for item in found:
        kubernetes_validate.validate(item, "1.34", strict=True)
    return {item["metadata"]["name"]: item["spec"] for item in found}


def _taken(selector: Object, values: Object) -> list[tuple[str, str, str]]:
    """Whose pods a selector takes, of two releases in one namespace: release, component, group."""
    labels = [
        item["spec"]["template"]["metadata"]["labels"]
        for release in ("demo", "other")
        for item in render(values, release=release)
        if item["kind"] == "Deployment"
    ]
    keys = (contract.INSTANCE_LABEL, contract.COMPONENT_LABEL, contract.GROUP_LABEL)
    return [
        tuple(found.get(key, "") for key in keys)  # type: ignore[misc]
        for found in labels
        if selector["matchLabels"].items() <= found.items()
    ]


@every_helm
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, {"minAvailable": 1, "unhealthyPodEvictionPolicy": "AlwaysAllow"}),
        ({"maxUnavailable": "0%"}, {"maxUnavailable": "0%", "unhealthyPodEvictionPolicy": "AlwaysAllow"}),
        ({"maxUnavailable": 0, "minAvailable": 1}, {"maxUnavailable": 0, "unhealthyPodEvictionPolicy": "AlwaysAllow"}),
        (
            {"minAvailable": "100%", "unhealthyPodEvictionPolicy": "IfHealthyBudget"},
            {"minAvailable": "100%", "unhealthyPodEvictionPolicy": "IfHealthyBudget"},
        ),
    ],
)
def test_the_scheduler_is_spared(helm: str, said: Object, expected: Object) -> None:
    """Its budget takes its pod and no other, and says what is given, by default that it stays while it is healthy."""
    values = {"scheduler": {"podDisruptionBudget": said}, "worker": {"groups": {"gpu": {}}}}
    (spec,) = _budgets(values, helm=helm).values()
    assert _taken(spec.pop("selector"), values) == [("demo", "scheduler", "")]
    assert spec == expected


def test_no_budget() -> None:
    """There is none where it is turned off, and none for a scheduler elsewhere."""
    assert _budgets({"scheduler": {"podDisruptionBudget": {"enabled": False}}}) == {}
    assert _budgets(LOCAL) == {}


def test_workers_have_one_for_each_group() -> None:
    """What is said of workers is said of each group by itself, and a group's own word comes on top."""
    none: Object = {"scheduler": {"podDisruptionBudget": {"enabled": False}}}
    groups = {
        "gpu": {"podDisruptionBudget": {"maxUnavailable": 1}},
        "spot": {"podDisruptionBudget": {"enabled": False}},
    }
    values = {**none, "worker": {"podDisruptionBudget": {"enabled": True}, "groups": groups}}
    found = _budgets(values)
    assert {name: spec["maxUnavailable"] for name, spec in found.items()} == {
        "demo-dask-worker": "25%",
        "demo-dask-worker-gpu": 1,
    }
    taken = {name: _taken(spec["selector"], values) for name, spec in found.items()}
    assert taken == {
        "demo-dask-worker": [("demo", "worker", "default")],
        "demo-dask-worker-gpu": [("demo", "worker", "gpu")],
    }


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"scheduler": {"podDisruptionBudget": {"minAvailable": None}}},
            ["scheduler.podDisruptionBudget.enabled is true", "maxUnavailable"],
        ),
        (
            {"worker": {"groups": {"g": {"podDisruptionBudget": {"enabled": True, "maxUnavailable": None}}}}},
            ["worker.groups.g.podDisruptionBudget.enabled is true", "minAvailable"],
        ),
        ({"scheduler": {"podDisruptionBudget": {"minAvailable": "all"}}}, ["minAvailable"]),
        ({"scheduler": {"podDisruptionBudget": {"selector": {}}}}, ["selector"]),
        ({"worker": {"podDisruptionBudget": {"unhealthyPodEvictionPolicy": "Never"}}}, ["unhealthyPodEvictionPolicy"]),
    ],
)
def test_refusals(values: Object, words: list[str]) -> None:
    """A budget that says nothing, or what Kubernetes would refuse, is refused by its key."""
    said = refusal(values)
    assert [word for word in words if word not in said] == []


def _annotations(component: str, values: Object | None = None) -> Object:
    return dict(deployment(component, values)["spec"]["template"]["metadata"].get("annotations", {}))


def test_autoscalers_leave_the_scheduler_alone() -> None:
    """Its pod says that it must stay, unless values or an annotation say that it may go; no other pod does."""
    assert _annotations("scheduler") == {EVICT: "false", DISRUPT: "true"}
    assert _annotations("scheduler", {"scheduler": {"safeToEvict": True}}) == {}
    own = {"scheduler": {"annotations": {EVICT: "true", "a": "b"}}}
    assert _annotations("scheduler", own) == {EVICT: "true", DISRUPT: "true", "a": "b"}
    assert _annotations("worker") == {}
    assert _annotations("reaper", LOCAL) == {}


def test_new_workers_come_first() -> None:
    """In a rollout no worker leaves before a new one is in service; with Recreate nothing is said of that."""
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}}
    assert deployment("worker")["spec"]["strategy"] == rolling
    recreate = {"worker": {"strategy": {"type": "Recreate"}}}
    assert deployment("worker", recreate)["spec"]["strategy"] == {"type": "Recreate"}
