"""Classic dask-kubernetes' pod templates as values of the chart."""

from __future__ import annotations

from typing import Any

import pytest

from tests.moving.convert import assert_accounted, file, lost, mapping, notes, text, why


def pod(spec: dict[str, Any] | None = None, metadata: dict[str, Any] | None = None, **container: Any) -> dict[str, Any]:
    main = {"image": "example.com/dask:1", "args": ["dask-worker"], **container}
    return {"kind": "Pod", "metadata": metadata or {}, "spec": {"containers": [main], **(spec or {})}}


def test_the_documented_spec() -> None:
    """The file of classic's documentation: workers and scheduler, as KubeCluster starts both from it."""
    converted = file("worker-spec.yml")
    assert converted.kind == "pod"
    assert lost(converted) == []
    assert_accounted(converted)
    resources = {"limits": {"cpu": "2", "memory": "6G"}, "requests": {"cpu": "2", "memory": "6G"}}
    both = {
        "env": [{"name": "EXTRA_PIP_PACKAGES", "value": "git+https://github.com/dask/distributed"}],
        "resources": resources,
        "podLabels": {"foo": "bar"},
    }
    assert converted.values == {
        "image": {"tag": "latest"},
        "scheduler": both,
        "worker": {
            **both,
            "threads_per_worker": 2,
            "memory_limit": "6000000000",
            "extraArgs": ["--no-dashboard"],
        },
    }
    assert notes(converted) == ["", "metadata.name", "spec.restartPolicy", "spec.containers[0]"]


@pytest.mark.parametrize(
    ("given", "place"),
    [
        (pod(readinessProbe={"tcpSocket": {"port": 1}}), "spec.containers[0].readinessProbe"),
        (pod(args=["dask-worker", "--bokeh-worker-port", "1", "--nthreads", "2"]), "spec.containers[0].args[1]"),
        (pod(env=[{"name": "DASK_SCHEDULER_ADDRESS", "value": "tcp://a:1"}]), "spec.containers[0].env[0]"),
        (pod({"activeDeadlineSeconds": 60}), "spec.activeDeadlineSeconds"),
        (pod({"nodeSelektor": {"a": "b"}}), "spec.nodeSelektor"),
        (pod(volumeMount=[{"name": "a"}]), "spec.containers[0].volumeMount"),
        (pod(metadata={"finalizers": ["a/b"]}), "metadata.finalizers"),
        (pod(metadata={"labels": {"app.kubernetes.io/name": "x"}}), "metadata.labels.app.kubernetes.io/name"),
        (pod(ports=[{"name": "readiness", "containerPort": 1}]), "spec.containers[0].ports[0]"),
        ({**pod(), "extra": {"a": 1}}, "extra"),
    ],
)
def test_what_is_not_carried(given: dict[str, Any], place: str) -> None:
    """Each is told where it stands, and only that."""
    converted = mapping(given)
    assert lost(converted) == [place]
    assert_accounted(converted)


def test_variables_stay_as_written() -> None:
    """What classic takes from the reader's environment does not end up in values, and that is told."""
    converted = mapping(
        pod(env=[{"name": "TOKEN", "value": "${SECRET}"}], args=["dask-worker", "$(DASK_SCHEDULER_ADDRESS)"])
    )
    assert converted.values["worker"]["env"] == [{"name": "TOKEN", "value": "${SECRET}"}]
    assert "{{ NAME }}" in why(converted, "spec.containers[0].env[0].value")
    assert "spec.containers[0].args[1]" not in notes(converted)


def test_a_scheduler_of_its_own() -> None:
    """A second document that starts a scheduler is the scheduler's template."""
    worker = pod({"nodeSelector": {"a": "b"}})
    scheduler = pod(args=["dask-scheduler", "--idle-timeout", "3600"])
    for order in ((worker, scheduler), (scheduler, worker)):
        converted = text("---\n".join(f"{one}\n" for one in order))
        assert converted.values == {
            "image": {"repository": "example.com/dask", "tag": "1"},
            "lifecycle": {"idleTimeout": "3600"},
            "worker": {"nodeSelector": {"a": "b"}},
        }


def test_a_gpu_is_the_workers() -> None:
    """The scheduler that is made of the workers' template asks for none."""
    converted = mapping(pod(resources={"limits": {"nvidia.com/gpu": 1, "memory": "1Gi"}}))
    assert converted.values["worker"]["resources"] == {"limits": {"nvidia.com/gpu": "1", "memory": "1Gi"}}
    assert converted.values["scheduler"]["resources"] == {"limits": {"memory": "1Gi"}}


def test_a_pod_of_a_list() -> None:
    """What kubectl prints is taken with what Kubernetes has added."""
    metadata = {"uid": "1", "creationTimestamp": "2020-01-01T00:00:00Z", "resourceVersion": "1", "namespace": "lab"}
    converted = mapping({"kind": "List", "items": [{**pod(metadata=metadata), "status": {"phase": "Running"}}]})
    assert lost(converted) == []
    assert "metadata.namespace" in notes(converted)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"kind": "Pod"}, "no spec of a pod"),
        (pod(image=""), "image is missing"),
        ({"kind": "Pod", "spec": {"containers": []}}, "no spec.containers"),
        (pod({"nodeSelector": []}), "spec.nodeSelector is a list"),
        (pod(args=["dask-scheduler"]), "no pod template of a worker"),
    ],
)
def test_what_is_no_worker(given: dict[str, Any], words: str) -> None:
    """It is refused, with the file's name and what is wrong."""
    with pytest.raises(ValueError, match=rf"given\.yaml: .*{words}"):
        mapping(given)
