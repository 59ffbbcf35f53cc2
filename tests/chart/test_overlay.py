"""What comes last: overlays of pods, containers and the Service; how containers start, and where pods go."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest

from dask_kubernetes_helm import contract
from tests.chart.helm import Object, container, deployment, one, pod, refusal, render

ROLES = ("scheduler", "worker")
every_role = pytest.mark.parametrize("role", ROLES)
every_helm = pytest.mark.parametrize("helm", ["helm", "helm3"])
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def _group(values: Object, **where: Any) -> Object:
    """The pod template of a group that says nothing but these values."""
    (found,) = (
        item["spec"]["template"]
        for item in render({"worker": {"groups": {"gpu": values}}}, **where)
        if item["metadata"]["labels"].get("dask.org/worker-group") == "gpu"
    )
    return dict(found)


def _match(role: str) -> Object:
    return {"key": "k8s.dask.org/node-purpose", "operator": "In", "values": [role]}


# Overlays -----------------------------------------------------------------------------------------------


@every_helm
@every_role
def test_the_pod_template_comes_last(role: str, helm: str) -> None:
    """Maps merge into what the chart and its other keys say, lists take their place, and what is new is added."""
    toleration = {"key": "mine", "operator": "Exists"}
    values = {
        "annotations": {"a": "1", "b": "1"},
        "podTemplate": {
            "metadata": {"annotations": {"b": "2", "c": "3"}, "labels": {"l": "1"}},
            "spec": {
                "tolerations": [toleration],
                "securityContext": {"fsGroup": 7},
                "automountServiceAccountToken": True,
                "runtimeClassName": "kata",
            },
        },
    }
    before, found = (deployment(role, {role: given}, helm=helm)["spec"]["template"] for given in ({}, values))
    own = before["metadata"].get("annotations", {})
    assert found["metadata"]["annotations"] == {**own, "a": "1", "b": "2", "c": "3"}
    assert {**before["metadata"]["labels"], "l": "1"} == found["metadata"]["labels"]
    spec = found["spec"]
    assert spec["tolerations"] == [toleration]
    assert {**before["spec"]["securityContext"], "fsGroup": 7} == spec["securityContext"]
    assert spec["automountServiceAccountToken"] is True
    changed = {"tolerations", "securityContext", "automountServiceAccountToken", "runtimeClassName"}
    same = spec.keys() - changed
    assert {key: spec[key] for key in same} == {key: before["spec"][key] for key in before["spec"].keys() - changed}


@every_helm
@every_role
def test_the_container_comes_last(role: str, helm: str) -> None:
    """Maps merge, lists take their place, and the container keeps its name, its variables, ports and mounts."""
    values = {
        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
        "container": {
            "args": ["mine"],
            "workingDir": "/data",
            "resources": {"limits": {"cpu": "2"}},
            "securityContext": {"capabilities": {"add": ["SYS_PTRACE"]}},
        },
    }
    before, found = container(role, helm=helm), container(role, {role: values}, helm=helm)
    assert found["args"] == ["mine"]
    assert found["workingDir"] == "/data"
    assert found["resources"] == {"limits": {"cpu": "2", "memory": "1Gi"}}
    capabilities = {"drop": ["ALL"], "add": ["SYS_PTRACE"]}
    assert {**before["securityContext"], "capabilities": capabilities} == found["securityContext"]
    for key in ("name", "env", "ports", "volumeMounts", "image"):
        assert before[key] == found[key]


@every_helm
@every_role
def test_null_leaves_a_field_of_the_container_out(role: str, helm: str) -> None:
    """A null takes away what the chart says, the arguments included, so that the image's own count."""
    before = container(role, helm=helm)
    found = container(role, {role: {"container": {"args": None, "readinessProbe": None}}}, helm=helm)
    assert before.keys() - found.keys() == {"args", "readinessProbe"}


