"""A release without a scheduler: only workers, which go elsewhere, and the reaper that notices where that has gone."""

from __future__ import annotations

import json
from typing import Any

import kubernetes_validate
import pytest

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.chartvalues.values import merge
from tests.chart import monitoring
from tests.chart.helm import CHART, EVERYTHING, NO_DASHBOARD, Object, one, refusal, render, run

ADDRESS = "tcp://192.0.2.1:40000"
LOCAL: Object = {"scheduler": {"enabled": False}, "worker": {"custom_scheduler_url": ADDRESS}}
OWNER: Object = {"owner": {"name": "mine", "uid": "11111111-2222-3333-4444-555555555555"}}
REAPED: Object = {**LOCAL, "lifecycle": {**OWNER, "noClientTimeout": 60}}
GROUPS: Object = {"worker": {"groups": {"gpu": {"replicas": 0}}}}
ENCRYPTED = ADDRESS.replace("tcp", "tls")
TLS: Object = {"tls": {"secretName": "certificates"}, "worker": {"custom_scheduler_url": ENCRYPTED}}
#: What any release has.
ALWAYS = [
    ("ConfigMap", "pod-files"),
    ("Deployment", "worker"),
    ("NetworkPolicy", "worker"),
    ("ServiceAccount", "worker"),
]
SETTINGS = ("ConfigMap", "agent")
REAPER = [
    ("Deployment", "reaper"),
    ("NetworkPolicy", "reaper"),
    ("Role", "agent"),
    ("RoleBinding", "agent"),
    ("ServiceAccount", "reaper"),
]


def _kinds(objects: list[Object]) -> list[tuple[str, str]]:
    return sorted((item["kind"], item["metadata"]["labels"][contract.COMPONENT_LABEL]) for item in objects)


def _pod(values: Object | None = None) -> Object:
    """The reaper's pod."""
    objects = render(merge(REAPED, values or {}))
    return dict(one(objects, "Deployment", contract.REAPER)["spec"]["template"]["spec"])


@pytest.mark.parametrize("helm", ["helm", "helm3"])
@pytest.mark.parametrize(
    ("values", "more"),
    [
        ({}, [SETTINGS]),
        ({"agent": {"enabled": False}}, []),
        ({"lifecycle": OWNER}, [SETTINGS]),
        ({"lifecycle": {**OWNER, "noClientTimeout": "5 minutes"}}, [SETTINGS, *REAPER]),
        ({"lifecycle": {**OWNER, "noClientTimeout": None}}, [SETTINGS]),
        ({"lifecycle": OWNER, "agent": {"enabled": False}}, []),
    ],
    ids=["least", "no-agent", "owner", "reaper", "for-ever", "owner-no-agent"],
)
def test_what_there_is(values: Object, more: list[tuple[str, str]], helm: str) -> None:
    """Workers and their files; a reaper and its rights only with an owner, a time, and an agent."""
    assert sorted([*ALWAYS, *more]) == _kinds(render({**LOCAL, **values}, helm=helm))


@pytest.mark.parametrize("ending", [{"ttl": "1h"}, {"idleTimeout": 60}])
def test_ends_that_nobody_would_see_to(ending: Object) -> None:
    """An end that the scheduler's agent would bring about is refused by its key, as there is no agent."""
    said = refusal({**LOCAL, "lifecycle": {**OWNER, **ending}})
    assert f"lifecycle.{next(iter(ending))} is set, but scheduler.enabled is false" in said


@pytest.mark.parametrize(
    ("worker", "command"),
    [
        ({}, ["python"]),
        ({"program": ["conda", "run", "-n", "mine", "dask", "worker"]}, ["conda", "run", "-n", "mine", "python"]),
        ({"program": ["/opt/conda/bin/dask", "worker"]}, ["/opt/conda/bin/python"]),
        ({"command": ["tini", "--", "dask"], "program": ["worker"]}, ["tini", "--", "python"]),
        ({"program": ["bash", "-c", "dask worker", "bash"]}, ["python"]),
    ],
)
def test_the_reaper_is_started_as_workers_are(worker: Object, command: list[str]) -> None:
    """The Python that has Dask runs it, wherever the workers' command finds it."""
    objects = render(merge(REAPED, {"worker": worker}))
    (main,) = one(objects, "Deployment", contract.REAPER)["spec"]["template"]["spec"]["containers"]
    assert main["command"] == [*command, "-m", "dask_kubernetes_helm_pod"]


