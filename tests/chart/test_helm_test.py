"""The pod of `helm test`: whose image, certificates, nodes and restrictions it has."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chart.helm import EVERYTHING, Object, container, one, pod, render


def _pod(values: Object | None = None, *files: Any, **where: Any) -> Object:
    return one(render(values, *files, **where), "Pod", "test")


def test_it_is_a_hook() -> None:
    """Only `helm test` makes it, it runs once, and the next test takes the last one's place."""
    found = _pod()
    assert found["metadata"]["annotations"] == {
        "helm.sh/hook": "test",
        "helm.sh/hook-delete-policy": "before-hook-creation",
    }
    assert found["spec"]["restartPolicy"] == "Never"
    always = {"worker": {"podTemplate": {"spec": {"restartPolicy": "Always"}}}}
    assert _pod(always)["spec"]["restartPolicy"] == "Never"


@pytest.mark.parametrize(
    "values",
    [
        {"tests": {"enabled": False}},
        {"scheduler": {"enabled": False}, "worker": {"custom_scheduler_url": "tcp://192.0.2.1:8786"}},
    ],
    ids=["disabled", "no scheduler"],
)
def test_where_there_is_none(values: Object) -> None:
    """There is none where it is not wanted, or where the scheduler is not the release's."""
    assert [item for item in render(values) if item["kind"] == "Pod"] == []


def test_it_is_as_restricted_as_a_worker() -> None:
    """It has the workers' account, without a token, and their security contexts, overlays included."""
    for values in ({}, {"worker": {"podTemplate": {"spec": {"securityContext": {"runAsUser": 7}}}}}):
        found, worker = _pod(values)["spec"], pod("worker", values)
        for key in ("securityContext", "serviceAccountName", "automountServiceAccountToken", "tolerations", "affinity"):
            assert worker[key] == found[key]
        (only,) = found["containers"]
        assert container("worker", values)["securityContext"] == only["securityContext"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"image": {"repository": "r/dask", "tag": "1"}}, "r/dask:1"),
        ({"image": {"tag": "1"}, "worker": {"image": {"tag": "2"}}}, "ghcr.io/dask/dask:2"),
        ({"worker": {"image": {"tag": "2"}}, "tests": {"image": {"tag": "3"}}}, "ghcr.io/dask/dask:3"),
    ],
)
def test_its_image(values: Object, expected: str) -> None:
    """It has the workers' image, whose Dask is the release's, unless it is given one of its own."""
    assert expected == _pod(values)["spec"]["containers"][0]["image"]


def test_it_has_a_clients_certificates() -> None:
    """With certificates it goes to the scheduler by tls, as a client, with files that are mounted."""
    found = _pod({"tls": {"secretName": "s"}})
    (only,) = found["spec"]["containers"]
    variables = {item["name"]: item["value"] for item in only["env"]}
    assert only["args"][0] == "tls://demo-dask-scheduler:8786"
    assert variables["DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT"].startswith("/etc/dask-tls/")
    assert "/etc/dask-tls" in [mount["mountPath"] for mount in only["volumeMounts"]]


def test_it_starts_as_workers_do() -> None:
    """It takes the Python beside the workers' Dask, past an entrypoint that installs packages, and none to install."""
    (only,) = _pod({}, EVERYTHING)["spec"]["containers"]
    expected = "tini -- conda run -n mine python -m dask_kubernetes_helm_pod.check"
    assert expected.split() == only["command"]
    assert [item["name"] for item in only["env"] if item["name"].startswith("EXTRA_")] == []
    assert "initContainers" not in _pod({}, EVERYTHING)["spec"]


def test_it_waits_as_long_as_it_is_told() -> None:
    """tests.timeout and tests.resources are the pod's."""
    values = {"tests": {"timeout": 7, "resources": {"limits": {"memory": "1Gi"}}}}
    (only,) = _pod(values)["spec"]["containers"]
    assert only["args"][1] == "7"
    assert only["resources"]["limits"] == {"memory": "1Gi"}