@every_helm
@every_role
def test_null_leaves_a_field_out_at_any_depth(role: str, helm: str) -> None:
    """A null is left out inside of maps as well, and in the pod as in the container; nothing is rendered as null."""
    values = {
        "podTemplate": {"spec": {"tolerations": None, "securityContext": {"fsGroup": None}}},
        "container": {"securityContext": {"capabilities": None}},
    }
    spec = pod(role, {role: values}, helm=helm)
    assert "tolerations" not in spec
    assert "fsGroup" not in spec["securityContext"]
    assert "capabilities" not in spec["containers"][0]["securityContext"]


@every_helm
@every_role
def test_large_integers_stay_integers(role: str, helm: str) -> None:
    """User ids of OpenShift's size are integers, not floats, which Kubernetes refuses."""
    large = 1000730000
    values = {
        "securityContext": {"runAsUser": large},
        "podTemplate": {"spec": {"securityContext": {"fsGroup": large, "supplementalGroups": [large]}}},
        "container": {"securityContext": {"runAsUser": large}},
    }
    spec = pod(role, {role: values}, helm=helm)
    found = [
        spec["securityContext"]["runAsUser"],
        spec["securityContext"]["fsGroup"],
        *spec["securityContext"]["supplementalGroups"],
        spec["containers"][0]["securityContext"]["runAsUser"],
    ]
    assert [large] * 4 == found
    assert {int} == set(map(type, found))


@every_role
def test_an_overlay_leaves_the_other_role(role: str) -> None:
    """A role's overlays are its own."""
    (other,) = set(ROLES) - {role}
    overlays = {"podTemplate": {"spec": {"hostNetwork": True}}, "container": {"tty": True}}
    assert deployment(other) == deployment(other, {role: overlays})


@every_role
def test_an_overlay_changes_no_more_than_it_says(role: str) -> None:
    """What goes through an overlay comes out as it was: same values, same types, same order of lists."""
    rich = {"podLabels": {"a": "1"}, "resources": {"limits": {"cpu": "2", "memory": "6Gi"}}, "scratchSizeLimit": "1Gi"}
    before = pod(role, {role: rich})
    after = pod(role, {role: {**rich, "container": {"tty": True}, "podTemplate": {"spec": {"hostIPC": False}}}})
    assert after.pop("hostIPC") is False
    assert after["containers"][0].pop("tty") is True
    assert before == after


@every_helm
def test_a_group_adds_to_the_workers_overlays(helm: str) -> None:
    """A group has the worker's overlays, with its own merged into them; a null of its own takes the worker's away."""
    worker: Object = {
        "podTemplate": {"spec": {"runtimeClassName": "kata", "hostNetwork": True}},
        "container": {"tty": True, "stdin": True},
    }
    own = {"podTemplate": {"spec": {"runtimeClassName": "gvisor"}}, "container": {"stdin": None, "args": None}}
    objects = render({"worker": {**worker, "groups": {"gpu": own}}}, helm=helm)
    default = one(objects, "Deployment")["spec"]["template"]["spec"]
    (gpu,) = (
        item["spec"]["template"]["spec"]
        for item in objects
        if item["metadata"]["labels"].get("dask.org/worker-group") == "gpu"
    )
    assert (default["runtimeClassName"], gpu["runtimeClassName"]) == ("kata", "gvisor")
    assert gpu["hostNetwork"] is True
    assert default["containers"][0]["stdin"] is True
    assert "args" in default["containers"][0]
    assert gpu["containers"][0]["tty"] is True
    assert {"stdin", "args"} & gpu["containers"][0].keys() == set()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"podTemplate": {"spec": {"containers": []}}}, ["podTemplate.spec has containers", "container and extraCont"]),
        ({"podTemplate": {"spec": {"volumes": []}}}, ["podTemplate.spec has volumes", "mounts.volumes."]),
        ({"podTemplate": {"spec": {"initContainers": []}}}, ["podTemplate.spec has initContainers", "initContainers."]),
        ({"container": {"env": []}}, ["container has env", "env."]),
        ({"container": {"ports": []}}, ["container has ports", "ports."]),
        ({"container": {"volumeMounts": []}}, ["container has volumeMounts", "mounts.volumeMounts."]),
    ],
)
@pytest.mark.parametrize("path", [*ROLES, "worker.groups.gpu"])
def test_what_overlays_must_not_replace(path: str, values: Object, words: list[str]) -> None:
    """What the chart stands on is refused in an overlay, at its own path, with the key that is meant."""
    given: Object = {"worker": {"groups": {"gpu": values}}} if "gpu" in path else {path: values}
    said = refusal(given)
    assert f"{path}.{words[0]}" in said
    assert f"Use {path}.{words[1]}" in said


