"""Pods: image, security, where they run, what they mount, what their containers are told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chart.helm import container, deployment, one, pod, render

ROLES = ("scheduler", "worker")
every_role = pytest.mark.parametrize("role", ROLES)
A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64


@pytest.mark.parametrize(
    ("common", "own", "expected"),
    [
        ({}, {}, "ghcr.io/dask/dask:2026.8.0"),
        ({"tag": "1"}, {}, "ghcr.io/dask/dask:1"),
        ({"repository": "r/d", "tag": "1", "digest": A}, {}, f"r/d@{A}"),
        ({"tag": "1"}, {"tag": "2"}, "ghcr.io/dask/dask:2"),
        ({"tag": "1"}, {"repository": "r/w"}, "r/w:1"),
        ({"digest": A}, {"digest": B}, f"ghcr.io/dask/dask@{B}"),
        # A digest belongs to a repository and a tag: it doesn't follow where another is named.
        ({"digest": A}, {"tag": "2"}, "ghcr.io/dask/dask:2"),
        ({"digest": A}, {"repository": "r/w"}, "r/w:2026.8.0"),
        ({"tag": "1"}, {"tag": "2", "digest": B}, f"ghcr.io/dask/dask@{B}"),
    ],
)
@every_role
def test_image(role: str, common: dict[str, str], own: dict[str, str], expected: str) -> None:
    """`image` serves both roles, a role's own keys come before it one by one, and a digest comes before a tag."""
    assert expected == container(role, {"image": common, role: {"image": own}})["image"]


@every_role
def test_image_of_one_role_leaves_the_other(role: str) -> None:
    """A role's own image is its own."""
    (other,) = set(ROLES) - {role}
    assert container(other)["image"] == container(other, {role: {"image": {"tag": "2", "digest": A}}})["image"]


@every_role
def test_pulling(role: str) -> None:
    """Pull policy and secrets follow the same rule."""
    common = {"pullPolicy": "Always", "pullSecrets": [{"name": "common"}]}
    assert container(role, {"image": common})["imagePullPolicy"] == "Always"
    assert pod(role, {"image": common})["imagePullSecrets"] == [{"name": "common"}]
    own = {"image": common, role: {"image": {"pullPolicy": "Never", "pullSecrets": [{"name": "own"}]}}}
    assert container(role, own)["imagePullPolicy"] == "Never"
    assert pod(role, own)["imagePullSecrets"] == [{"name": "own"}]
    assert "imagePullSecrets" not in pod(role)


@every_role
def test_restricted_by_default(role: str) -> None:
    """Pods keep to Kubernetes' restricted standard, have no token, and write to their own folders only."""
    spec, main = pod(role), container(role)
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 1000
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    expected = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert expected == main["securityContext"]
    allowed = {"emptyDir", "configMap", "projected", "secret"}
    assert allowed >= {kind for volume in spec["volumes"] for kind in volume} - {"name"}
    writable = {mount["mountPath"] for mount in main["volumeMounts"] if not mount.get("readOnly")}
    assert writable == {"/tmp", "/dask"}


@every_role
def test_security_can_be_left_to_the_cluster(role: str) -> None:
    """With null no security context is rendered, as clusters that choose user ids themselves want it."""
    values = {role: {"securityContext": None, "containerSecurityContext": None}}
    assert "securityContext" not in pod(role, values)
    assert "securityContext" not in container(role, values)


@every_role
def test_tolerations_are_added(role: str) -> None:
    """Both spellings of Dask's taint are tolerated, with the user's own tolerations besides."""
    own = {"key": "example.com/gpu", "operator": "Exists"}
    dask = [
        {"key": key, "operator": "Equal", "value": role, "effect": "NoSchedule"}
        for key in ("k8s.dask.org/dedicated", "k8s.dask.org_dedicated")
    ]
    assert dask == pod(role)["tolerations"]
    assert [*dask, own] == pod(role, {role: {"tolerations": [own]}})["tolerations"]


