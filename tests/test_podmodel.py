"""The kubernetes library's models: pods as plain mappings and back, and attributes that don't exist."""

from __future__ import annotations

import copy
import datetime as dt
from types import MappingProxyType
from typing import Any

import pytest
from kubernetes import client

from dask_kubernetes_helm import errors
from dask_kubernetes_helm.podtemplates import podmodel

CONTAINER = {"name": "a", "image": "b"}


def pod(**container: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{**CONTAINER, **container}]}}


def built() -> client.V1Pod:
    variable = client.V1EnvVar(
        name="A", value_from=client.V1EnvVarSource(field_ref=client.V1ObjectFieldSelector(field_path="metadata.name"))
    )
    container = client.V1Container(name="a", image="b", env=[variable], image_pull_policy="Always")
    spec = client.V1PodSpec(containers=[container], host_pid=False, set_hostname_as_fqdn=True)
    return client.V1Pod(metadata=client.V1ObjectMeta(labels={"a_b": "c"}), spec=spec)


PLAIN = {
    "metadata": {"labels": {"a_b": "c"}},
    "spec": {
        "containers": [
            {
                **CONTAINER,
                "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                "imagePullPolicy": "Always",
            }
        ],
        "hostPID": False,
        "setHostnameAsFQDN": True,
    },
}


def test_a_model_becomes_plain() -> None:
    """Attributes get Kubernetes' spelling, whatever is None goes, False stays, and labels keep their own spelling."""
    assert podmodel.plain(built()) == PLAIN


def test_a_mapping_becomes_a_model_and_plain_again() -> None:
    """Nothing is lost on the way through a model."""
    assert podmodel.plain(podmodel.model(PLAIN)) == PLAIN
    assert isinstance(podmodel.model(PLAIN), client.V1Pod)


def test_another_librarys_models() -> None:
    """What is built like the models is one, as those of kubernetes_asyncio are, in a mapping as well."""

    class V1Thing:
        openapi_types = MappingProxyType({"host_pid": "bool", "containers": "list[object]", "made": "datetime"})
        attribute_map = MappingProxyType({"host_pid": "hostPID", "containers": "containers", "made": "made"})

        def __init__(self) -> None:
            self.host_pid, self.containers = True, [CONTAINER]
            self.made = dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc)

    expected = {"spec": {"hostPID": True, "containers": [CONTAINER], "made": "2020-01-01T00:00:00+00:00"}}
    assert expected == podmodel.plain({"spec": V1Thing()})


def test_nothing_is_shared_with_a_mapping() -> None:
    """A change of what comes out changes nothing that was given."""
    given = pod(args=["x"])
    before = copy.deepcopy(given)
    podmodel.plain(given)["spec"]["containers"][0]["args"].append("y")
    assert given == before


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (pod(resources={"limits": {"cpu": 2}}), pod(resources={"limits": {"cpu": "2"}})),
        (pod(env=[{"name": "A", "value": 1.5}]), pod(env=[{"name": "A", "value": "1.5"}])),
        (pod(tty="true", ports=[{"containerPort": "80"}]), pod(tty=True, ports=[{"containerPort": 80}])),
        (pod(lifecycle=None, args=[None]), pod(args=[None])),
        (pod(livenessProbe={"httpGet": {"port": 80}}), pod(livenessProbe={"httpGet": {"port": 80}})),
        (pod(env="no list"), pod(env="no list")),
    ],
)
def test_scalars_get_the_type_that_kubernetes_has(given: dict, expected: dict) -> None:
    """Numbers become text where Kubernetes wants it, text numbers, null nothing; what has no type stays."""
    assert podmodel.plain(given) == expected


@pytest.mark.parametrize("given", ["a.yaml", 3, None, [PLAIN]])
def test_other_types_are_refused(given: object) -> None:
    """A pod is a model or a mapping."""
    with pytest.raises(errors.InvalidTypeError, match="V1Pod"):
        podmodel.plain(given)


