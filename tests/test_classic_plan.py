"""What KubeCluster was told as what is installed: the chart's values for many arguments, all without a cluster."""

from __future__ import annotations

import getpass
import logging
import warnings
from typing import Any

import dask.config
import pytest
from distributed.security import Security

from dask_kubernetes_helm import contract, errors
from dask_kubernetes_helm.chartvalues import schema
from dask_kubernetes_helm.chartvalues.values import merge
from dask_kubernetes_helm.classic import arguments as classic_arguments
from dask_kubernetes_helm.classic.plan import ClassicArguments
from dask_kubernetes_helm.releases.lifecycle import Plan

IMAGE = "ghcr.io/dask/dask:1"
TEMPLATE: dict[str, Any] = {"spec": {"containers": [{"image": IMAGE, "args": ["dask-worker"]}]}}
DEDICATED = ["k8s.dask.org/dedicated", "k8s.dask.org_dedicated"]
local_or_remote = pytest.mark.parametrize("mode", ["local", "remote"])


def template(spec: dict[str, Any] | None = None, *, metadata: Any = None, **container: Any) -> dict[str, Any]:
    """A pod template; what is None of the container is left out."""
    told = {"image": IMAGE, "args": ["dask-worker"], **container}
    given = {"spec": {"containers": [{key: item for key, item in told.items() if item is not None}], **(spec or {})}}
    return {**given, "metadata": metadata} if metadata else given


def arguments(pod: Any = TEMPLATE, **told: Any) -> ClassicArguments:
    """KubeCluster's arguments, with its defaults."""
    settled: dict[str, Any] = {
        "pod_template": pod,
        "scheduler_pod_template": None,
        "namespace": None,
        "n_workers": 0,
        "env": {},
        "auth": None,
        "idle_timeout": None,
        "deploy_mode": "remote",
        "security": None,
        "affinity": "prefer",
        "service_type": "ClusterIP",
        "timeout": 300.0,
    }
    return ClassicArguments(**{**settled, **told})


def plan(pod: Any = TEMPLATE, *, name: str = "demo", **told: Any) -> Plan:
    """What is installed, which the chart's schema has to take."""
    made = arguments(pod, **told).plan(name)
    schema.check(made.layers, contract.chart_path())
    return made


def valued(pod: Any = TEMPLATE, **told: Any) -> dict[str, Any]:
    """The values of what is installed, where nothing has to be told."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return merge(*(layer.mapping for layer in plan(pod, **told).layers))


# What any cluster has -----------------------------------------------------------------------------------


@local_or_remote
def test_the_least(mode: str) -> None:
    """A template alone is a release of no workers yet, which ends with this process."""
    made = plan(deploy_mode=mode)
    assert (made.name, made.namespace, made.chart, made.auth, made.timeout) == ("demo", None, None, None, 300.0)
    assert made.bound
    assert made.certificates is None
    values = valued(deploy_mode=mode)
    assert values["worker"]["image"] == {"repository": "ghcr.io/dask/dask", "tag": "1", "pullPolicy": "IfNotPresent"}
    assert values["worker"]["replicas"] == 0
    assert values["lifecycle"] == {"noClientTimeout": 60.0}


def test_what_is_for_the_release_itself() -> None:
    """Name, namespace, chart, authentication and timeout reach whoever installs as they are."""
    auth = object()
    made = plan(name="mine", namespace="lab", chart="oci://r/c", auth=auth, timeout=7.0)
    assert (made.name, made.namespace, made.chart, made.timeout) == ("mine", "lab", "oci://r/c", 7.0)
    assert made.auth is auth


@pytest.mark.parametrize("n", [0, 1, 500])
def test_workers_to_begin_with(n: int) -> None:
    """n_workers is the number at install, 0 included."""
    assert valued(n_workers=n)["worker"]["replicas"] == n


@local_or_remote
def test_labels(mode: str) -> None:
    """Pods have the labels that classic's users select them by; the user's other labels stay, and those four don't."""
    own = {"team": "geo", "app": "mine", "dask.org/component": "x"}
    values = valued(template(metadata={"labels": own}), deploy_mode=mode, name="a-name")
    forced = {"app": "dask", "dask.org/cluster-name": "a-name", "user": getpass.getuser()}
    roles = ["worker"] if mode == "local" else ["worker", "scheduler"]
    for role in roles:
        assert values[role]["podLabels"] == {"team": "geo", **forced, "dask.org/component": role}


