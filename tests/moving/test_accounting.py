"""Whatever a file holds: each of its leaves is accounted for, and what counts as carried is in the values."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dask_kubernetes_helm.errors import HelmClusterError
from dask_kubernetes_helm.moving.tracing import Fate, Tracked
from tests.moving.convert import Converted, assert_accounted, mapping, target, text

API = "kubernetes.dask.org/v1"
Mark = Callable[[], str]
SLOW = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
#: Kubernetes' fields that both pods and dask/helm-chart's sections have, each with marks of its own.
SHARED: dict[str, Callable[[Mark], Any]] = {
    "env": lambda mark: [
        {"name": mark(), "value": mark()},
        {"name": mark(), "valueFrom": {"secretKeyRef": {"name": mark(), "key": mark()}}},
    ],
    "resources": lambda mark: {"limits": {f"example.com/{mark()}": 1, "cpu": 2}, "requests": {"memory": "1Gi"}},
    "livenessProbe": lambda mark: {"exec": {"command": [mark(), mark()]}},
    "readinessProbe": lambda mark: {"exec": {"command": [mark()]}, "unknown": mark()},
    "tolerations": lambda mark: [{"key": mark(), "operator": "Exists"}, {"key": mark(), "value": mark(), "unknown": 1}],
    "affinity": lambda mark: {
        "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": mark()}]}
    },
    "nodeSelector": lambda mark: {mark(): mark(), f"example.com/{mark()}": mark()},
    "securityContext": lambda mark: {"runAsUser": 7, "seLinuxOptions": {"level": mark()}, "bogus": mark()},
    "serviceAccountName": lambda mark: mark(),
}
VOLUMES = lambda mark: [{"name": mark(), "emptyDir": {}}, {"name": mark(), "secret": {"secretName": mark()}}]  # noqa: E731
WORDS = [
    "--preload",
    "--nthreads",
    "--no-nanny",
    "--resources",
    "--name",
    "--death-timeout",
    "--idle-timeout",
    "--bogus",
    "7",
]


@st.composite
def some(draw: st.DrawFn, table: dict[str, Callable[[Mark], Any]], mark: Mark) -> dict[str, Any]:
    """Some of a table's keys; now and then one that is empty, or unknown."""
    chosen = draw(st.lists(st.sampled_from(sorted(table)), unique=True, max_size=6))
    found = {key: table[key](mark) for key in chosen}
    for key in draw(st.lists(st.sampled_from(sorted(table)), unique=True, max_size=2)):
        found.setdefault(key, draw(st.sampled_from([None, {}, [], ""])))
    if draw(st.booleans()):
        found[mark()] = draw(st.sampled_from([mark(), {mark(): [mark(), {}]}, None, 0, False]))
    return found


def arguments(draw: st.DrawFn, mark: Mark) -> list[Any]:
    words = draw(st.lists(st.sampled_from(WORDS), max_size=4))
    return [word for flag in words for word in ([flag] if draw(st.booleans()) else [flag, mark()])]


def marks() -> Mark:
    count = itertools.count(100)
    return lambda: f"m{next(count)}m"


@st.composite
def chart_values(draw: st.DrawFn) -> dict[str, Any]:
    mark = marks()
    role: dict[str, Callable[[Mark], Any]] = {
        **SHARED,
        "image": lambda mark: {"repository": mark(), "tag": mark(), "pullSecrets": [{"name": mark()}], mark(): mark()},
        "replicas": lambda _: draw(st.sampled_from([0, 1, 4, "5", "many", -1])),
        "extraArgs": lambda mark: arguments(draw, mark),
        "metrics": lambda mark: {"enabled": draw(st.booleans()), mark(): {"interval": mark()}},
        "serviceType": lambda mark: draw(st.sampled_from(["NodePort", "LoadBalancer", mark()])),
        "loadBalancerIP": lambda mark: mark(),
        "name": lambda mark: mark(),
        "nanny": lambda _: draw(st.booleans()),
    }
    worker = {
        **role,
        "mounts": lambda mark: {
            "volumes": VOLUMES(mark),
            "volumeMounts": [{"name": mark(), "mountPath": f"/{mark()}"}],
        },
        "annotations": lambda mark: {mark(): mark()},
        "custom_scheduler_url": lambda mark: f"tcp://{mark()}:8786",
        "default_resources": lambda mark: {"cpu": draw(st.sampled_from([1, 2])), "memory": mark()},
        "strategy": lambda mark: {"type": "Recreate", mark(): mark()},
        "threads_per_worker": lambda _: draw(st.sampled_from([1, "2", 0])),
        "port": lambda _: 4040,
    }
    groups = [{"name": mark(), **draw(some(worker, mark))} for _ in range(draw(st.integers(0, 2)))]
    return {
        "scheduler": draw(some(role, mark)),
        "worker": draw(some(worker, mark)),
        "webUI": draw(st.sampled_from([{}, {"servicePort": 81}, {"ingress": {"enabled": True, "hostname": mark()}}])),
        "additional_worker_groups": groups,
        **draw(st.sampled_from([{}, {"jupyter": {"enabled": False, mark(): mark()}}, {mark(): {mark(): [mark()]}}])),
    }