def test_nothing_of_a_scheduler() -> None:
    """There is no scheduler, no Service to it and no budget for it, whatever the values say of them."""
    values = {"enabled": False, "podDisruptionBudget": {"minAvailable": 1}, "serviceTemplate": {"spec": {"a": 1}}}
    objects = render({**REAPED, "scheduler": values})
    assert {"Service", "PodDisruptionBudget"} & {item["kind"] for item in objects} == set()
    assert "scheduler" not in {item["metadata"]["labels"][contract.COMPONENT_LABEL] for item in objects}


def test_workers_go_where_they_are_sent() -> None:
    """Every group's workers go to the address; else they are as with a scheduler in the release."""
    objects = render(merge(LOCAL, GROUPS))
    deployments = [item for item in objects if item["kind"] == "Deployment"]
    assert len(deployments) == 2
    for item in deployments:
        (main,) = item["spec"]["template"]["spec"]["containers"]
        assert main["env"][0] == {"name": "DASK_SCHEDULER_ADDRESS", "value": ADDRESS}
    usual = one(render({"worker": LOCAL["worker"], "tls": {"enabled": False}}), "Deployment")
    assert usual["spec"] == one(render(LOCAL), "Deployment")["spec"]


def test_everything_refers_to_the_owner() -> None:
    """Each object names the owner, so that the reaper removes them all with it, itself included."""
    owners = {json.dumps(item["metadata"].get("ownerReferences")) for item in render(merge(REAPED, GROUPS))}
    assert {json.dumps([{"apiVersion": "v1", "kind": "ConfigMap", **OWNER["owner"]}])} == owners


@pytest.mark.parametrize("values", [{}, GROUPS, {"agent": {"enabled": True}}], ids=["one", "groups", "agent"])
def test_the_reapers_rights(values: Object) -> None:
    """It may get and delete the owner, by name, and nothing else; its account alone is bound to that."""
    objects = render(merge(REAPED, values))
    (role,) = (item for item in objects if item["kind"] == "Role")
    owner = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["mine"], "verbs": ["get", "delete"]}
    assert [owner] == role["rules"]
    (binding,) = (item for item in objects if item["kind"] == "RoleBinding")
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    account = one(objects, "ServiceAccount", contract.REAPER)["metadata"]["name"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account, "namespace": "ns"}]
    users = {
        item["metadata"]["labels"][contract.COMPONENT_LABEL]
        for item in objects
        if item["kind"] == "Deployment" and item["spec"]["template"]["spec"]["serviceAccountName"] == account
    }
    assert users == {contract.REAPER}
    assert "serviceAccountToken" not in json.dumps(one(objects, "Deployment"))
    assert all(item["automountServiceAccountToken"] is False for item in objects if item["kind"] == "ServiceAccount")


def test_a_named_account_is_the_reapers() -> None:
    """scheduler.serviceAccountName is the account that the reaper has and that is bound, and none is made for it."""
    objects = render(merge(REAPED, {"scheduler": {"serviceAccountName": "there"}}))
    assert [item["metadata"]["name"] for item in objects if item["kind"] == "ServiceAccount"] == ["demo-dask-worker"]
    (binding,) = (item for item in objects if item["kind"] == "RoleBinding")
    assert binding["subjects"][0]["name"] == "there"
    spec = one(objects, "Deployment", contract.REAPER)["spec"]["template"]["spec"]
    assert spec["serviceAccountName"] == "there"