def test_a_user_whose_name_is_no_label(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's name becomes a label's value, whatever it is made of."""
    monkeypatch.setenv("LOGNAME", "corp\\jo@example.com")
    found = valued()["worker"]["podLabels"]["user"]
    assert found.startswith("corp-jo-example.com-")


def test_the_template_is_not_changed() -> None:
    """What the caller gave is the caller's."""
    given = template(env=[{"name": "A", "value": "1"}], args=None)
    before = repr(given)
    plan(given, env={"B": "2"})
    assert repr(given) == before


@pytest.mark.parametrize("command", [{}, {"args": []}, {"command": [], "args": []}, {"command": None}])
def test_a_template_without_a_command(command: dict[str, Any]) -> None:
    """A container that says nothing of what to start starts a worker, as it did."""
    usual = valued()
    assert usual == valued(template(**{"args": None, **command}))


# Variables ----------------------------------------------------------------------------------------------


def _env(values: dict[str, Any], role: str = "worker") -> list[tuple[str, Any]]:
    return [(item["name"], item.get("value", item.get("valueFrom"))) for item in values[role].get("env", [])]


@pytest.mark.parametrize(
    ("own", "given", "expected"),
    [
        (None, {}, []),
        (None, {"A": "1", "B": "2"}, [("A", "1"), ("B", "2")]),
        ([{"name": "A", "value": "1"}], {"B": "2"}, [("A", "1"), ("B", "2")]),
        # The later of two wins, as in Kubernetes.
        ([{"name": "A", "value": "1"}, {"name": "B", "value": "2"}], {"A": "3"}, [("B", "2"), ("A", "3")]),
        ([{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}], {"A": 1}, [("A", "1")]),
        # Values become text.
        (None, {"A": 1, "B": 1.5, "C": True}, [("A", "1"), ("B", "1.5"), ("C", "True")]),
        (None, {"A": "", "B": None}, [("A", ""), ("B", "None")]),
    ],
)
def test_variables(own: Any, given: dict[str, Any], expected: list[tuple[str, Any]]) -> None:
    """Variables that are given come after the template's, as text, and the scheduler has them as well."""
    values = valued(template(env=own), env=given)
    assert _env(values) == expected
    assert _env(values, "scheduler") == expected


def test_a_given_schedulers_variables() -> None:
    """A scheduler's own template has its own variables, and those that are given on top."""
    scheduler = template(args=["dask-scheduler"], env=[{"name": "S", "value": "s"}, {"name": "A", "value": "s"}])
    worker = template(env=[{"name": "W", "value": "w"}])
    values = valued(worker, scheduler_pod_template=scheduler, env={"A": "1"})
    assert _env(values) == [("W", "w"), ("A", "1")]
    assert _env(values, "scheduler") == [("S", "s"), ("A", "1")]


# When it ends -------------------------------------------------------------------------------------------


@local_or_remote
@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["dask-worker"], 60.0),
        (["dask-worker", "--death-timeout", "300"], 300.0),
        (["dask-worker", "--death-timeout=5 minutes"], 300.0),
        (["dask", "worker", "--death-timeout", "1.5h"], 5400.0),
        (["dask-worker", "--death-timeout", "$HOW_LONG"], 60.0),
    ],
)
def test_how_long_workers_wait(mode: str, args: list[str], expected: float) -> None:
    """--death-timeout was how long workers outlived a Python that has gone; now it is how long the release does."""
    assert valued(template(args=args), deploy_mode=mode)["lifecycle"]["noClientTimeout"] == expected