@every_role
def test_a_container_keeps_its_name(role: str) -> None:
    """The container's name is found by, so it is refused; what names objects is another key."""
    said = refusal({role: {"container": {"name": "mine"}}})
    assert f"{role}.container has name" in said
    assert "Use nameOverride." in said


@pytest.mark.parametrize("label", [contract.INSTANCE_LABEL, contract.COMPONENT_LABEL, contract.PART_OF_LABEL])
@every_role
def test_overlays_leave_the_labels_of_selectors(role: str, label: str) -> None:
    """A label that selectors stand on is refused in an overlay as it is in podLabels."""
    said = refusal({role: {"podTemplate": {"metadata": {"labels": {label: "x"}}}}})
    assert f"{role}.podTemplate.metadata.labels has {label}" in said


@every_role
@pytest.mark.parametrize("key", ["podTemplate", "container"])
def test_an_overlay_may_be_taken_back(role: str, key: str) -> None:
    """Null in a later layer of values is as good as no overlay."""
    assert deployment(role) == deployment(role, {role: {key: None}})


@pytest.mark.parametrize("key", ["status", "kind", "specs"])
def test_a_template_is_metadata_and_spec(key: str) -> None:
    """Nothing else is a part of a template, so that a slip is told."""
    for values in ({"worker": {"podTemplate": {key: {}}}}, {"scheduler": {"serviceTemplate": {key: {}}}}):
        assert f"'{key}' not allowed" in refusal(values)


# How containers start -----------------------------------------------------------------------------------


@every_role
def test_command(role: str) -> None:
    """`command` is the container's, and its arguments stay as they are."""
    found = container(role, {role: {"command": ["tini", "--"]}})
    assert found["command"] == ["tini", "--"]
    assert container(role)["args"] == found["args"]


@every_role
def test_program(role: str) -> None:
    """`program` takes the place of `dask worker` or `dask scheduler`; the chart's arguments follow, then the extra."""
    program = ["conda", "run", "-n", "mine", "dask", role]
    found = container(role, {role: {"program": program, "extraArgs": ["--more"]}})["args"]
    assert [*program, *container(role)["args"][2:], "--more"] == found
    assert container(role)["args"][2:] == container(role, {role: {"program": []}})["args"]


@every_role
def test_ports(role: str) -> None:
    """Ports are added to the chart's own."""
    port = {"name": "debug", "containerPort": 5678}
    assert [*container(role)["ports"], port] == container(role, {role: {"ports": [port]}})["ports"]


# Mounts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/tmp", "/dask", "/tmp/", "/dask/"])
@every_role
def test_a_mount_in_the_place_of_the_charts(role: str, path: str) -> None:
    """A mount of the user's at /tmp or /dask takes the chart's place: two at one path are refused by Kubernetes."""
    mount = {"name": "fast", "mountPath": path}
    values = {role: {"mounts": {"volumes": [{"name": "fast", "emptyDir": {}}], "volumeMounts": [mount]}}}
    found = container(role, values)["volumeMounts"]
    before = [item for item in container(role)["volumeMounts"] if item["mountPath"] != path.rstrip("/")]
    assert len(before) == len(container(role)["volumeMounts"]) - 1
    # The agent's own is the last of the scheduler's.
    assert [*before, mount] == sorted(found, key=lambda item: item == mount)


