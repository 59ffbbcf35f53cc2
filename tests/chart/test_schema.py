"""values.yaml, values.schema.json, everything.yaml and the templates speak of the same keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from dask_kubernetes_helm.chartvalues.values import merge
from tests.chart import golden, monitoring, schema
from tests.chart.helm import CHART, ENVIRONMENTS, EVERYTHING, VALUES, Object, attempt, render, run, text

DEFAULTS: Object = yaml.safe_load((CHART / "values.yaml").read_text())
MOST: Object = yaml.safe_load(EVERYTHING.read_text())
SCHEMA: Object = json.loads((CHART / "values.schema.json").read_text())
#: Kubernetes' own objects: their keys are its own, and any of them may be given.
FREE = ("securityContext", "containerSecurityContext", "startupProbe", "readinessProbe", "livenessProbe", "strategy")
#: What is one value to the chart: each alert has the same keys, and labels are anybody's.
FREE += ("alerts", "labels")


def _closed(node: Object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Object]]:
    """Every property that the schema names, and where."""
    for name, inner in node.get("properties", {}).items():
        yield (*path, name), inner
        yield from _closed(inner, (*path, name))


def _leaves(values: Object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value that the chart itself gives a meaning to, and where."""
    for name, value in values.items():
        if isinstance(value, dict) and value and name not in FREE:
            yield from _leaves(value, (*path, name))
        else:
            yield (*path, name), value