def test_workers_that_wait_for_ever() -> None:
    """--death-timeout 0 makes a release that can be installed."""
    plan(template(args=["dask-worker", "--death-timeout", "0"]))


@pytest.mark.parametrize(("mode", "bound"), [("remote", False), ("local", True)])
def test_what_stays(mode: str, *, bound: bool) -> None:
    """With shutdown_on_close=False a cluster stays where its scheduler does; a scheduler in this process can't."""
    told = arguments(deploy_mode=mode, shutdown_on_close=False)
    assert told.bound is bound
    made = plan(deploy_mode=mode, shutdown_on_close=False)
    assert made.bound is bound
    values = merge(*(layer.mapping for layer in made.layers))
    assert ("noClientTimeout" in values.get("lifecycle", {})) is bound


@pytest.mark.parametrize(
    ("given", "told", "expected"),
    [
        (None, [], None),
        ("30 minutes", [], "30 minutes"),
        (90, [], 90),
        (None, ["--idle-timeout", "1h"], "1h"),
        (None, ["--idle-timeout=600"], "600"),
        ("30 minutes", ["--idle-timeout", "1h"], "30 minutes"),
    ],
)
@pytest.mark.parametrize("stays", [False, True])
def test_idleness(given: Any, told: list[str], expected: Any, *, stays: bool) -> None:
    """A cluster that is idle for so long is removed: the argument counts, else what the scheduler's command says."""
    scheduler = template(args=["dask-scheduler", *told])
    values = valued(scheduler_pod_template=scheduler, idle_timeout=given, shutdown_on_close=not stays)
    lifecycle = {key: item for key, item in values.get("lifecycle", {}).items() if key != "noClientTimeout"}
    assert lifecycle == ({"idleTimeout": expected, "idleAction": "uninstall"} if expected else {})
    assert not [word for word in values["scheduler"].get("extraArgs", []) if "idle" in word]


@pytest.mark.parametrize("nothing", ["0", "0 s"])
def test_never_idle(nothing: str) -> None:
    """An idle_timeout of nothing is none, as Dask's scheduler takes it."""
    assert "idleTimeout" not in valued(idle_timeout=nothing)["lifecycle"]


# The scheduler ------------------------------------------------------------------------------------------


def test_a_scheduler_of_the_workers_template() -> None:
    """Without a template of its own the scheduler has the worker's, with its own command, and without GPUs."""
    resources = {"limits": {"cpu": "2", "memory": "4Gi", "nvidia.com/gpu": "1"}}
    args = ["dask-worker", "--nthreads", "2", "--memory-limit", "4G", "--no-dashboard", "--resources", "GPU=1"]
    spec = {"nodeSelector": {"disk": "ssd"}, "priorityClassName": "high"}
    values = valued(template(spec, args=args, resources=resources))
    worker, scheduler = values["worker"], values["scheduler"]
    for key in ("image", "nodeSelector", "priorityClassName"):
        assert worker[key] == scheduler[key]
    assert worker["resources"] == resources
    assert scheduler["resources"] == {"limits": {"cpu": "2", "memory": "4Gi"}}
    assert worker["extraArgs"] == ["--no-dashboard"]
    assert {"extraArgs", "threads_per_worker", "memory_limit", "daskResources"} & scheduler.keys() == set()


@pytest.mark.parametrize("command", [None, ["dask-scheduler"], ["dask", "scheduler"]])
def test_a_schedulers_own_template(command: Any) -> None:
    """A template of its own is the scheduler's alone, and needs no command."""
    scheduler = template({"nodeSelector": {"a": "b"}}, image="r/s:2", args=command, resources={"limits": {"cpu": "1"}})
    values = valued(scheduler_pod_template=scheduler)
    assert values["scheduler"]["image"] == {"repository": "r/s", "tag": "2", "pullPolicy": "IfNotPresent"}
    assert values["scheduler"]["nodeSelector"] == {"a": "b"}
    assert values["scheduler"]["resources"] == {"limits": {"cpu": "1"}}
    assert {"program", "command", "container"} & values["scheduler"].keys() == set()
    assert "nodeSelector" not in values["worker"]