@every_role
def test_a_mount_inside_of_the_charts(role: str) -> None:
    """A mount below /dask comes besides the chart's."""
    mount = {"name": "fast", "mountPath": "/dask/deep"}
    values = {role: {"mounts": {"volumes": [{"name": "fast", "emptyDir": {}}], "volumeMounts": [mount]}}}
    paths = [item["mountPath"] for item in container(role, values)["volumeMounts"]]
    assert {"/tmp", "/dask", "/dask/deep"} <= set(paths)


def test_a_user_may_have_any_volume_name() -> None:
    """The chart's volumes have names of its own, which a user's common ones don't meet."""
    names = ("tmp", "dask", "data", "scratch", "files", "agent", "tls")
    volumes = [{"name": name, "emptyDir": {}} for name in names]
    values = {role: {"mounts": {"volumes": volumes}} for role in ROLES}
    for role in ROLES:
        found = [volume["name"] for volume in pod(role, {**values, "tls": {"secretName": "s"}})["volumes"]]
        assert len(found) == len(set(found))
        assert all(name.startswith("dask-") for name in set(found) - set(names))


# Nodes --------------------------------------------------------------------------------------------------


@every_role
def test_nodes_are_preferred(role: str) -> None:
    """By default nodes kept for the role are preferred, before what the user prefers."""
    own = {"weight": 5, "preference": {"matchExpressions": [{"key": "disk", "operator": "Exists"}]}}
    purpose = {"weight": 100, "preference": {"matchExpressions": [_match(role)]}}
    values = {"affinity": {"nodeAffinity": {PREFERRED: [own]}}}
    assert pod(role, {role: values})["affinity"] == {"nodeAffinity": {PREFERRED: [purpose, own]}}
    assert pod(role, {role: values}) == pod(role, {role: {**values, "matchNodePurpose": "prefer"}})


@every_role
def test_nodes_are_required(role: str) -> None:
    """Required, nodes kept for the role are the only ones; where the user says nothing, by one term."""
    expected = {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [_match(role)]}]}}}
    assert expected == pod(role, {role: {"matchNodePurpose": "require"}})["affinity"]


@every_role
def test_each_of_the_required_terms_gets_it(role: str) -> None:
    """Of a node's required terms one has to fit, so each one gets the expression, and keeps its own."""
    zone, disk = {"key": "zone", "operator": "In", "values": ["a"]}, {"key": "disk", "operator": "Exists"}
    field = {"key": "metadata.name", "operator": "In", "values": ["n1"]}
    terms = [{"matchExpressions": [zone, disk]}, {"matchFields": [field]}, {}]
    own = {"weight": 5, "preference": {"matchExpressions": [disk]}}
    pods = {"podAntiAffinity": {REQUIRED: [{"topologyKey": "kubernetes.io/hostname"}]}}
    affinity = {**pods, "nodeAffinity": {REQUIRED: {"nodeSelectorTerms": terms}, PREFERRED: [own]}}
    found = pod(role, {role: {"matchNodePurpose": "require", "affinity": affinity}})["affinity"]
    match = _match(role)
    expected = [
        {"matchExpressions": [match, zone, disk]},
        {"matchFields": [field], "matchExpressions": [match]},
        {"matchExpressions": [match]},
    ]
    assert {**pods, "nodeAffinity": {REQUIRED: {"nodeSelectorTerms": expected}, PREFERRED: [own]}} == found


@pytest.mark.parametrize("node", [None, {REQUIRED: None}, {REQUIRED: {"nodeSelectorTerms": []}}, {}], ids=str)
@every_role
def test_nothing_required_is_as_good_as_no_word(role: str, node: Any) -> None:
    """An affinity that a later layer of values has taken back is none."""
    expected = pod(role, {role: {"matchNodePurpose": "require"}})
    assert expected == pod(role, {role: {"matchNodePurpose": "require", "affinity": {"nodeAffinity": node}}})


