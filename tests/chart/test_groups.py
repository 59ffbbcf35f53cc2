"""Worker groups, the agent, and what releases belong to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.chart.helm import EVERYTHING, Object, one, refusal, render

GPU = {"worker": {"groups": {"gpu": {"replicas": 0, "daskResources": {"GPU": 1, "SLOTS": 0.5}}}}}
ADAPTIVE = {"worker": {"adaptive": {"enabled": True, "minimum": 1, "maximum": 100}}}
OWNER = {"lifecycle": {"owner": {"name": "mine", "uid": "11111111-2222-3333-4444-555555555555"}}}


def groups(values: Object) -> dict[str, Object]:
    """Worker Deployments by their groups."""
    return {
        item["metadata"]["labels"]["dask.org/worker-group"]: item
        for item in render(values)
        if item["kind"] == "Deployment" and "dask.org/worker-group" in item["metadata"]["labels"]
    }


def group(values: Object, name: str = "gpu") -> Object:
    """A group's Deployment, told only what differs from the worker."""
    return groups({"worker": {**values.get("worker", {}), "groups": {name: values["group"]}}})[name]


def settings(values: Object) -> Object:
    """What the agent is told."""
    return dict(json.loads(one(render(values), "ConfigMap", "agent")["data"]["settings.json"]))


def container(deployment: Object) -> Object:
    return dict(deployment["spec"]["template"]["spec"]["containers"][0])


def test_a_group_is_a_deployment_of_its_own() -> None:
    """It has a name, labels, a selector and a number of its own, zero included, and its workers know where they are."""
    found = groups(GPU)
    assert found.keys() == {"default", "gpu"}
    gpu, default = found["gpu"], found["default"]
    assert gpu["metadata"]["name"] == f"{default['metadata']['name']}-gpu"
    assert gpu["spec"]["replicas"] == 0
    assert default["spec"]["replicas"] == 3
    assert gpu["spec"]["selector"] != default["spec"]["selector"]
    assert {"name": "DASKHELM_WORKER_GROUP", "value": "gpu"} in container(gpu)["env"]
    assert "--resources=GPU=1 SLOTS=0.5" in container(gpu)["args"]
    assert not [text for text in container(default)["args"] if "--resources" in text]


@pytest.mark.parametrize(
    ("worker", "own", "expected"),
    [
        ({"nodeSelector": {"a": "1"}}, {}, {"nodeSelector": {"a": "1"}}),
        ({"nodeSelector": {"a": "1"}}, {"nodeSelector": {"b": "2"}}, {"nodeSelector": {"a": "1", "b": "2"}}),
        ({"terminationGracePeriodSeconds": 90}, {}, {"terminationGracePeriodSeconds": 90}),
        ({}, {"terminationGracePeriodSeconds": 0}, {"terminationGracePeriodSeconds": 0}),
        ({"shareProcessNamespace": True}, {"shareProcessNamespace": False}, {"shareProcessNamespace": False}),
        ({"priorityClassName": "low"}, {"priorityClassName": ""}, {"priorityClassName": None}),
    ],
)
def test_what_a_group_says_comes_on_top(worker: Object, own: Object, expected: Object) -> None:
    """Maps merge, all else replaces, and 0, false and the empty text are meant."""
    spec = group({"worker": worker, "group": own})["spec"]["template"]["spec"]
    assert expected == {key: spec.get(key) for key in expected}


def test_lists_replace() -> None:
    """A group's list takes the place of the worker's."""
    worker = {"env": [{"name": "A", "value": "1"}]}
    env = container(group({"worker": worker, "group": {"env": [{"name": "B", "value": "2"}]}}))["env"]
    assert {"A", "B"} & {item["name"] for item in env} == {"B"}


def test_null_takes_a_probe_away() -> None:
    """What is null for a group is not there."""
    assert "readinessProbe" not in container(group({"group": {"readinessProbe": None}}))


def test_a_groups_tag_beats_the_workers_digest() -> None:
    """A group that names a tag gets it."""
    worker = {"image": {"repository": "r", "digest": "sha256:" + "1" * 64}}
    assert container(group({"worker": worker, "group": {"image": {"tag": "2"}}}))["image"] == "r:2"