def test_the_reaper() -> None:
    """It is one container that runs the module of the mounted package on the address, with settings and token."""
    deployment = one(render(REAPED), "Deployment", contract.REAPER)
    assert (deployment["spec"]["replicas"], deployment["spec"]["strategy"]) == (1, {"type": "Recreate"})
    spec = deployment["spec"]["template"]["spec"]
    (main,) = spec["containers"]
    assert main["name"] == contract.REAPER
    *python, module = main["command"]
    assert python == ["python", "-m"]
    assert main["args"] == [ADDRESS]
    mounts = {mount["name"]: mount["mountPath"] for mount in main["volumeMounts"] if mount["name"] != "dask-scratch"}
    assert main["workingDir"] == mounts["dask-files"]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    assert mounts.keys() <= volumes.keys()
    paths = {item["path"] for item in volumes["dask-files"]["configMap"]["items"]}
    started = module.replace(".", "/")
    assert {f"{started}.py", f"{started}/__main__.py"} & paths
    assert "dask_kubernetes_helm_pod/reaper.py" in paths
    sources = volumes["dask-agent"]["projected"]["sources"]
    assert {kind for source in sources for kind in source} == {"configMap", "serviceAccountToken", "downwardAPI"}
    settings = json.loads(one(render(REAPED), "ConfigMap", "agent")["data"][contract.SETTINGS])
    assert settings["lifecycle"] | {"noClientTimeout": 60, **OWNER} == settings["lifecycle"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("priorityClassName", "high"),
        ("nodeSelector", {"disk": "ssd"}),
        ("terminationGracePeriodSeconds", 5),
        ("shareProcessNamespace", False),
    ],
)
def test_the_reaper_has_the_schedulers_pod(key: str, value: Any) -> None:
    """What is said of the scheduler's pod is the reaper's."""
    assert value == _pod({"scheduler": {key: value}})[key]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("resources", {"limits": {"memory": "256Mi"}, "requests": {"cpu": "10m"}}),
        ("envFrom", [{"secretRef": {"name": "s"}}]),
    ],
)
def test_the_reaper_has_the_schedulers_container(key: str, value: Any) -> None:
    """What is said of the scheduler's container is the reaper's."""
    assert value == _pod({"scheduler": {key: value}})["containers"][0][key]