@pytest.mark.parametrize("affinity", [{}, {"nodeAffinity": {}}, {"nodeAffinity": None}], ids=str)
@every_role
def test_no_affinity_where_there_is_none(role: str, affinity: Object) -> None:
    """Where nodes for Dask mean nothing and the user says nothing, there is no affinity at all."""
    found = pod(role, {role: {"matchNodePurpose": "ignore", "affinity": affinity}})
    # An empty nodeAffinity is the user's own word.
    assert found.get("affinity", {}) in ({}, {"nodeAffinity": {}})
    assert affinity or "affinity" not in found


@every_role
def test_ignoring_leaves_the_users_affinity(role: str) -> None:
    """Where nodes for Dask mean nothing the user's affinity stands as it is."""
    node = {REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [{"key": "disk", "operator": "Exists"}]}]}}
    affinity = {"nodeAffinity": node, "podAffinity": {PREFERRED: []}}
    assert affinity == pod(role, {role: {"matchNodePurpose": "ignore", "affinity": affinity}})["affinity"]


def test_a_group_goes_where_workers_go() -> None:
    """A group's nodes are those kept for workers, and it may take its own way."""
    terms = _group({"matchNodePurpose": "require"})["spec"]["affinity"]["nodeAffinity"][REQUIRED]["nodeSelectorTerms"]
    assert terms == [{"matchExpressions": [_match("worker")]}]
    assert "affinity" not in _group({"matchNodePurpose": "ignore"})["spec"]


def test_another_word_for_nodes() -> None:
    """What is no word for nodes is refused at its path."""
    assert "/worker/matchNodePurpose" in refusal({"worker": {"matchNodePurpose": "preferred"}})


# The Service --------------------------------------------------------------------------------------------


@every_helm
def test_the_service_template_comes_last(helm: str) -> None:
    """Maps merge into the Service, all else takes its place, and what the template does not name stays."""
    template = {
        "metadata": {"labels": {"reach": "wide"}, "annotations": {"b": "2"}},
        "spec": {"externalTrafficPolicy": "Local", "loadBalancerSourceRanges": ["192.0.2.0/24"]},
    }
    values = {"serviceType": "LoadBalancer", "serviceAnnotations": {"a": "1"}}
    before = one(render({"scheduler": values}, helm=helm), "Service", "scheduler")
    found = one(render({"scheduler": {**values, "serviceTemplate": template}}, helm=helm), "Service", "scheduler")
    assert {**before["metadata"]["labels"], "reach": "wide"} == found["metadata"]["labels"]
    assert found["metadata"]["annotations"] == {"a": "1", "b": "2"}
    assert {**before["spec"], **template["spec"]} == found["spec"]
    kubernetes_validate.validate(found, "1.34", strict=True)


@pytest.mark.parametrize(
    ("template", "named"),
    [
        ({"spec": {"type": "NodePort"}}, "spec has type"),
        ({"spec": {"ports": []}}, "spec has ports"),
        ({"spec": {"selector": {"a": "b"}}}, "spec has selector"),
        ({"metadata": {"name": "mine"}}, "metadata has name"),
    ],
)
def test_what_leads_to_the_scheduler_stays(template: Object, named: str) -> None:
    """A template that would take the Service's name, ports, type or selector is refused with the key."""
    assert f"scheduler.serviceTemplate.{named}" in refusal({"scheduler": {"serviceTemplate": template}})


def test_no_service_template_no_change() -> None:
    """A template that says nothing changes nothing."""
    before = one(render(), "Service", "scheduler")
    template = {"metadata": {"labels": {}}, "spec": {}}
    assert before == one(render({"scheduler": {"serviceTemplate": template}}), "Service", "scheduler")