def _at(values: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        values = values[name]
    return values


def _with(path: tuple[str, ...], value: Any) -> Object:
    for name in reversed(path):
        value = {name: value}
    return dict(value)


LEAVES = dict(_leaves(DEFAULTS))
#: What everything.yaml leaves as it is: there is no other value, or it would forbid others; other tests change it.
KEPT = (
    ("scheduler", "dashboard"),
    *((part, "service", "clusterIP") for part in ("scheduler", "webUI", "jupyter")),
    ("jupyter", "rbac", "create"),
    ("jupyter", "persistence", "existingClaim"),
    ("scheduler", "enabled"),
    ("scheduler", "replicas"),
    ("agent", "enabled"),
    ("worker", "adaptive", "enabled"),
    ("networkPolicy", "enabled"),
    ("scheduler", "podDisruptionBudget", "enabled"),
    ("tls", "enabled"),
    ("tls", "certManager", "enabled"),
    ("tests", "enabled"),
)
#: The same of what leads in from outside, and of notebooks.
WAYS_IN: dict[str, Object] = {
    "jupyter": {"jupyter": {"enabled": True, "token": {"secretName": "s"}}},
    "networkPolicy.jupyter": {"jupyter": {"enabled": True, "token": {"secretName": "s"}}},
    "jupyter.persistence": {"jupyter": {"persistence": {"enabled": True}}},
    **{
        f"{part}.service": {part: {"serviceType": "LoadBalancer"}, "scheduler": {"serviceType": "LoadBalancer"}}
        for part in ("scheduler", "webUI", "jupyter")
    },
    **{
        f"{part}.{key}": {part: {"serviceType": "LoadBalancer"}}
        for part in ("scheduler", "webUI", "jupyter")
        for key in ("loadBalancerIP", "serviceAnnotations")
    },
    **{f"{part}.ingress": {part: {"ingress": {"enabled": True}}} for part in ("webUI", "jupyter")},
    **{f"{part}.ingress.tls": {part: {"ingress": {"tls": {"enabled": True}}}} for part in ("webUI", "jupyter")},
    **{
        f"{part}.httpRoute": {part: {"httpRoute": {"enabled": True, "parentRefs": [{"name": "g"}]}}}
        for part in ("webUI", "jupyter")
    },
    "webUI.ingress.tls.enabled": {"webUI": {"ingress": {"hosts": ["h"]}}},
    **{f"{part}.httpRoute.https": {part: {"httpRoute": {"hostnames": ["h"]}}} for part in ("webUI", "jupyter")},
}
#: What shows in certificates, which renders are compared without, and what lets a render be: see test_tls_sources.py.
MADE = (("tls", "generated", "validityDays"), ("tls", "generated", "offline"))
#: Values that mean something beside others only, by where those are.
BESIDE: dict[tuple[str, ...], Object] = {
    **{
        ("metrics", kind): {"metrics": {kind: {"enabled": True}}}
        for kind in ("serviceMonitor", "podMonitor", "prometheusRule", "dashboards")
    },
    ("tls", "keys"): {"tls": {"secretName": "s"}},
    ("tls", "certManager"): {"tls": {"certManager": {"enabled": True}}},
    ("networkPolicy", "egress"): {"networkPolicy": {"egress": {"restricted": True}}},
    ("networkPolicy", "client", "outside"): {"scheduler": {"serviceType": "NodePort"}},
    ("worker", "podDisruptionBudget"): {
        "worker": {"podDisruptionBudget": {"enabled": True, "minAvailable": 3, "maxUnavailable": None}}
    },
    **{tuple(place.split(".")): given for place, given in WAYS_IN.items()},
}


def test_the_schema_is_one() -> None:
    """The schema keeps to its own draft."""
    jsonschema.Draft7Validator.check_schema(SCHEMA)


def test_generated_files_are_fresh() -> None:
    """The schema and the golden renders are what `make generate` writes."""
    assert schema.generate() == schema.SCHEMA.read_text()
    assert golden.stale() == []


def test_schema_and_values_name_the_same_keys() -> None:
    """Defaults and schema name the same keys, but for `global`, which is Helm's."""
    named = {path for path, _ in _closed(SCHEMA)}
    given = {path[:depth] for path in LEAVES for depth in range(1, len(path) + 1)}
    # Inside of env, resources, pullSecrets and overlays the schema knows the keys of items that no default has.
    open_ones = {
        "env",
        "resources",
        "pullSecrets",
        "podTemplate",
        "serviceTemplate",
        "namespaceSelector",
        "issuerRef",
    } | {"alerts"}
    inner = {path for path in named if open_ones & set(path[:-1])}
    assert given == named - inner - {("global",)}


def test_every_level_is_closed() -> None:
    """A key that nobody knows is refused at every level, but in Kubernetes' own objects and maps of strings."""
    assert SCHEMA["additionalProperties"] is False
    nodes = [(path, node) for path, node in _closed(SCHEMA) if "properties" in node]
    assert [path for path, node in nodes if node.get("additionalProperties") is not False] == []
    assert ("worker", "mounts") in dict(nodes)


def test_kubernetes_own_objects_are_closed() -> None:
    """Every kind that the schema has of Kubernetes' is closed, is referred to, and the schema stays small."""
    kinds = {name: node for name, node in SCHEMA["definitions"].items() if "properties" in node}
    assert [name for name, node in kinds.items() if node["additionalProperties"] is not False] == []
    text = json.dumps(SCHEMA)
    assert [name for name in SCHEMA["definitions"] if f'"#/definitions/{name}"' not in text] == []
    assert len(text) < 150_000


@pytest.mark.parametrize("program", ["helm", "helm3"])
@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"env": [{"name": "A", "vale": "b"}]}, ["/worker/env/0", "'vale'"]),
        ({"tolerations": [{"key": "a", "operator": "Exist"}]}, ["/worker/tolerations/0/operator", "'Exists'"]),
        ({"mounts": {"volumes": [{"name": "a", "emptyDir": {}, "hostPath": {"path": "/a"}}]}}, ["volumes/0", "max"]),
        ({"affinity": {"nodeAffinity": {"required": {}}}}, ["/worker/affinity/nodeAffinity", "'required'"]),
        ({"readinessProbe": {"tcpSocket": {"port": 0}}}, ["/worker/readinessProbe/tcpSocket/port"]),
        ({"groups": {"gpu": {"resources": {"limits": {"cpu": "two"}}}}}, ["/gpu/resources/limits/cpu"]),
        ({"initContainers": [{"name": "a"}]}, ["/worker/initContainers/0", "image"]),
    ],
)
def test_both_helms_judge_kubernetes_own_objects(program: str, values: Object, words: list[str]) -> None:
    """Helm 3 and 4 follow the schema into what is Kubernetes' own, in groups as well, and name the place."""
    told = run(
        "template",
        "r",
        str(CHART),
        "--kube-version",
        "1.34.0",
        "--values=-",
        helm=program,
        text=json.dumps({"worker": values}),
    )
    assert told.returncode != 0
    assert [word for word in words if word not in told.stderr] == [], told.stderr