@st.composite
def specs(draw: st.DrawFn, mark: Mark, command: str = "dask-worker") -> dict[str, Any]:
    """A pod's spec."""
    in_spec = ("tolerations", "affinity", "nodeSelector", "securityContext", "serviceAccountName")
    container = draw(some({key: make for key, make in SHARED.items() if key not in in_spec}, mark))
    table = {key: SHARED[key] for key in in_spec}
    table |= {
        "volumes": VOLUMES,
        "hostAliases": lambda mark: [{"ip": "10.0.0.1", "hostnames": [mark(), mark()]}],
        "restartPolicy": lambda _: "Never",
        "initContainers": lambda mark: [{"name": mark(), "image": mark(), "env": [{"name": mark(), "value": mark()}]}],
        "priorityClassName": lambda mark: mark(),
        "schedulerName": lambda mark: mark(),
        "activeDeadlineSeconds": lambda _: 60,
        "dnsConfig": lambda mark: {"searches": [mark()], mark(): mark()},
    }
    # An empty mapping or list where Kubernetes has text would be refused, which is another test's.
    spec = {key: item for key, item in draw(some(table, mark)).items() if item not in ({}, [], "")}
    main = {key: item for key, item in container.items() if item not in ({}, [], "")}
    words = arguments(draw, mark)
    name = draw(st.sampled_from([[], ["--name", "$(DASK_WORKER_NAME)"]])) if command == "dask-worker" else []
    return {
        **spec,
        "containers": [{"name": mark(), "image": f"{mark()}:{mark()}", **main, "args": [command, *name, *words]}],
    }


@st.composite
def pods(draw: st.DrawFn) -> dict[str, Any]:
    mark = marks()
    metadata = {
        "name": mark(),
        "labels": {mark(): mark()},
        "annotations": {mark(): mark()},
        "finalizers": [mark()],
        mark(): {mark(): 1},
    }
    kept = draw(st.lists(st.sampled_from(sorted(metadata)), unique=True))
    return {"kind": "Pod", "metadata": {key: metadata[key] for key in kept}, "spec": draw(specs(mark))}


@st.composite
def clusters(draw: st.DrawFn) -> list[dict[str, Any]]:
    mark = marks()
    ports = [{"name": "tcp-comm", "port": 8000, "nodePort": 30000}, {"name": mark(), "port": 1, mark(): mark()}]
    service = draw(
        st.sampled_from([{}, {"type": "NodePort", "selector": {mark(): mark()}, "ports": ports, "clusterIP": mark()}])
    )
    spec = {
        "worker": {"replicas": draw(st.integers(0, 3)), "spec": draw(specs(mark)), mark(): mark()},
        "scheduler": {"spec": draw(specs(mark, "dask-scheduler")), "service": service},
        "idleTimeout": draw(st.sampled_from([0, 60, mark()])),
    }
    found = [{"apiVersion": API, "kind": "DaskCluster", "metadata": {"name": "simple"}, "spec": spec}]
    for kind in draw(st.lists(st.sampled_from(["DaskWorkerGroup", "DaskAutoscaler", "Service"]), max_size=3)):
        own = (
            {"worker": {"replicas": 1, "spec": draw(specs(mark))}}
            if kind == "DaskWorkerGroup"
            else {"maximum": 3, mark(): mark()}
        )
        found.append(
            {"apiVersion": API, "kind": kind, "metadata": {"name": mark()}, "spec": {"cluster": "simple", **own}}
        )
    return found


def assert_carried(converted: Converted) -> None:
    """What counts as carried is in the values, by its mark; what was lost is not."""
    made = str(converted.values)
    for ledger in converted.ledgers:
        for path, fate in ledger.fates.items():
            leaf = Tracked.at(ledger, path)
            mark = next((part for part in reversed((*path, str(leaf.value))) if _is_mark(part)), None)
            if (
                fate is Fate.CARRIED
                and mark is not None
                and not any(f"{flag}" in str(path) for flag in ("args", "Args"))
            ):
                assert mark in made, (path, leaf.value)


