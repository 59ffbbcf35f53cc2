"""The operator's manifests as values of the chart."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from dask_kubernetes_helm.moving.conversion import Converted
from tests.moving.convert import assert_accounted, file, lost, notes, text, why

API = "kubernetes.dask.org/v1"


def role(*arguments: str, **container: Any) -> dict[str, Any]:
    return {"containers": [{"name": "any", "image": "example.com/dask:1", "args": list(arguments), **container}]}


def cluster(
    worker: dict[str, Any] | None = None, scheduler: dict[str, Any] | None = None, **spec: Any
) -> dict[str, Any]:
    return {
        "apiVersion": API,
        "kind": "DaskCluster",
        "metadata": {"name": "simple"},
        "spec": {
            "worker": {"replicas": 3, "spec": role("dask-worker", "--name", "$(DASK_WORKER_NAME)"), **(worker or {})},
            "scheduler": {"spec": role("dask-scheduler"), **(scheduler or {})},
            **spec,
        },
    }


def other(kind: str, name: str = "simple", **spec: Any) -> dict[str, Any]:
    return {"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": {"cluster": "simple", **spec}}


def converted(*documents: dict[str, Any]) -> Converted:
    found = text(yaml.safe_dump_all(documents, sort_keys=False))
    assert_accounted(found)
    return found


def test_a_whole_file() -> None:
    """Cluster, autoscaler and worker group in one file, with a stranger."""
    found = file("daskcluster.yaml")
    assert_accounted(found)
    worker = found.values["worker"]
    assert found.values["image"] == {"tag": "2026.8.0"}
    assert found.values["webUI"] == {"servicePort": 80}
    assert found.values["lifecycle"] == {"idleTimeout": "600 s"}
    assert found.values["scheduler"] == {
        "serviceType": "NodePort",
        "serviceTemplate": {"spec": {"externalTrafficPolicy": "Local"}},
        "podLabels": {"team": "lab"},
    }
    assert (worker["replicas"], worker["threads_per_worker"], worker["portDashboard"]) == (2, 4, 8788)
    assert worker["adaptive"] == {"enabled": True, "minimum": 1, "maximum": 10}
    assert [variable["name"] for variable in worker["env"]] == ["DASK_WORKER_NAME", "MY_NAME"]
    assert worker["env"][0]["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert "extraArgs" not in worker
    assert lost(found) == ["spec.worker.spec.containers[0].env[0]", "spec.scheduler.service.ports[0].nodePort", ""]
    assert [finding.line for finding in found.lost] == [29, 73, 106]


def test_a_group_does_not_inherit() -> None:
    """The operator's groups have nothing of the cluster's workers, so each key of those is taken back."""
    found = file("daskcluster.yaml").values["worker"]["groups"]["highmem"]
    assert found == {
        "replicas": 0,
        "daskResources": {"MEMORY": 64},
        "threads_per_worker": None,
        "portDashboard": 8790,
        "env": [],
        "resources": {"limits": {"memory": "64Gi"}},
        "nodeSelector": {"memory": "high"},
        "podTemplate": {"metadata": {"labels": {"team": None}}},
    }


def test_the_least_cluster() -> None:
    """What the operator has everybody write comes to an image."""
    found = converted(cluster())
    assert found.values == {"image": {"repository": "example.com/dask", "tag": "1"}}
    assert lost(found) == []
    assert notes(found) == ["metadata.name", "spec.worker.spec.containers[0].args[1]"]


@pytest.mark.parametrize("words", [["--name", "$(DASK_WORKER_NAME)"], ["--name=$(DASK_WORKER_NAME)"]])
@pytest.mark.parametrize("command", [["dask-worker"], ["dask", "worker"], ["dask-worker", "tcp://x:1"]])
def test_names_of_workers(words: list[str], command: list[str]) -> None:
    """Each worker is called like its pod; two names would be one too many."""
    found = converted(cluster({"spec": role(*command, *words, "--no-nanny")}))
    worker = found.values["worker"]
    assert worker["nanny"] is False
    assert "extraArgs" not in worker
    assert worker.get("custom_scheduler_url") == ("tcp://x:1" if "tcp://x:1" in command else None)


def test_a_script_that_uses_the_name() -> None:
    """What goes by DASK_WORKER_NAME goes on to, by the pod's name."""
    script = ["sh", "-c", "echo $DASK_WORKER_NAME; dask-worker"]
    found = converted(cluster({"spec": role(*script)}))
    assert found.values["worker"]["env"][0]["name"] == "DASK_WORKER_NAME"