def test_a_configured_schedulers_template() -> None:
    """kubernetes.scheduler-template is the scheduler's where no argument is."""
    with dask.config.set({"kubernetes.scheduler-template": template(image="r/s:2", args=None)}):
        assert valued()["scheduler"]["image"]["repository"] == "r/s"
        given = template(image="r/given:2", args=None)
        assert valued(scheduler_pod_template=given)["scheduler"]["image"]["repository"] == "r/given"


def test_each_role_has_its_own_command() -> None:
    """A template that starts the other role's command is refused."""
    with pytest.raises(errors.PodTemplateError, match="worker's container starts 'dask scheduler'"):
        plan(template(args=["dask-scheduler"]))
    with pytest.raises(errors.PodTemplateError, match="scheduler's container starts 'dask worker'"):
        plan(scheduler_pod_template=TEMPLATE)


@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort", "LoadBalancer"])
def test_the_services_type(kind: str) -> None:
    """The scheduler's Service has the type that was asked for."""
    assert valued(service_type=kind)["scheduler"]["serviceType"] == kind


@pytest.mark.parametrize(
    ("configured", "expected"),
    [
        ({}, {}),
        (None, {}),
        ({"metadata": None, "spec": None}, {}),
        # What the documentation of classic dask-kubernetes shows: selector and ports are the chart's.
        (
            {
                "apiVersion": "v1",
                "kind": "Service",
                "spec": {
                    "selector": {"dask.org/cluster-name": "", "dask.org/component": "scheduler"},
                    "ports": [{"name": "comm", "protocol": "TCP", "port": 8786, "targetPort": 8786}],
                },
            },
            {},
        ),
        (
            {"metadata": {"name": "n", "annotations": {"a": "b"}, "labels": {"c": "d"}}, "spec": {"type": "NodePort"}},
            {"metadata": {"annotations": {"a": "b"}, "labels": {"c": "d"}}},
        ),
        ({"spec": {"sessionAffinity": "ClientIP"}}, {"spec": {"sessionAffinity": "ClientIP"}}),
    ],
)
def test_the_services_template(configured: Any, expected: dict[str, Any]) -> None:
    """Of the configured Service counts what the chart does not set itself."""
    with dask.config.set({"kubernetes.scheduler-service-template": configured}):
        assert valued()["scheduler"].get("serviceTemplate", {}) == expected


@pytest.mark.parametrize(
    ("configured", "expected"),
    [
        (None, {"enabled": False}),
        ({}, {"enabled": False}),
        ({"spec": None}, {"enabled": False}),
        ({"spec": {"minAvailable": 1}}, {"minAvailable": 1}),
        ({"spec": {"selector": {"matchLabels": {"dask.org/cluster-name": ""}}}}, {"enabled": False}),
        (
            {"apiVersion": "policy/v1beta1", "spec": {"maxUnavailable": 0, "selector": {"matchLabels": {}}}},
            {"maxUnavailable": 0},
        ),
    ],
)
def test_the_budget(configured: Any, expected: dict[str, Any]) -> None:
    """The scheduler's PodDisruptionBudget has the configured spec without its selector; without one there is none."""
    with dask.config.set({"kubernetes.scheduler-pdb-template": configured}):
        assert valued()["scheduler"].get("podDisruptionBudget", {}) == expected


def test_a_scheduler_is_spared_by_default() -> None:
    """As classic had it, no drain of a node takes the scheduler along."""
    assert valued()["scheduler"]["podDisruptionBudget"] == {"minAvailable": 1}


# Local mode ---------------------------------------------------------------------------------------------