@pytest.mark.parametrize(
    "own",
    [
        {},
        {"nodeAffinity": None},
        {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "zone"}]}},
        {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{}]}}},
        {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 5, "preference": {}}]}},
    ],
    ids=["none", "null", "pods", "required", "preferred"],
)
@every_role
def test_affinity_is_added(role: str, own: dict[str, Any]) -> None:
    """Nodes kept for the role are preferred, and the user's own affinity stands whole besides."""
    key = "preferredDuringSchedulingIgnoredDuringExecution"
    match = {"key": "k8s.dask.org/node-purpose", "operator": "In", "values": [role]}
    purpose = {"weight": 100, "preference": {"matchExpressions": [match]}}
    found = pod(role, {role: {"affinity": own}})["affinity"]
    node = own.get("nodeAffinity") or {}
    assert {**own, "nodeAffinity": {**node, key: [purpose, *node.get(key, [])]}} == found


@every_role
def test_spreading_counts_the_roles_own_pods(role: str) -> None:
    """A constraint without a selector gets the Deployment's own; one with a selector keeps it."""
    bare = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
    whole = {**bare, "topologyKey": "zone", "labelSelector": {"matchLabels": {"a": "b"}}}
    found = deployment(role, {role: {"topologySpreadConstraints": [bare, whole]}})["spec"]
    expected = [{**bare, "labelSelector": found["selector"]}, whole]
    assert expected == found["template"]["spec"]["topologySpreadConstraints"]


@pytest.mark.parametrize(
    ("key", "value", "rendered"),
    [
        ("priorityClassName", "high", "priorityClassName"),
        ("nodeSelector", {"disk": "ssd"}, "nodeSelector"),
        ("terminationGracePeriodSeconds", 0, "terminationGracePeriodSeconds"),
        ("shareProcessNamespace", False, "shareProcessNamespace"),
    ],
)
@every_role
def test_passed_to_the_pod(role: str, key: str, value: Any, rendered: str) -> None:
    """These values reach the pod as they are."""
    assert value == pod(role, {role: {key: value}})[rendered]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("envFrom", [{"secretRef": {"name": "s"}}]),
        ("resources", {"limits": {"cpu": "2", "memory": "6Gi"}, "requests": {"cpu": "500m", "memory": "6G"}}),
        ("livenessProbe", {"exec": {"command": ["true"]}, "httpGet": None}),
    ],
)
@every_role
def test_passed_to_the_container(role: str, key: str, value: Any) -> None:
    """These values reach the container as they are."""
    expected = {name: item for name, item in value.items() if item} if isinstance(value, dict) else value
    found = container(role, {role: {key: value}})[key]
    assert expected == ({name: found[name] for name in expected} if isinstance(expected, dict) else found)


@every_role
def test_metadata_of_pods(role: str) -> None:
    """Labels and annotations of the user's go where their keys say, and never into a selector."""
    values = {role: {"podLabels": {"p": "1"}, "labels": {"d": "2"}, "annotations": {"a": "3"}}}
    found, plain = deployment(role, values), deployment(role)
    template = found["spec"]["template"]["metadata"]
    assert {**plain["spec"]["template"]["metadata"]["labels"], "p": "1"} == template["labels"]
    assert {**plain["spec"]["template"]["metadata"].get("annotations", {}), "a": "3"} == template["annotations"]
    assert {**plain["metadata"]["labels"], "d": "2"} == found["metadata"]["labels"]
    assert plain["spec"]["selector"] == found["spec"]["selector"]


@every_role
def test_volumes_are_added(role: str) -> None:
    """The user's volumes come besides the chart's, and scratchSizeLimit bounds the writable folders."""
    volume, mount = {"name": "data", "emptyDir": {}}, {"name": "data", "mountPath": "/data"}
    values = {role: {"mounts": {"volumes": [volume], "volumeMounts": [mount]}, "scratchSizeLimit": "5Gi"}}
    mounts = container(role, values)["volumeMounts"]
    assert container(role)["volumeMounts"] == [item for item in mounts if item != mount]
    assert mount in mounts
    volumes = {item["name"]: item for item in pod(role, values)["volumes"]}
    assert volume == volumes["data"]
    assert volumes["dask-scratch"]["emptyDir"] == {"sizeLimit": "5Gi"}