@pytest.mark.parametrize(
    ("given", "path", "hint"),
    [
        (pod(imagePullPolic="x"), "spec.containers[0].imagePullPolic ", "'imagePullPolicy'"),
        (pod(image_pull_policy="x"), "spec.containers[0].image_pull_policy ", "'imagePullPolicy'"),
        ({"Spec": {}}, "Spec ", "'spec'"),
        ({"spec": {**PLAIN["spec"], "host_pid": True}}, "spec.host_pid ", "'hostPID'"),
        ({**PLAIN, "metadata": {"label": {}}}, "metadata.label ", "'labels'"),
        (pod(env=[{"name": "a"}, {"names": "a"}]), "spec.containers[0].env[1].names ", "'name'"),
        (pod(resources={"limit": {}}), "spec.containers[0].resources.limit ", "'limits'"),
    ],
)
def test_unknown_attributes(given: dict, path: str, hint: str) -> None:
    """An attribute that Kubernetes does not know is named by its path, with the nearest that it does, and a cure."""
    with pytest.raises(errors.PodTemplateError) as caught:
        podmodel.check(given)
    assert str(caught.value).startswith(path)
    assert f"did you mean {hint}?" in str(caught.value)
    assert "pip install -U kubernetes" in str(caught.value)
    assert "Attribute must be one of" in str(caught.value)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({}, "no spec"),
        ({"spec": {}}, "no spec"),
        ({"spec": {"hostPID": True}}, "no spec.containers"),
        ({"spec": {"containers": []}}, "no spec.containers"),
        ({"spec": []}, "spec is a list, where Kubernetes has a mapping"),
        ({"spec": {"containers": CONTAINER}}, "spec.containers is a mapping, where Kubernetes has a list"),
        ({"spec": {"containers": ["x"]}}, "spec.containers[0] is text"),
        (pod(args="dask-worker"), "spec.containers[0].args is text, where Kubernetes has a list"),
        (pod(args=[None]), "spec.containers[0].args[0] is"),
        (pod(args=[["x"]]), "spec.containers[0].args[0] is a list, where Kubernetes has text"),
        (pod(resources={"limits": ["x"]}), "resources.limits is a list"),
        (pod(resources={"limits": {"cpu": {}}}), "resources.limits.cpu is a mapping"),
        (pod(tty="perhaps"), "spec.containers[0].tty is text, where Kubernetes has true or false"),
        (pod(ports=[{"containerPort": "web"}]), "ports[0].containerPort is text, where Kubernetes has a whole number"),
        (pod(ports=[{"containerPort": True}]), "ports[0].containerPort is true or false"),
    ],
)
def test_wrong_shapes(given: dict, path: str) -> None:
    """A list where a mapping belongs, and the like, is named by its path."""
    with pytest.raises(errors.PodTemplateError) as caught:
        podmodel.check(given)
    assert path in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        PLAIN,
        pod(resources={"limits": {"nvidia.com/gpu": 1}}, lifecycle=None),
        pod(livenessProbe={"httpGet": {"port": "http"}}, startupProbe={"tcpSocket": {"port": 80}}),
        {**PLAIN, "metadata": {"annotations": {"any_thing": "x"}, "creationTimestamp": "2020-01-01T00:00:00Z"}},
    ],
)
def test_what_kubernetes_takes_is_taken(given: dict) -> None:
    """Free-form parts have any key, ports may be named, and null is nothing."""
    podmodel.check(given)


def test_pods_as_the_api_answers_them() -> None:
    """A list of mappings becomes a list of models, with dates."""
    answered = {**PLAIN, "metadata": {"name": "x", "creationTimestamp": "2020-01-01T00:00:00Z"}}
    first, second = podmodel.pods([answered, PLAIN])
    assert first.metadata.creation_timestamp.year == 2020
    assert second.spec.containers[0].image == "b"
    assert podmodel.pods([]) == []


def test_what_the_library_refuses() -> None:
    """A refusal of the library is an error of ours."""
    with pytest.raises(errors.PodTemplateError, match="builds no pod"):
        podmodel.model({"spec": {"containers": [{"image": "x"}]}})