def test_the_reaper_runs_wherever_workers_do() -> None:
    """Without a scheduler its values are the reaper's: the worker's image and place, and next to no resources."""
    toleration = {"key": "gpu", "operator": "Exists"}
    spec = {
        "nodeSelector": {"pool": "dask"},
        "priorityClassName": "high",
        "tolerations": [toleration],
        "imagePullSecrets": [{"name": "registry"}],
    }
    values = valued(template(spec, resources={"limits": {"nvidia.com/gpu": "1"}}), deploy_mode="local")
    scheduler = values["scheduler"]
    assert scheduler["image"] == values["worker"]["image"]
    assert scheduler["image"]["pullSecrets"] == [{"name": "registry"}]
    assert (scheduler["nodeSelector"], scheduler["priorityClassName"]) == ({"pool": "dask"}, "high")
    own = [{"key": key, "operator": "Equal", "value": "worker", "effect": "NoSchedule"} for key in DEDICATED]
    assert scheduler["tolerations"] == [*own, toleration]
    assert "nvidia.com/gpu" not in scheduler["resources"].get("limits", {})
    assert {"cpu", "memory"} == scheduler["resources"]["requests"].keys()


def test_the_reaper_keeps_to_the_nodes_that_workers_need() -> None:
    """A template that needs certain nodes, as its image is of their architecture, needs them for the reaper as well."""
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    arm = [{"matchExpressions": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["arm64"]}]}]
    affinity = {"nodeAffinity": {required: {"nodeSelectorTerms": arm}}}
    values = valued(template({"affinity": affinity}), deploy_mode="local")
    assert values["scheduler"]["affinity"]["nodeAffinity"] == affinity["nodeAffinity"]


def test_what_a_local_scheduler_has_no_use_for() -> None:
    """In local mode neither a scheduler's template nor its idle time reach the release, and warnings say so."""
    usual = valued(deploy_mode="local")
    told = {"scheduler_pod_template": template(image="r/s:2"), "service_type": "NodePort", "idle_timeout": "1h"}
    with pytest.warns(errors.TemplateWarning) as warned:
        found = merge(*(layer.mapping for layer in plan(deploy_mode="local", **told).layers))
    assert usual == found
    assert {str(item.message).split()[0] for item in warned} == {"idle_timeout", "scheduler_pod_template"}
    assert {"serviceType", "serviceTemplate", "podDisruptionBudget"} & usual["scheduler"].keys() == set()


# Affinity -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "default", "expected"),
    [
        (None, None, "prefer"),
        ("prefer", None, "prefer"),
        ("require", None, "require"),
        ("ignore", None, "ignore"),
        (None, "preferred", "prefer"),
        (None, "required", "require"),
        (None, "none", "ignore"),
        ("ignore", "required", "ignore"),
    ],
)
def test_nodes_for_dask(match: str | None, default: str | None, expected: str) -> None:
    """Both spellings say what nodes for Dask mean to both roles; the default of the chart is that of classic."""
    purpose = classic_arguments.affinity(match, default)
    assert purpose == expected
    values = valued(affinity=purpose)
    for role in ("worker", "scheduler"):
        assert values[role].get("matchNodePurpose", "prefer") == expected


@pytest.mark.parametrize(
    ("match", "default", "words"),
    [
        ("preferred", None, ["'preferred'", "did you mean 'prefer'?", "prefer, require, ignore"]),
        (None, "prefer", ["'prefer'", "did you mean 'preferred'?", "preferred, required, none"]),
        ("prefer", "x", ["preferred, required, none"]),
        ("", None, ["prefer, require, ignore"]),
    ],
)
def test_other_words_for_nodes(match: str | None, default: str | None, words: list[str]) -> None:
    """Another word is a ValueError, as it was, and names those that there are."""
    with pytest.raises(ValueError, match="Attribute must be one of") as caught:
        classic_arguments.affinity(match, default)
    assert isinstance(caught.value, errors.InvalidArgumentError)
    assert [word for word in words if word not in str(caught.value)] == []


# Judging ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [RuntimeError, ValueError, errors.DeployModeError])
@pytest.mark.parametrize("mode", ["locale", "Local", "", 3])
def test_other_deploy_modes(kind: type[Exception], mode: Any) -> None:
    """Another mode is a RuntimeError, as it was, and a ValueError, as all that can't be meant."""
    with pytest.raises(kind, match="Unknown deploy mode") as caught:
        classic_arguments.deploy_mode(mode)
    assert "'remote' (the scheduler in a pod)" in str(caught.value)