def _is_mark(part: Any) -> bool:
    return isinstance(part, str) and part.startswith("m") and part.endswith("m") and part[1:-1].isdigit()


@SLOW
@given(chart_values())
def test_values_of_the_other_chart(given: dict[str, Any]) -> None:
    """Each leaf of dask/helm-chart's values is accounted for, and what comes out is what the schema takes."""
    converted = mapping(given, "helm-chart", target())
    assert_accounted(converted)
    assert_carried(converted)
    assert target().violations(converted.values) == []


@SLOW
@given(pods())
def test_pod_templates(given: dict[str, Any]) -> None:
    """Each leaf of a pod template is accounted for, and what comes out is what the schema takes."""
    converted = mapping(given, "pod", target())
    assert_accounted(converted)
    assert_carried(converted)
    assert target().violations(converted.values) == []


@SLOW
@given(clusters())
def test_manifests(documents: list[dict[str, Any]]) -> None:
    """Each leaf of the operator's manifests is accounted for, and what comes out is what the schema takes."""
    converted = text(yaml.safe_dump_all(documents, sort_keys=False), chart=target())
    assert_accounted(converted)
    assert_carried(converted)
    assert target().violations(converted.values) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9000) | st.sampled_from(["", "a", "b c", "$X", "1e3"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["spec", "image", "env", "name", "a", "containers", "limits", "tag", "args"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=10,
)
TOP = [
    "scheduler",
    "worker",
    "webUI",
    "jupyter",
    "additional_worker_groups",
    "spec",
    "metadata",
    "dask-gateway",
    "global",
    "x",
]


@SLOW
@pytest.mark.parametrize("kind", [None, "helm-chart", "daskhub", "pod", "daskcluster"])
@given(st.dictionaries(st.sampled_from(TOP), JSON, max_size=4))
def test_anything_at_all(kind: str | None, given: dict[str, Any]) -> None:
    """Any mapping is converted with each leaf accounted for, or refused in our words."""
    try:
        converted = mapping(given, kind, target())
    except HelmClusterError as error:
        assert "given.yaml" in str(error)  # noqa: PT017 - one of two good ends
    else:
        assert_accounted(converted)
        assert target().violations(converted.values) == []


POD = st.fixed_dictionaries(
    {
        "containers": st.lists(
            st.fixed_dictionaries({"image": st.just("a")}, optional={"env": JSON, "args": JSON, "ports": JSON}),
            max_size=2,
        )
    },
    optional={"volumes": JSON, "a": JSON},
)
ROLE = (
    st.fixed_dictionaries({"spec": POD | JSON}, optional={"replicas": JSON, "metadata": JSON, "service": JSON}) | JSON
)
SERVICE = {"name": JSON, "port": JSON, "targetPort": st.sampled_from([8786, "tcp-comm", 9]), "nodePort": JSON}
MANIFEST = st.fixed_dictionaries(
    {
        "apiVersion": st.just(API),
        "kind": st.sampled_from(["DaskCluster", "DaskJob", "DaskWorkerGroup", "DaskAutoscaler", "DaskNone"]),
    },
    optional={
        "metadata": JSON | st.fixed_dictionaries({"name": JSON, "labels": JSON, "annotations": JSON}),
        "spec": st.fixed_dictionaries(
            {},
            optional={
                "worker": ROLE,
                "scheduler": ROLE
                | st.fixed_dictionaries(
                    {
                        "spec": POD,
                        "service": st.fixed_dictionaries(
                            {"ports": st.lists(st.fixed_dictionaries({}, optional=SERVICE))}
                        ),
                    }
                ),
                "cluster": JSON
                | st.fixed_dictionaries({"spec": st.fixed_dictionaries({"worker": ROLE, "scheduler": ROLE})}),
                "idleTimeout": JSON,
                "minimum": JSON,
                "maximum": JSON,
                "job": JSON,
            },
        ),
    },
)


@SLOW
@given(st.lists(MANIFEST, min_size=1, max_size=3))
def test_any_manifest(documents: list[dict[str, Any]]) -> None:
    """The operator's kinds with anything in them come to an account of each leaf, or are refused in our words."""
    try:
        converted = text(yaml.safe_dump_all(documents), chart=target())
    except HelmClusterError as error:
        assert "given.yaml" in str(error)  # noqa: PT017 - one of two good ends
    else:
        assert_accounted(converted)
        assert target().violations(converted.values) == []