def test_every_key_is_described() -> None:
    """Every key of the schema says what it is for, and in values.yaml every one has its comment."""
    assert [path for path, node in _closed(SCHEMA) if not node.get("description")] == []
    said = schema.descriptions()
    assert [path for path in LEAVES if not said.get(".".join(path))] == []


def test_both_roles_share_their_keys() -> None:
    """What one role can be given the other can too, but for what only one of them has."""
    scheduler, worker = DEFAULTS["scheduler"].keys(), DEFAULTS["worker"].keys()
    service = {"serviceType", "servicePort", "serviceAnnotations", "loadBalancerIP", "service", "serviceTemplate"}
    assert {*service, "enabled", "safeToEvict"} == scheduler - worker
    own = {"threads_per_worker", "memory_limit", "nanny", "custom_scheduler_url", "portDashboard", "strategy"}
    own |= {"groups", "adaptive", "daskResources"}
    assert own == worker - scheduler


def test_everything_has_every_key() -> None:
    """everything.yaml gives each key a value that isn't its default, so that no test of it is vacuous."""
    assert [path for path, _ in _closed(SCHEMA) if path[-1] != "valueFrom" and not _reaches(MOST, path)] == []
    same = {path for path, value in LEAVES.items() if _at(MOST, path) == value}
    assert set(KEPT) == same


def _reaches(values: Any, path: tuple[str, ...]) -> bool:
    """Whether a path of the schema occurs; what stands for a list's items need occur in one of them."""
    if not path:
        return True
    if isinstance(values, list):
        return any(_reaches(item, path) for item in values)
    return path[0] in values and _reaches(values[path[0]], path[1:])


@pytest.mark.parametrize("path", [path for path in LEAVES if path not in KEPT + MADE], ids=".".join)
def test_every_value_is_used(path: tuple[str, ...]) -> None:
    """A value that is changed changes what is rendered, or is refused for want of another."""
    value = _with(path, _at(MOST, path))
    beside = merge(*(given for at, given in BESIDE.items() if at == path[: len(at)] and merge(given, value) != given))
    code, said = attempt(merge(beside, value))
    assert text(beside) != said
    if code:
        assert f"{'.'.join(path)}" in said


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_environments_say_only_what_differs(name: str) -> None:
    """An environment's file says whom it is for first, names the schema, and repeats no default."""
    lines = (VALUES / f"{name}.yaml").read_text().splitlines()
    assert lines[0].startswith("# For ")
    assert "# yaml-language-server: $schema=../chart/values.schema.json" in lines
    leaves = dict(_leaves(yaml.safe_load("\n".join(lines))))
    assert [
        path for path, value in leaves.items() if LEAVES.get(path) == value and path != ("worker", "replicas")
    ] == []


@pytest.mark.parametrize("name", [*ENVIRONMENTS, "everything", "default"])
def test_kubernetes_knows_every_field(name: str) -> None:
    """Every object is valid by the strict schemas of Kubernetes 1.34 (claims of devices aside)."""
    files = {"everything": (EVERYTHING,), "default": ()}.get(name, (VALUES / f"{name}.yaml",))
    # Neither is Kubernetes' own; tests/cluster/test_exposure.py has a real API server judge HTTPRoutes.
    foreign = ("cert-manager.io/", "gateway.networking.k8s.io/")
    own = [item for item in render({}, *files) if not item["apiVersion"].startswith(foreign)]
    for item in own:
        if item["kind"] not in monitoring.OBJECTS:  # test_metrics.py has the schema of those
            kubernetes_validate.validate(item, "1.34", strict=True)
