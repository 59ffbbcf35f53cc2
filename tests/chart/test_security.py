"""Secure by default: what holds of every object, whatever is switched on, as long as nobody relaxes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.chartvalues.values import merge
from tests.chart.helm import CHART, ENVIRONMENTS, EVERYTHING, NO_DASHBOARD, VALUES, Object, render, run

DEFAULTS: Object = yaml.safe_load((CHART / "values.yaml").read_text())
#: The chart's own security, and no package that needs root: everything.yaml relaxes it, to have other values.
RESTRICTED: Object = {
    role: {
        **{key: DEFAULTS[role][key] for key in ("securityContext", "containerSecurityContext")},
        "extraPackages": {"conda": [], "apt": []},
        "command": [],
    }
    for role in ("scheduler", "worker")
} | {"jupyter": {key: DEFAULTS["jupyter"][key] for key in ("securityContext", "containerSecurityContext")}}
OWNER = {"name": "mine", "uid": "11111111-2222-3333-4444-555555555555"}
#: Workers that go to a scheduler elsewhere, with the pod that looks after it.
ELSEWHERE: Object = {
    **NO_DASHBOARD,
    "scheduler": {"enabled": False, "image": {"digest": ""}},
    "worker": {"custom_scheduler_url": "tls://192.0.2.1:1", "groups": None},
    "lifecycle": {"owner": OWNER, "noClientTimeout": 60, "idleTimeout": None, "ttl": None},
}
CASES = {
    "default": ({}, ()),
    "everything": (RESTRICTED, (EVERYTHING,)),
    "elsewhere": (merge(RESTRICTED, ELSEWHERE), (EVERYTHING,)),
    **{name: ({}, (VALUES / f"{name}.yaml",)) for name in ENVIRONMENTS},
}
every_case = pytest.mark.parametrize("case", CASES)
#: Kinds that are of a namespace.
NAMESPACED = {
    *("ConfigMap", "Deployment", "NetworkPolicy", "Pod", "PodDisruptionBudget", "Role", "RoleBinding", "Secret"),
    *(
        "ServiceMonitor",
        "PodMonitor",
        "PrometheusRule",
        "Service",
        "ServiceAccount",
        "Certificate",
        "Issuer",
        "HTTPRoute",
        "Ingress",
        "PersistentVolumeClaim",
    ),
}
#: Volumes that the standard allows.
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def rendered(case: str) -> list[Object]:
    """The objects of a case."""
    values, files = CASES[case]
    return render(values, *files)


def templates(case: str) -> Iterator[tuple[str, Object]]:
    """The spec of each pod, and of which component it is."""
    return specs(rendered(case))


def specs(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    for item in objects:
        if item["kind"] == "Deployment":
            yield item["metadata"]["labels"][contract.COMPONENT_LABEL], item["spec"]["template"]["spec"]


def containers(spec: Object) -> list[Object]:
    return [*spec.get("initContainers", []), *spec["containers"]]


def test_the_cases_have_every_kind_of_pod() -> None:
    """What follows is seen on schedulers, workers and reapers, with init and side containers of both sorts."""
    found = [
        (component, item["name"]) for case in CASES for component, spec in templates(case) for item in containers(spec)
    ]
    for component in ("scheduler", "worker"):
        assert {(component, name) for name in (component, "prepare", "beside", "dask-packages")} <= set(found)
    assert {("reaper", "reaper"), *(("jupyter", name) for name in ("jupyter", "prepare", "beside"))} <= set(found)


@every_case
def test_the_standard_restricted(case: str) -> None:
    """Every container of every pod is within the Pod Security Standard "restricted", rule by rule."""
    for _, spec in templates(case):
        assert not {"hostNetwork", "hostPID", "hostIPC"} & {key for key, value in spec.items() if value}
        assert {kind for volume in spec["volumes"] for kind in volume} - {"name"} <= VOLUMES
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for item in containers(spec):
            context = item["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert not {"privileged", "procMount", "seLinuxOptions", "runAsUser", "runAsNonRoot"} & context.keys()
            assert not [port for port in item.get("ports", []) if "hostPort" in port]


@every_case
def test_beyond_the_standard(case: str) -> None:
    """The chart's own containers have a read-only root, as nobody in particular."""
    for _, spec in templates(case):
        assert spec["securityContext"]["runAsUser"] == 1000
        for item in containers(spec):
            if item["name"] in ("scheduler", "worker", "reaper", "jupyter", "dask-packages"):
                assert item["securityContext"]["readOnlyRootFilesystem"] is True


@every_case
def test_tokens(case: str) -> None:
    """No pod has a token by itself; one container each of scheduler, reaper or Jupyter has one, and no worker's."""
    for component, spec in templates(case):
        assert spec["automountServiceAccountToken"] is False
        volumes = {
            volume["name"]
            for volume in spec["volumes"]
            for source in volume.get("projected", {}).get("sources", [])
            if "serviceAccountToken" in source
        }
        holders = [
            item["name"]
            for item in containers(spec)
            for mount in item.get("volumeMounts", [])
            if mount["name"] in volumes
        ]
        assert holders == ([] if component == "worker" else [component])
    for item in rendered(case):
        if item["kind"] == "ServiceAccount":
            assert item["automountServiceAccountToken"] is False