def test_the_reaper_has_the_schedulers_image_and_place() -> None:
    """Image, secrets, security, place, variables, mounts, labels and annotations are the scheduler's."""
    toleration = {"key": "mine", "operator": "Exists"}
    values: Object = {
        "image": {"repository": "r", "tag": "1", "pullPolicy": "Always", "pullSecrets": [{"name": "s"}]},
        "securityContext": {"runAsUser": 7},
        "containerSecurityContext": {"readOnlyRootFilesystem": False},
        "tolerations": [toleration],
        "affinity": {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
        "matchNodePurpose": "ignore",
        "env": [{"name": "A", "value": "1"}],
        "mounts": {"volumes": [{"name": "v", "emptyDir": {}}], "volumeMounts": [{"name": "v", "mountPath": "/v"}]},
        "podLabels": {"l": "1"},
        "annotations": {"a": "2"},
    }
    template = one(render(merge(REAPED, {"scheduler": values})), "Deployment", contract.REAPER)["spec"]["template"]
    assert template["metadata"]["labels"]["l"] == "1"
    assert template["metadata"]["annotations"] == {"a": "2"}
    spec = template["spec"]
    (main,) = spec["containers"]
    assert (main["image"], main["imagePullPolicy"], spec["imagePullSecrets"]) == ("r:1", "Always", [{"name": "s"}])
    assert spec["securityContext"]["runAsUser"] == 7
    assert main["securityContext"]["readOnlyRootFilesystem"] is False
    assert spec["tolerations"][-1] == toleration
    assert spec["affinity"] == values["affinity"]
    assert values["env"][0] in main["env"]
    assert values["mounts"]["volumes"][0] in spec["volumes"]
    assert values["mounts"]["volumeMounts"][0] in main["volumeMounts"]


def test_what_only_a_scheduler_has() -> None:
    """No probe, no init container, and neither command, program nor extra arguments of a scheduler reach the reaper."""
    values = {
        "initContainers": [{"name": "first", "image": "i"}],
        "command": ["tini", "--"],
        "program": ["conda", "run", "dask", "scheduler"],
        "extraArgs": ["--idle-timeout", "1"],
        "startupProbe": {"periodSeconds": 2},
    }
    spec = _pod({"scheduler": values})
    assert _pod() == spec
    assert "initContainers" not in spec
    assert {"startupProbe", "readinessProbe", "livenessProbe", "ports"} & spec["containers"][0].keys() == set()


def test_the_reaper_is_not_spread() -> None:
    """It is one pod, whatever the schedulers' would be spread by."""
    bare = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule"}
    objects = render(merge(REAPED, {"scheduler": {"topologySpreadConstraints": [bare]}}))
    assert "topologySpreadConstraints" not in one(objects, "Deployment", contract.REAPER)["spec"]["template"]["spec"]


@pytest.mark.parametrize(
    ("worker", "path"),
    [
        ({}, "worker"),
        ({"groups": {"gpu": {"custom_scheduler_url": ADDRESS}}}, "worker"),
        ({"custom_scheduler_url": ADDRESS, "groups": {"gpu": {"custom_scheduler_url": ""}}}, "worker.groups.gpu"),
    ],
)
def test_workers_without_any_scheduler(worker: Object, path: str) -> None:
    """Without a scheduler each group needs an address, and the one that has none is named with the cure."""
    said = refusal({"scheduler": {"enabled": False}, "worker": worker})
    assert f"scheduler.enabled is false, and {path}.custom_scheduler_url is empty" in said
    assert "Set one of them" in said


@pytest.mark.parametrize("values", [{}, TLS, GROUPS], ids=["plain", "tls", "groups"])
@pytest.mark.parametrize(
    "shape", [LOCAL, REAPED, {**LOCAL, "agent": {"enabled": False}}], ids=["bare", "reaped", "no-agent"]
)
def test_kubernetes_knows_every_field(shape: Object, values: Object) -> None:
    """Every object is valid by the strict schemas of Kubernetes 1.34."""
    for item in render(merge(shape, values)):
        kubernetes_validate.validate(item, "1.34", strict=True)


def test_kubernetes_knows_every_field_of_everything() -> None:
    """With every other key given its values the objects are valid as well, and none of them is twice."""
    groups = {"worker": {"groups": {"gpu": {"custom_scheduler_url": ENCRYPTED, "adaptive": {"enabled": False}}}}}
    lasting = {"lifecycle": {"idleTimeout": None, "ttl": None}}
    jupyter = {"jupyter": {"httpRoute": {"enabled": False}}}
    objects = render(merge(REAPED, TLS, groups, lasting, NO_DASHBOARD, jupyter), EVERYTHING)
    assert ("Deployment", contract.REAPER) in _kinds(objects)
    for item in objects:
        if not item["apiVersion"].startswith(monitoring.GROUP):
            kubernetes_validate.validate(item, "1.34", strict=True)
    (main,) = one(objects, "Deployment", contract.REAPER)["spec"]["template"]["spec"]["containers"]
    for key, name in (("env", "name"), ("volumeMounts", "mountPath")):
        found = [item[name] for item in main[key]]
        assert len(found) == len(set(found))


def test_nobody_selects_anothers_pods() -> None:
    """Each selector takes the pods of its own role, group and release, beside a release with a scheduler."""
    values = merge(REAPED, GROUPS)
    releases = {
        "local": render(values, release="local"),
        "other": render(values, release="other"),
        "remote": render(GROUPS, release="remote"),
    }
    deployments = [
        ((release, item["metadata"]["name"]), item)
        for release, objects in releases.items()
        for item in objects
        if item["kind"] == "Deployment"
    ]
    names = [name for name, _ in deployments]
    assert len(names) == len(set(names)) == 9
    for name, item in deployments:
        selector = item["spec"]["selector"]["matchLabels"]
        taken = [
            other
            for other, one_of in deployments
            if selector.items() <= one_of["spec"]["template"]["metadata"]["labels"].items()
        ]
        assert [name] == taken
    service = one(releases["remote"], "Service", "scheduler")["spec"]["selector"]
    for name, item in deployments:
        taken_by_service = service.items() <= item["spec"]["template"]["metadata"]["labels"].items()
        assert taken_by_service == (name == ("remote", "remote-dask-scheduler"))


def test_notes_name_no_service_that_is_not_there() -> None:
    """NOTES of a release without a scheduler tell of neither its Service nor its dashboard."""
    command = ("install", "demo", str(CHART), "--namespace", "ns", "--dry-run=client", "--output=json", "--values", "-")
    result = run(*command, text=json.dumps(LOCAL))
    assert result.returncode == 0, result.stderr
    assert "demo-dask-scheduler" not in json.loads(result.stdout)["info"]["notes"]