def test_adaptive_and_resources_are_each_groups_own() -> None:
    """A group beside an adaptive worker is not adaptive, and has none of its abstract resources."""
    told = settings({"worker": {**ADAPTIVE["worker"], "daskResources": {"A": 1}, "groups": {"b": {}}}})["groups"]
    assert told["default"]["adaptive"]["enabled"]
    assert told["default"]["resources"] == {"A": 1}
    assert told["b"]["adaptive"] | {"enabled": False, "minimum": 0, "maximum": None} == told["b"]["adaptive"]
    assert told["b"]["resources"] == {}


def test_adaptive_groups_begin_at_the_minimum() -> None:
    """Where the number follows the work, it begins with the fewest."""
    assert groups(ADAPTIVE)["default"]["spec"]["replicas"] == 1
    own = {"replicas": 5, "adaptive": {"enabled": True, "maximum": 9}}
    assert group({"group": own})["spec"]["replicas"] == 0


@pytest.mark.parametrize(
    ("resources", "threads", "memory"),
    [
        ({}, 0, 0),
        ({"limits": {"cpu": "1500m", "memory": "2Gi"}}, 2, 2147483648),
        ({"limits": {"cpu": 4, "memory": "500M"}}, 4, 500000000),
        ({"requests": {"cpu": 4, "memory": "500M"}}, 0, 0),
    ],
)
def test_the_agent_knows_a_workers_size(resources: Object, threads: int, memory: int) -> None:
    """Threads and bytes of a worker are known before there is one; 0 where only Kubernetes knows."""
    told = settings({"worker": {"resources": resources}})["groups"]["default"]
    assert (told["threads"], told["memory"]) == (threads, memory)


def test_the_agents_role() -> None:
    """Get and patch of this release's worker scales by name, get and delete of its owner by name, nothing else."""
    (role,) = (item for item in render({**GPU, **OWNER}) if item["kind"] == "Role")
    names = sorted(item["metadata"]["name"] for item in groups(GPU).values())
    scale, owner = role["rules"]
    assert {**scale, "resourceNames": sorted(scale["resourceNames"])} == {
        "apiGroups": ["apps"],
        "resources": ["deployments/scale"],
        "resourceNames": names,
        "verbs": ["get", "patch"],
    }
    assert owner == {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": ["mine"],
        "verbs": ["get", "delete"],
    }
    (role,) = (item for item in render() if item["kind"] == "Role")
    assert [rule["resources"] for rule in role["rules"]] == [["deployments/scale"]]


def test_only_the_schedulers_container_gets_the_token() -> None:
    """Neither workers nor containers beside the scheduler's see it, and without an agent there is none."""
    values: Any = {"scheduler": {"extraContainers": [{"name": "beside", "image": "b"}]}}
    objects = render(values)
    main, beside = one(objects, "Deployment", "scheduler")["spec"]["template"]["spec"]["containers"]
    assert "dask-agent" in {mount["name"] for mount in main["volumeMounts"]}
    assert "volumeMounts" not in beside
    workers = json.dumps(one(objects, "Deployment", "worker"))
    assert "serviceAccountToken" not in workers
    without = render({"agent": {"enabled": False}})
    assert "serviceAccountToken" not in json.dumps(without)
    assert {"Role", "RoleBinding"} & {item["kind"] for item in without} == set()


def test_everything_refers_to_the_owner() -> None:
    """With an owner each object names it, so that Kubernetes removes them all with it; without one none does."""
    expected = [{"apiVersion": "v1", "kind": "ConfigMap", **OWNER["lifecycle"]["owner"]}]
    assert {json.dumps(item["metadata"].get("ownerReferences")) for item in render({**GPU, **OWNER})} == {
        json.dumps(expected)
    }
    assert [item for item in render(GPU) if "ownerReferences" in item["metadata"]] == []
    # Kubernetes takes an owner in another namespace for one that is gone; and what notebooks keep outlives the release.
    objects = [item for item in render({}, EVERYTHING) if item["kind"] != "PersistentVolumeClaim"]
    own = [item for item in objects if "namespace" not in item["metadata"]]
    assert all("ownerReferences" in item["metadata"] for item in own)