@every_case
def test_an_account_for_each_role(case: str) -> None:
    """No two roles share an account, and none has the namespace's own."""
    accounts: dict[str, set[str]] = {}
    for component, spec in templates(case):
        accounts.setdefault(spec["serviceAccountName"], set()).add(component)
    assert [components for components in accounts.values() if len(components) > 1] == []
    assert "default" not in accounts


@every_case
def test_roles_name_their_objects(case: str) -> None:
    """Each rule of the agent's is for objects by name, never for all of a kind; notebooks' are test_jupyter's."""
    objects = rendered(case)
    own = {item["metadata"]["name"] for item in objects if item["kind"] == "Deployment"}
    owners = {reference["name"] for item in objects for reference in item["metadata"].get("ownerReferences", ())}
    for item in objects:
        if item["kind"] == "Role" and item["metadata"]["labels"][contract.COMPONENT_LABEL] != contract.JUPYTER:
            for rule in item["rules"]:
                assert rule["resourceNames"]
                assert set(rule["resourceNames"]) <= (owners if rule["resources"] == ["configmaps"] else own)
                assert not {"*"} & {*rule["verbs"], *rule["resources"], *rule["apiGroups"]}
                assert not {"secrets", "pods"} & set(rule["resources"])
        if item["kind"] == "RoleBinding":
            (subject,) = item["subjects"]
            assert (subject["kind"], item["roleRef"]["kind"]) == ("ServiceAccount", "Role")


@every_case
def test_nothing_beyond_the_namespace(case: str) -> None:
    """No object is of the cluster; only what Prometheus and Grafana read may be elsewhere, where values ask for it."""
    for item in rendered(case):
        assert item["kind"] in NAMESPACED
        if EVERYTHING not in CASES[case][1] or item["metadata"]["labels"][contract.COMPONENT_LABEL] != "metrics":
            assert item["metadata"].get("namespace", "ns") == "ns"


@every_case
def test_no_secret_in_a_variable(case: str) -> None:
    """The chart itself puts no Secret into a variable, and makes none but its certificates."""
    values = yaml.safe_load(EVERYTHING.read_text()) if EVERYTHING in CASES[case][1] else DEFAULTS
    given = {
        json.dumps(item, sort_keys=True)
        for role in ("scheduler", "worker", "jupyter")
        for item in values[role]["envFrom"]
    }
    for _, spec in templates(case):
        for item in containers(spec):
            assert not [one for one in item.get("env", []) if "secretKeyRef" in one.get("valueFrom", {})]
            assert {json.dumps(one, sort_keys=True) for one in item.get("envFrom", [])} <= given
    assert {item["type"] for item in rendered(case) if item["kind"] == "Secret"} <= {"kubernetes.io/tls"}


def test_no_secret_in_the_notes() -> None:
    """Whatever text the values hold, the notes that Helm prints for all to see hold none but names and numbers."""
    planted = {
        "env": [{"name": "PASSWORD", "value": "canary-1"}, {"name": "PIP_INDEX_URL", "value": "https://u:canary-2@h/"}],
        "extraArgs": ["--canary-3"],
        "extraPackages": {"pip": ["git+https://canary-4@example.com/x"]},
        "annotations": {"a": "canary-5"},
    }
    values = {"scheduler": planted, "worker": planted, "tls": {"secretName": "mine"}}
    command = ("install", "demo", str(CHART), "--namespace", "ns", "--dry-run=client", "--output=json", "--values", "-")
    told = run(*command, text=json.dumps(values))
    assert told.returncode == 0, told.stderr
    notes = str(json.loads(told.stdout)["info"]["notes"])
    assert "HelmCluster" in notes
    assert "canary" not in notes


@pytest.mark.parametrize("role", ["scheduler", "worker"])
def test_containers_of_the_users_own(role: str) -> None:
    """They get what the standard asks for beside what they say themselves; a relaxed role adds nothing."""
    own = {"capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]}, "runAsUser": 5}
    values: Object = {
        "initContainers": [{"name": "a", "image": "a"}, {"name": "b", "image": "b", "securityContext": own}],
        "extraContainers": [{"name": "c", "image": "c"}, {"name": "d", "image": "d", "securityContext": own}],
    }

    def contexts(values: Object) -> list[Any]:
        (spec,) = (spec for component, spec in specs(render({role: values})) if component == role)
        return [item.get("securityContext") for item in containers(spec) if item["name"] in "abcd"]

    silent = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert contexts(values) == [silent, {**silent, **own}] * 2
    for relaxed in ({"securityContext": {"runAsNonRoot": False}}, {"containerSecurityContext": None}):
        assert contexts({**values, **relaxed}) == [None, own] * 2


@every_case
def test_digests(case: str) -> None:
    """An image that is named by its digest is used by it, in every container of the chart's own."""
    values, files = CASES[case]
    digest = "sha256:" + "d" * 64
    image = {"repository": "r/dask", "tag": "", "digest": digest}
    given = merge(
        values,
        {role: {"image": image} for role in ("scheduler", "jupyter")}
        | {"image": image, "worker": {"image": image, "groups": None}},
    )
    for item in render(given, *files):
        if item["kind"] == "Deployment":
            for one in containers(item["spec"]["template"]["spec"]):
                if one["name"] not in ("prepare", "beside"):
                    assert one["image"] == f"r/dask@{digest}"
