"""Pod templates in Python, as classic dask-kubernetes' users make them."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from kubernetes import client

from dask_kubernetes_helm import errors
from dask_kubernetes_helm.podtemplates import podmodel
from dask_kubernetes_helm.podtemplates.podspec import clean_pod_template, make_pod_from_dict, make_pod_spec

IMAGE = "ghcr.io/dask/dask:latest"
MINIMAL: dict[str, Any] = {"spec": {"containers": [{"image": IMAGE}]}}
PLACE = "k8s.dask.org/node-purpose"


def container(pod: Any) -> dict[str, Any]:
    found: dict[str, Any] = podmodel.plain(pod)["spec"]["containers"][0]
    return found


def amounts(pod: Any) -> dict[str, Any]:
    found: dict[str, Any] = container(pod)["resources"]
    return {f"{kind} {key}": value for kind, each in found.items() for key, value in each.items()}


def test_the_least() -> None:
    """An image alone makes a worker that ends by itself when its scheduler is gone."""
    pod = make_pod_spec(IMAGE)
    assert isinstance(pod, client.V1Pod)
    assert pod.spec.restart_policy == "Never"
    assert container(pod) == {
        "name": "dask-container",
        "image": IMAGE,
        "args": ["dask-worker", "$(DASK_SCHEDULER_ADDRESS)", "--nthreads", "1", "--death-timeout", "60"],
        "env": [],
        "resources": {"limits": {}, "requests": {}},
    }


def test_all_of_it() -> None:
    """Each argument ends where it belongs."""
    pod = make_pod_spec(
        image=IMAGE, labels={"a": "b"}, threads_per_worker=2, env={"N": 3}, resources="GPU=2", memory_limit="6G",
        memory_request="5G", cpu_limit=2, cpu_request=1.5, gpu_limit=1, annotations={"c": "d"},
    )  # fmt: skip
    assert podmodel.plain(pod)["metadata"] == {"labels": {"a": "b"}, "annotations": {"c": "d"}}
    made = container(pod)
    assert made["args"][2:] == [
        "--nthreads",
        "2",
        "--death-timeout",
        "60",
        "--memory-limit",
        "6G",
        "--resources",
        "GPU=2",
    ]
    assert made["env"] == [{"name": "N", "value": "3"}]
    assert made["resources"] == {
        "limits": {"cpu": "2", "memory": "6G", "nvidia.com/gpu": "1"},
        "requests": {"cpu": "1.5", "memory": "5G"},
    }


@pytest.mark.parametrize("memory", ["6G", "4Gi", "4GiB", "500M", 6_000_000_000, 6e9, "6e9"])
def test_the_seventh_argument_of_2020(memory: object) -> None:
    """An amount of memory in the seventh place is the memory limit, and those after it follow as they did in 2020."""
    asked = amounts(make_pod_spec(IMAGE, {}, 2, {}, {}, {}, memory, "5G", 2, 1))
    assert asked == {
        "limits memory": str(memory),
        "requests memory": "5G",
        "limits cpu": "2",
        "requests cpu": "1",
    }
    named = amounts(make_pod_spec(IMAGE, {}, 2, {}, {}, {}, memory, memory_request="5G", cpu_limit=2, cpu_request=1))
    assert named == asked
    half = make_pod_spec(IMAGE, {}, 2, {}, {}, {}, memory, "5G", cpu_limit=2, cpu_request=1)
    assert amounts(half) == asked


@pytest.mark.parametrize("resources", ["GPU=2", "GPU=2 MEM=10e9", "a=1,b=2"])
def test_the_seventh_argument_of_2022(resources: str) -> None:
    """Dask's resources in the seventh place are that."""
    pod = make_pod_spec(IMAGE, {}, 2, {}, {}, {}, resources, "6G", "5G", 2, 1)
    assert container(pod)["args"][-2:] == ["--resources", resources]
    assert amounts(pod) == {"limits memory": "6G", "requests memory": "5G", "limits cpu": "2", "requests cpu": "1"}


def test_extras_merge() -> None:
    """Mappings merge, lists are appended, scalars replace, and what was given is not changed."""
    more = {"env": [{"name": "B", "value": "2"}], "name": "mine", "resources": {"limits": {"x.org/y": 1}}}
    beside = {"containers": [{"image": "sidecar"}], "nodeSelector": {"a": "b"}, "restartPolicy": "OnFailure"}
    pod = make_pod_spec(IMAGE, env={"A": "1"}, memory_limit="1G", extra_container_config=more, extra_pod_config=beside)
    made = container(pod)
    assert [one["name"] for one in made["env"]] == ["A", "B"]
    assert made["name"] == "mine"
    assert made["resources"]["limits"] == {"memory": "1G", "x.org/y": "1"}
    assert [one.name for one in pod.spec.containers] == ["mine", "dask-1"]
    assert pod.spec.restart_policy == "OnFailure"
    assert pod.spec.node_selector == {"a": "b"}
    assert more["resources"] == {"limits": {"x.org/y": 1}}