@every_role
def test_env(role: str) -> None:
    """The user's variables come last, no name comes twice, and a home that the user sets is the user's."""
    own = [{"name": "HOME", "value": "/home/me"}, {"name": "PIP_INDEX_URL", "value": "https://example.com/simple"}]
    found = container(role, {role: {"env": own}})["env"]
    names = [item["name"] for item in found]
    assert len(names) == len(set(names))
    assert own == found[-2:]
    assert {"HOME": "/dask", "DASK_TEMPORARY_DIRECTORY": "/dask"}.items() <= {
        item["name"]: item.get("value") for item in container(role)["env"]
    }.items()


@every_role
def test_containers_beside(role: str) -> None:
    """A container beside comes after the main one, which keeps its place and name."""
    found = pod(role, {role: {"extraContainers": [{"name": "beside", "image": "i"}]}})["containers"]
    assert [item["name"] for item in found] == [role, "beside"]


@every_role
def test_the_images_entrypoint_stays(role: str) -> None:
    """The command is left to the image, whose entrypoint may install packages, and extra arguments come last."""
    main = container(role, {role: {"extraArgs": ["--idle-timeout", 3600, "--verbose"]}})
    assert "command" not in main
    assert main["args"][:2] == ["dask", role]
    assert main["args"][-3:] == ["--idle-timeout", "3600", "--verbose"]


def test_scheduler_probes() -> None:
    """The scheduler is Ready when it answers, and restarted only after minutes without an answer."""
    main = container("scheduler")
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert main[probe]["httpGet"] == {"path": "/health", "port": "http-dashboard"}
    assert main["readinessProbe"]["periodSeconds"] == 1
    assert main["livenessProbe"]["periodSeconds"] * main["livenessProbe"]["failureThreshold"] >= 300


def test_worker_probes() -> None:
    """A worker is Ready while the kernel answers for its preload, and no probe kills one whose code holds the GIL.

    One refusal is enough, so one that is late, as on a busy node, must be none.
    """
    main = container("worker")
    ports = {port["name"]: port["containerPort"] for port in main["ports"]}
    expected = {"tcpSocket": {"port": "readiness"}, "periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": 1}
    assert expected == main["readinessProbe"]
    assert {"name": "DASKHELM_READINESS_PORT", "value": str(ports["readiness"])} in main["env"]
    assert {"livenessProbe", "startupProbe"} & main.keys() == set()


@pytest.mark.parametrize("component", ["scheduler", "worker"])
def test_the_pod_files_are_mounted(component: str) -> None:
    """Each role is told the paths of its mounted preloads, under names that users do not have."""
    (files,) = (volume["configMap"] for volume in pod(component)["volumes"] if volume["name"] == "dask-files")
    (mount,) = (mount for mount in container(component)["volumeMounts"] if mount["name"] == "dask-files")
    config = one(render(), "ConfigMap", "pod-files")
    assert config["metadata"]["name"] == files["name"]
    assert {item["key"] for item in files["items"]} == config["data"].keys()
    paths = {f"{mount['mountPath']}/{item['path']}" for item in files["items"]}
    told = {text.partition("=")[2] for text in container(component)["args"] if text.startswith("--preload")}
    assert told <= paths
    assert len(told) == {"scheduler": 1, "worker": 2}[component]
    assert all(item["path"].startswith("dask_kubernetes_helm_") for item in files["items"])


def test_no_nanny_no_preload_for_it() -> None:
    """Without a nanny nothing is told to load a nanny's preload."""
    assert not [text for text in container("worker", {"worker": {"nanny": False}})["args"] if "preload-nanny" in text]
