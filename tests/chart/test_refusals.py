"""Values that can't work are refused before anything is created, by a sentence that names the key and the cure."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chart.helm import CHART, refusal, run

ROLES = ("scheduler", "worker")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"scheduler": {"replicas": 2}}, ["scheduler.replicas must be 1", "in memory", "scheduler.resources"]),
        ({"scheduler": {"replicas": 0}}, ["scheduler.replicas must be 1"]),
        ({"scheduler": {"loadBalancerIP": "192.0.2.1"}}, ["scheduler.loadBalancerIP", "Set the type"]),
        ({"webUI": {"servicePort": 8786}}, ["scheduler.servicePort and webUI.servicePort", "Change one"]),
        ({"worker": {"portDashboard": 8791}}, ["worker.portDashboard is 8791", "another port"]),
    ],
)
def test_impossible_combinations(values: dict[str, Any], words: list[str]) -> None:
    """What contradicts itself is refused with the cure."""
    said = refusal(values)
    assert [word for word in words if word not in said] == []


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"env": [{"name": "A"}, {"name": "A"}]}, ["env has A twice", "Leave one"]),
        ({"podLabels": {"app.kubernetes.io/instance": "x"}}, ["podLabels has app.kubernetes.io/instance", "another"]),
        ({"podLabels": {"dask.org/worker-group": "x"}}, ["podLabels has dask.org/worker-group", "another label"]),
        ({"labels": {"helm.sh/chart": "x"}}, ["labels has helm.sh/chart", "another label"]),
        (
            {"livenessProbe": {"tcpSocket": {"port": 1}, "exec": {"command": ["true"]}}},
            ["livenessProbe has exec", "tcpSocket", "to null"],
        ),
    ],
)
def test_impossible_values_of_a_role(role: str, values: dict[str, Any], words: list[str]) -> None:
    """What either role can't be is refused with the role's key and the cure."""
    said = refusal({role: values})
    assert [word for word in words if f"{role}.{word}" not in said and word not in said] == []
    assert f"{role}." in said


@pytest.mark.parametrize(
    "name", ["DASKHELM_POD_NAME", "DASKHELM_CPU_LIMIT", "DASKHELM_MEMORY_LIMIT", "DASKHELM_READINESS_PORT"]
)
def test_variables_that_the_workers_arguments_stand_on(name: str) -> None:
    """A variable that the chart sets can't be set beside it; the message names the keys that are meant."""
    said = refusal({"worker": {"env": [{"name": name, "value": "1"}]}})
    assert f"worker.env sets {name}" in said
    assert "worker.threads_per_worker, worker.memory_limit" in said


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"workers": {}}, ["'workers'", "not allowed"]),
        ({"worker": {"replica": 3}}, ["/worker", "'replica'", "not allowed"]),
        ({"scheduler": {"image": {"name": "x"}}}, ["/scheduler/image", "'name'", "not allowed"]),
        ({"worker": {"mounts": {"volume": []}}}, ["/worker/mounts", "'volume'", "not allowed"]),
        ({"worker": {"resources": {"limit": {}}}}, ["/worker/resources", "'limit'", "not allowed"]),
        ({"image": {"tag": 2026.8}}, ["/image/tag", "number", "want string"]),
        ({"image": {"digest": "0123"}}, ["/image/digest", "pattern"]),
        ({"image": {"pullPolicy": "Sometimes"}}, ["/image/pullPolicy", "'Always'"]),
        ({"image": {"pullSecrets": ["name"]}}, ["/image/pullSecrets/0", "want object"]),
        ({"worker": {"replicas": -1}}, ["/worker/replicas", "want 0"]),
        ({"worker": {"replicas": 1.5}}, ["/worker/replicas", "want"]),
        ({"worker": {"replicas": "3"}}, ["/worker/replicas", "string"]),
        ({"worker": {"threads_per_worker": 0}}, ["/worker/threads_per_worker", "want 1"]),
        ({"worker": {"memory_limit": "6GB"}}, ["/worker/memory_limit", "pattern"]),
        ({"worker": {"memory_limit": "auto"}}, ["/worker/memory_limit", "pattern"]),
        ({"worker": {"nanny": "yes"}}, ["/worker/nanny", "want boolean"]),
        ({"worker": {"resources": {"limits": {"memory": "6 Gi"}}}}, ["/worker/resources/limits/memory", "pattern"]),
        ({"worker": {"resources": {"limits": {"cpu": "-1"}}}}, ["/worker/resources/limits/cpu", "pattern"]),
        ({"worker": {"env": {"A": "b"}}}, ["/worker/env", "want array"]),
        ({"worker": {"env": [{"name": "A", "value": 1}]}}, ["/worker/env/0/value", "want string"]),
        ({"scheduler": {"serviceType": "ExternalName"}}, ["/scheduler/serviceType", "'ClusterIP'"]),
        ({"scheduler": {"servicePort": 70000}}, ["/scheduler/servicePort", "65"]),
        ({"scheduler": {"podLabels": {"a": 1}}}, ["/scheduler/podLabels/a", "want string"]),
        ({"fullnameOverride": "Grid"}, ["/fullnameOverride", "pattern"]),
    ],
)
def test_schema(values: dict[str, Any], words: list[str]) -> None:
    """A wrong key or type is refused at its own path."""
    said = refusal(values)
    assert [word for word in words if word not in said] == []


def test_old_kubernetes() -> None:
    """A Kubernetes that is too old for the chart is told so."""
    result = run("template", "demo", str(CHART), "--kube-version", "1.24.0")
    assert "requires kubeVersion: >=1.27.0-0" in result.stderr