@pytest.mark.parametrize(
    ("extra", "hint"),
    [
        ({"extra_container_config": {"imagePullPolic": "x"}}, "extra_container_config.imagePullPolic"),
        ({"extra_container_config": {"image_pull_policy": "x"}}, "did you mean 'imagePullPolicy'?"),
        ({"extra_pod_config": {"nodeSelectors": {}}}, "did you mean 'nodeSelector'?"),
        ({"extra_pod_config": {"volumes": [{"nam": "x"}]}}, "spec.volumes[0].nam"),
    ],
)
def test_unknown_extras(extra: dict[str, Any], hint: str) -> None:
    """An attribute that Kubernetes does not know is a ValueError, as it was, and names the nearest."""
    with pytest.raises(ValueError, match="Attribute must be one of") as caught:
        make_pod_spec(IMAGE, **extra)
    assert isinstance(caught.value, errors.PodTemplateError)
    assert hint in str(caught.value)


def test_defaults_are_shared_by_nobody() -> None:
    """A default that could be changed would be everybody's."""
    for function in (make_pod_spec, make_pod_from_dict, clean_pod_template):
        for parameter in inspect.signature(function).parameters.values():
            assert not isinstance(parameter.default, dict | list)


def test_from_a_dict() -> None:
    """A mapping needs neither metadata nor names, and is not changed."""
    given = {"spec": {"containers": [{"image": "a"}, {"image": "b", "name": "own"}, {"image": "c"}]}}
    pod = make_pod_from_dict(given)
    assert [one.name for one in pod.spec.containers] == ["dask-0", "own", "dask-2"]
    assert pod.metadata is not None
    assert "name" not in given["spec"]["containers"][0]
    with pytest.raises(errors.PodTemplateError, match=r"spec\.containers\[0\]\.img"):
        make_pod_from_dict({"spec": {"containers": [{"img": "a"}]}})
    with pytest.raises(TypeError):
        make_pod_from_dict([])  # type: ignore[arg-type]


@pytest.mark.parametrize("role", ["worker", "scheduler"])
def test_tolerations(role: str) -> None:
    """Both spellings of Dask's taint are tolerated, after what the template tolerates; the template stays as it was."""
    own = {"key": "a", "operator": "Exists"}
    template = make_pod_from_dict({"spec": {**MINIMAL["spec"], "tolerations": [own]}})
    before = podmodel.plain(template)
    found = podmodel.plain(clean_pod_template(template, pod_type=role))["spec"]["tolerations"]
    taint = {"operator": "Equal", "value": role, "effect": "NoSchedule"}
    assert found == [own, {"key": "k8s.dask.org/dedicated", **taint}, {"key": "k8s.dask.org_dedicated", **taint}]
    assert podmodel.plain(template) == before


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "prefer"),
        ({"match_node_purpose": "require"}, "require"),
        ({"match_node_purpose": "ignore"}, "ignore"),
        ({"apply_default_affinity": "preferred"}, "prefer"),
        ({"apply_default_affinity": "required"}, "require"),
        ({"apply_default_affinity": "none"}, "ignore"),
        ({"match_node_purpose": "required"}, "require"),  # 2022's second argument in its place
    ],
)
def test_affinity(arguments: dict[str, str], expected: str) -> None:
    """Nodes for Dask are preferred, required or nothing, in 2020's words and in 2022's; the template's own stays."""
    term = {"matchExpressions": [{"key": "own", "operator": "Exists"}]}
    node = {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]},
        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": term}],
    }
    template = make_pod_from_dict({"spec": {**MINIMAL["spec"], "affinity": {"nodeAffinity": node}}})
    found = podmodel.plain(clean_pod_template(template, **arguments))["spec"]["affinity"]["nodeAffinity"]
    preferred = found["preferredDuringSchedulingIgnoredDuringExecution"]
    required = found["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    match = {"key": PLACE, "operator": "In", "values": ["worker"]}
    wanted = {"weight": 100, "preference": {"matchExpressions": [match]}}
    assert preferred == [{"weight": 1, "preference": term}, *([wanted] if expected == "prefer" else [])]
    assert required == [{"matchExpressions": [*term["matchExpressions"], *([match] if expected == "require" else [])]}]


def test_affinity_where_there_was_none() -> None:
    """A template without an affinity gets just Dask's."""
    found = podmodel.plain(clean_pod_template(make_pod_spec(IMAGE), "require"))["spec"]["affinity"]
    terms = found["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert terms == [{"matchExpressions": [{"key": PLACE, "operator": "In", "values": ["worker"]}]}]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"match_node_purpose": "prefered"}, 'Attribute must be one of "ignore", "prefer", or "require".'),
        ({"apply_default_affinity": "prefer"}, 'Attribute must be one of "none", "preferred", or "required".'),
    ],
)
def test_other_words(arguments: dict[str, str], said: str) -> None:
    """Another word is a ValueError that names those that there are, and the nearest."""
    with pytest.raises(ValueError, match="did you mean") as caught:
        clean_pod_template(make_pod_spec(IMAGE), **arguments)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("given", "said"), [("a.yaml", "KubeCluster.from_yaml"), (MINIMAL, "KubeCluster.from_dict"), (3, "V1Pod")]
)
def test_other_types(given: object, said: str) -> None:
    """What is no V1Pod is a TypeError that names what to call for it."""
    with pytest.raises(TypeError, match=said):
        clean_pod_template(given)