def test_deploy_mode() -> None:
    """The argument counts, else the configuration, which says remote."""
    assert classic_arguments.deploy_mode(None) == "remote"
    with dask.config.set({"kubernetes.deploy-mode": "local"}):
        assert classic_arguments.deploy_mode(None) == "local"
        assert classic_arguments.deploy_mode("remote") == "remote"
    with dask.config.set({"kubernetes.deploy-mode": "locl"}), pytest.raises(RuntimeError, match="did you mean 'local'"):
        classic_arguments.deploy_mode(None)


def test_service_types() -> None:
    """The argument counts, else the configuration; another type is refused with the nearest."""
    assert classic_arguments.service_type(None) == "ClusterIP"
    with dask.config.set({"kubernetes.scheduler-service-type": "NodePort"}):
        assert classic_arguments.service_type(None) == "NodePort"
        assert classic_arguments.service_type("LoadBalancer") == "LoadBalancer"
    with pytest.raises(errors.InvalidArgumentError, match="did you mean 'LoadBalancer'"):
        classic_arguments.service_type("Loadbalancer")


@pytest.mark.parametrize(
    ("limit", "n", "expected"), [(None, 1000, 1000), (10, 5, 5), (10, 10, 10), (10, 11, 10), (0, 3, 0)]
)
def test_the_most_workers(limit: int | None, n: int, expected: int, caplog: pytest.LogCaptureFixture) -> None:
    """kubernetes.count.max caps a number of workers, and classic's words tell where it does."""
    with dask.config.set({"kubernetes.count.max": limit}), caplog.at_level(logging.INFO, "dask_kubernetes_helm"):
        assert classic_arguments.most() == limit
        assert classic_arguments.capped(n) == expected
    told = f"Tried to scale beyond maximum number of workers {n} > {limit}"
    assert (told in caplog.text) is (n != expected)


@pytest.mark.parametrize("limit", [-1, "many", 1.5, True])
def test_no_most(limit: Any) -> None:
    """A limit that is no number of workers is refused by its key."""
    refused = pytest.raises(errors.HelmClusterError, match=r"kubernetes\.count\.max")
    with dask.config.set({"kubernetes.count.max": limit}), refused:
        classic_arguments.most()


# Certificates -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "roles"), [("remote", ["scheduler", "worker"]), ("local", ["worker"])])
def test_certificates(mode: str, roles: list[str]) -> None:
    """The release gets the certificates of the roles that run in it, and values hold none of them."""
    security = Security.temporary()
    made = plan(deploy_mode=mode, security=security)
    assert made.certificates is not None
    files = {f"{role}.{suffix}" for role in roles for suffix in ("crt", "key")}
    assert made.certificates.data.keys() == {"ca.crt", *files}
    assert "PRIVATE KEY" not in repr(made)
    assert "BEGIN" not in repr([layer.mapping for layer in made.layers])


@pytest.mark.parametrize(("mode", "missing"), [("remote", "tls_scheduler_cert"), ("local", "tls_worker_cert")])
def test_certificates_that_are_missing(mode: str, missing: str) -> None:
    """A role of the release without its certificate is told before anything is made."""
    whole = Security.temporary()
    names = ("tls_ca_file", "tls_worker_cert", "tls_worker_key", "tls_scheduler_cert", "tls_scheduler_key")
    parts = {name: getattr(whole, name) for name in names if name != missing}
    with pytest.raises(errors.InvalidArgumentError, match=f"security has no {missing}"):
        plan(deploy_mode=mode, security=Security(**parts))


# How many workers ---------------------------------------------------------------------------------------

TOLD = ["dask-worker", "--nthreads", "4", "--memory-limit", "8 GB"]