def test_bounds_and_lifecycle_restart_nobody() -> None:
    """An upgrade that changes only what the agent is told leaves every pod as it is."""

    def pods(values: Object) -> list[Object]:
        return [item["spec"]["template"] for item in render(values) if item["kind"] == "Deployment"]

    assert pods({}) == pods({**ADAPTIVE, "lifecycle": {"idleTimeout": "1h"}})


def test_long_names() -> None:
    """Names that Kubernetes would cut in pods' names are cut by the chart, and differ still."""
    names = {
        item["metadata"]["name"]
        for item in render(
            {"worker": {"groups": {"a" * 20: {}, "a" * 19: {}}}, "fullnameOverride": "x" * 53}, release="r"
        )
        if item["kind"] == "Deployment"
    }
    assert len(names) == 4
    assert all(len(name) <= 63 for name in names)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"worker": {"adaptive": {"enabled": True}}}, ["worker.adaptive.maximum", "without a limit"]),
        ({"worker": {"adaptive": {"minimum": 3, "maximum": 1}}}, ["worker.adaptive.minimum is 3", "maximum of 1"]),
        (
            {"worker": {"groups": {"g": {"adaptive": {"minimum": 3, "maximum": 1}}}}},
            ["worker.groups.g.adaptive.minimum is 3"],
        ),
        ({**ADAPTIVE, "agent": {"enabled": False}}, ["worker.adaptive.enabled is true", "agent.enabled to true"]),
        (
            {"worker": {**ADAPTIVE["worker"], "custom_scheduler_url": "tcp://a:1"}},
            ["worker.custom_scheduler_url", "another scheduler"],
        ),
        ({"lifecycle": {"ttl": "1h"}}, ["lifecycle.ttl removes the release through its owner", "Create a ConfigMap"]),
        ({"lifecycle": {"noClientTimeout": 60}}, ["lifecycle.noClientTimeout removes", "lifecycle.idleTimeout"]),
        (
            {"lifecycle": {"idleTimeout": 60, "idleAction": "uninstall"}},
            ["lifecycle.idleAction is uninstall", "scaleToZero"],
        ),
        ({"lifecycle": {"idleTimeout": 60}, "agent": {"enabled": False}}, ["lifecycle.idleTimeout", "agent.enabled"]),
        ({"lifecycle": {"owner": {"name": "a"}}}, ["lifecycle.owner.name and lifecycle.owner.uid"]),
        ({"worker": {"groups": {"g": {"portDashboard": 8791}}}}, ["worker.groups.g.portDashboard is 8791"]),
        (
            {"worker": {"groups": {"g": {"env": [{"name": "DASKHELM_POD_NAME"}]}}}},
            ["worker.groups.g.env sets DASKHELM_POD_NAME"],
        ),
        ({"worker": {"groups": {"default": {}}}}, ["default"]),
        ({"worker": {"groups": {"GPU": {}}}}, ["GPU"]),
        ({"worker": {"groups": {"g": {"replcias": 1}}}}, ["replcias"]),
        ({"worker": {"groups": {"g": {"groups": {}}}}}, ["groups"]),
        ({"worker": {"daskResources": {"GPU": 0}}}, ["GPU"]),
        ({"lifecycle": {"idleTimeout": "soon!"}}, ["idleTimeout"]),
        ({"lifecycle": {"idleTimeout": "5 parsecs"}}, ["idleTimeout"]),
        ({"lifecycle": {"idleTimeout": 0}}, ["idleTimeout"]),
        ({"lifecycle": {"ttl": "0.0 s"}}, ["ttl"]),
        ({"worker": {"adaptive": {"targetDuration": "0s"}}}, ["targetDuration"]),
    ],
)
def test_refusals(values: Object, words: list[str]) -> None:
    """What can't work is refused with the key and the cure."""
    said = refusal(values)
    assert [word for word in words if word not in said] == []