def test_labels_and_annotations_reach_the_pods() -> None:
    """A cluster's and a role's own do, as the operator hands them on; but not those that it selects by."""
    document = cluster({"metadata": {"labels": {"a": "1"}, "annotations": {"b": "2"}}})
    document["metadata"] |= {"labels": {"c": "3", "dask.org/cluster-name": "x"}, "annotations": {"d": "4"}}
    found = converted(document).values
    assert found["worker"]["podLabels"] == {"c": "3", "a": "1"}
    assert found["worker"]["annotations"] == {"d": "4", "b": "2"}
    assert found["scheduler"] == {"podLabels": {"c": "3"}, "annotations": {"d": "4"}}


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ({"type": "ClusterIP"}, {}),
        (
            {"type": "LoadBalancer", "loadBalancerIP": "10.0.0.1"},
            {"serviceType": "LoadBalancer", "loadBalancerIP": "10.0.0.1"},
        ),
        ({"ports": [{"name": "tcp-comm", "port": 9000, "targetPort": "tcp-comm"}]}, {"servicePort": 9000}),
        ({"ports": [{"name": "any", "port": 9000, "targetPort": 8786}]}, {"servicePort": 9000}),
        ({"sessionAffinity": "ClientIP"}, {"serviceTemplate": {"spec": {"sessionAffinity": "ClientIP"}}}),
    ],
)
def test_services(service: dict[str, Any], expected: dict[str, Any]) -> None:
    """A Service's fields are keys of the scheduler."""
    found = converted(cluster(scheduler={"service": service}))
    assert found.values.get("scheduler", {}) == expected
    assert lost(found) == []


def test_ports_that_the_service_does_not_have() -> None:
    """They are reported, each with what to do."""
    ports = [{"name": "tcp-comm", "port": 8786, "nodePort": 30001}, {"name": "metrics", "port": 9}]
    found = converted(cluster(scheduler={"service": {"selector": {"app": "mine"}, "ports": ports}}))
    start = "spec.scheduler.service"
    assert lost(found) == [f"{start}.selector.app", f"{start}.ports[0].nodePort", f"{start}.ports[1]"]
    assert "scheduler.ports" in why(found, f"{start}.ports[1]")


def test_idle() -> None:
    """An idle cluster goes to zero workers, as only an owner can remove a release; 0 is never."""
    found = converted(cluster(idleTimeout=30))
    assert found.values["lifecycle"] == {"idleTimeout": "30 s"}
    assert "lifecycle.owner" in why(found, "spec.idleTimeout")
    assert "lifecycle" not in converted(cluster(idleTimeout=0)).values


def test_a_key_that_no_manifest_has() -> None:
    """It is reported, wherever it stands."""
    found = converted(cluster({"replicaz": 1}, shutdownOnClose=True))
    assert lost(found) == ["spec.worker.replicaz", "spec.shutdownOnClose"]


def test_autoscalers() -> None:
    """Bounds are the agent's; without a most it does not adapt, and that is told."""
    found = converted(other("DaskAutoscaler", minimum=2, maximum=5), cluster())
    assert found.values["worker"] == {"adaptive": {"enabled": True, "minimum": 2, "maximum": 5}}
    found = converted(cluster(), other("DaskAutoscaler", minimum=2))
    assert found.values["worker"] == {"adaptive": {"minimum": 2}}
    assert "" in notes(found)


def test_what_belongs_to_another_cluster() -> None:
    """It is reported whole; a release is one cluster."""
    autoscaler = {**other("DaskAutoscaler", minimum=1, maximum=2), "spec": {"cluster": "other", "maximum": 3}}
    second = cluster()
    second["metadata"] = {"name": "second"}
    found = converted(cluster(), autoscaler, second)
    assert lost(found) == ["", ""]
    assert "worker" not in found.values


def test_a_job() -> None:
    """Its cluster becomes values; the job itself is run otherwise."""
    job = {
        "apiVersion": API,
        "kind": "DaskJob",
        "metadata": {"name": "simple-job"},
        "spec": {
            "job": {"spec": {"containers": [{"name": "job", "image": "x", "args": ["python", "main.py"]}]}},
            "cluster": {"spec": cluster({"replicas": 7})["spec"]},
        },
    }
    found = converted(job)
    assert found.values["worker"] == {"replicas": 7}
    assert lost(found) == ["spec.job"]
    assert "HelmCluster.from_name" in why(found, "spec.job")


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (other("DaskAutoscaler", maximum=2), "neither a DaskCluster nor"),
        ({"apiVersion": API, "kind": "DaskCluster"}, "has no spec"),
        (cluster({"spec": {"containers": []}}), r"no spec\.worker\.spec\.containers"),
        (cluster({"spec": None}), "worker has no spec"),
        (cluster({"spec": role("dask-scheduler")}), "starts 'dask scheduler'"),
    ],
)
def test_what_is_no_cluster(document: dict[str, Any], words: str) -> None:
    """It is refused, with the file's name and what is wrong."""
    with pytest.raises(ValueError, match=rf"given\.yaml: .*{words}"):
        converted(document)