@pytest.mark.parametrize(
    ("container", "wanted", "expected"),
    [
        ({"args": TOLD}, {}, []),
        ({"args": TOLD}, {"cores": 16}, [4]),
        ({"args": TOLD}, {"cores": 17}, [5]),
        ({"args": TOLD}, {"cores": 0}, [0]),
        ({"args": TOLD}, {"memory": "100 GB"}, [13]),
        ({"args": TOLD}, {"memory": 16e9}, [2]),
        ({"args": TOLD}, {"memory": 16_000_000_001}, [3]),
        ({"args": TOLD}, {"memory": "8 GB", "cores": 8}, [2, 1]),
        ({"resources": {"limits": {"cpu": "2", "memory": "4Gi"}}}, {"cores": 8, "memory": "16 GiB"}, [4, 4]),
        # What Dask is told comes before what Kubernetes allows.
        ({"args": TOLD, "resources": {"limits": {"cpu": "8", "memory": "16Gi"}}}, {"cores": 8}, [2]),
    ],
)
def test_workers_for(container: dict[str, Any], wanted: dict[str, Any], expected: list[int]) -> None:
    """So many workers have so many threads, or bytes, together; a part of one is a whole one."""
    found = classic_arguments.workers_for(arguments(template(**container)).template(), **wanted)
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize(("limit", "cores", "expected"), [("500m", 2, 2), ("1500m", 4, 2), (0.1, 3, 3)])
def test_a_part_of_a_core_is_a_thread(limit: Any, cores: int, expected: int) -> None:
    """A worker has as many threads as its CPU limit has cores, rounded up, as Kubernetes tells it."""
    told = arguments(template(resources={"limits": {"cpu": limit}}))
    assert classic_arguments.workers_for(told.template(), cores=cores) == [expected]


@pytest.mark.parametrize("wanted", [{"cores": 8}, {"memory": "8 GB"}], ids=str)
@pytest.mark.parametrize("container", [{}, {"resources": {"requests": {"cpu": "2", "memory": "4Gi"}}}], ids=str)
def test_workers_of_unknown_size(container: dict[str, Any], wanted: dict[str, Any]) -> None:
    """A template that sets no limit does not tell, and the error says what to give."""
    with pytest.raises(errors.InvalidArgumentError, match=r"does not tell how much .*--nthreads and --memory-limit"):
        classic_arguments.workers_for(arguments(template(**container)).template(), **wanted)


@pytest.mark.parametrize("wanted", [{"memory": "much"}, {"memory": "8 XB"}, {"cores": "many"}], ids=str)
def test_amounts_that_are_none(wanted: dict[str, Any]) -> None:
    """What is no amount is refused by an error of ours."""
    with pytest.raises(errors.HelmClusterError):
        classic_arguments.workers_for(arguments(template(args=TOLD)).template(), **wanted)


# What is told -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (template(metadata={"finalizers": ["a/b"]}), "metadata.finalizers is left out"),
        (template({"activeDeadlineSeconds": 60}), "spec.activeDeadlineSeconds is left out"),
        (template(args=["sleep", "1"]), "No dask-worker was found"),
        (template(args=["dask-worker", "--name", "mine"]), "--name mine would name every worker"),
    ],
)
@local_or_remote
def test_what_is_carried_out_otherwise_is_told(given: Any, told: str, mode: str) -> None:
    """Each note of a translation is one TemplateWarning, though both roles have it."""
    with pytest.warns(errors.TemplateWarning) as caught:
        plan(given, deploy_mode=mode)
    texts = [str(item.message) for item in caught]
    assert len([text for text in texts if text.startswith(told)]) == 1
    assert len(texts) == len(set(texts))


def test_a_schedulers_notes_are_told() -> None:
    """What a scheduler's template can't have is told as well."""
    scheduler = template(args=["dask-scheduler", "--port", "9000"])
    with pytest.warns(errors.TemplateWarning, match="--port 9000 is left out"):
        plan(scheduler_pod_template=scheduler)


def test_restarts_are_not_told() -> None:
    """restartPolicy: Never, which every template of classic has, is no reason for a warning."""
    assert valued() == valued(template({"restartPolicy": "Never"}))
