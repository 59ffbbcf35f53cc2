"""Objects: which there are, what they are called, how they are labelled, and who selects whom."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dask_kubernetes_helm import contract
from tests.chart.helm import CHART, ENVIRONMENTS, EVERYTHING, VALUES, Object, deployment, one, refusal, render

ROLES = ("scheduler", "worker")
FILES = {"default": (), "everything": (EVERYTHING,), **{name: (VALUES / f"{name}.yaml",) for name in ENVIRONMENTS}}
every_file = pytest.mark.parametrize("files", FILES.values(), ids=FILES)

DNS_LABEL = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
LABEL_VALUE = r"[A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?"


def _labels(item: Object) -> dict[str, str]:
    return dict(item["metadata"]["labels"])


def _selects(selector: dict[str, str], item: Object) -> bool:
    return selector.items() <= _labels(item["spec"]["template"]).items()


def _selectors(objects: list[Object]) -> list[tuple[str, dict[str, str]]]:
    deployments = [item for item in objects if item["kind"] == "Deployment"]
    services = [item for item in objects if item["kind"] == "Service"]
    return [(_component(item), item["spec"]["selector"]["matchLabels"]) for item in deployments] + [
        (_component(item), item["spec"]["selector"]) for item in services
    ]


def _component(item: Object) -> str:
    return _labels(item)[contract.COMPONENT_LABEL]


def test_what_there_is() -> None:
    """Two Deployments, a Service, accounts, files, policies, certificates, the agent's Role, and a test."""
    expected = [
        ("ConfigMap", "agent"),
        ("ConfigMap", "pod-files"),
        ("Deployment", "scheduler"),
        ("Deployment", "worker"),
        ("NetworkPolicy", "scheduler"),
        ("NetworkPolicy", "test"),
        ("NetworkPolicy", "worker"),
        ("Pod", "test"),
        ("PodDisruptionBudget", "scheduler"),
        ("Role", "agent"),
        ("RoleBinding", "agent"),
        ("Secret", "tls"),
        ("Secret", "tls"),
        ("Service", "scheduler"),
        ("ServiceAccount", "scheduler"),
        ("ServiceAccount", "worker"),
    ]
    assert expected == sorted((item["kind"], _component(item)) for item in render())


@every_file
def test_marks_of_the_contract(files: tuple[Path, ...]) -> None:
    """Python finds every object by the labels and the ports by the names that it is promised."""
    objects = render({}, *files)
    for item in objects:
        found = _labels(item)
        assert found[contract.PART_OF_LABEL] == contract.PART_OF
        assert found[contract.INSTANCE_LABEL] == "demo"
        parts = {contract.AGENT, contract.DASHBOARD, contract.JUPYTER, contract.METRICS, contract.TEST}
        assert found[contract.COMPONENT_LABEL] in {*ROLES, *parts, "pod-files", "tls"}
    common = {"ServiceAccount", "NetworkPolicy"}
    workers = [item for item in objects if _component(item) == "worker" and item["kind"] not in common]
    groups = {contract.DEFAULT_GROUP} | ({"gpu"} if {EVERYTHING, VALUES / "gpu.yaml"} & {*files} else set())
    assert groups == {_labels(item)[contract.GROUP_LABEL] for item in workers}
    services = [item for item in objects if item["kind"] == "Service" and _component(item) != contract.JUPYTER]
    assert _component(services[-1]) == "scheduler"
    ports = [port["name"] for item in reversed(services) for port in item["spec"]["ports"]]
    assert ports == [contract.COMM_PORT_NAME, contract.DASHBOARD_PORT_NAME]
    listening = one(objects, "Deployment", "scheduler")["spec"]["template"]["spec"]["containers"][0]["ports"]
    expected = {contract.COMM_PORT_NAME: contract.COMM_PORT, contract.DASHBOARD_PORT_NAME: contract.DASHBOARD_PORT}
    assert expected.items() <= {port["name"]: port["containerPort"] for port in listening}.items()


@every_file
def test_installing_needs_what_the_package_asks_for(files: tuple[Path, ...]) -> None:
    """The kinds that are rendered are those that Python checks the user's permissions for, but for hooks'."""

    def kinds(*files: Path) -> set[tuple[str, str]]:
        plural = {"NetworkPolicy": "networkpolicies", "Ingress": "ingresses"}
        objects = [item for item in render({}, *files) if "helm.sh/hook" not in item["metadata"].get("annotations", {})]
        found = ((item["apiVersion"].rpartition("/")[0], item["kind"]) for item in objects)
        # cert-manager's kinds are asked for by values only, and helm tells whoever may not make them.
        return {(group, plural.get(kind, f"{kind.lower()}s")) for group, kind in found if group != "cert-manager.io"}

    # Helm's own records are Secrets, so the right to those is asked for in any case.
    asked = set(contract.INSTALLED) | {("", "secrets")}
    assert kinds(*files) <= {*asked, contract.CLAIMS, *contract.ROUTES.values(), *contract.MONITORS.values()}
    assert asked == kinds()


@every_file
def test_metadata_is_valid(files: tuple[Path, ...]) -> None:
    """Every object carries the whole set of labels, and every name and value keeps to Kubernetes' rules."""
    expected = {"name", "instance", "component", "part-of", "managed-by", "version"}
    for item in render({}, *files):
        assert re.fullmatch(DNS_LABEL, item["metadata"]["name"])
        # Where everything is on, those are in a namespace of their own.
        assert ("namespace" in item["metadata"]) is (_component(item) == contract.METRICS)
        found = _labels(item)
        assert {f"app.kubernetes.io/{name}" for name in expected} | {"helm.sh/chart"} <= found.keys()
        assert [value for value in found.values() if not re.fullmatch(LABEL_VALUE, value)] == []


@every_file
def test_selectors_hold_no_version(files: tuple[Path, ...]) -> None:
    """Selectors can't change, and a pod that carried a version would be replaced by every new chart."""
    objects = render({}, *files)
    for _, selector in _selectors(objects):
        assert {"helm.sh/chart", "app.kubernetes.io/version", "app.kubernetes.io/managed-by"} & selector.keys() == set()
    for role in ROLES:
        labels = _labels(one(objects, "Deployment", role)["spec"]["template"])
        assert {"helm.sh/chart", "app.kubernetes.io/version"} & labels.keys() == set()


@every_file
def test_selectors_take_their_own_pods_only(files: tuple[Path, ...]) -> None:
    """Each selector takes the pods of its own role and release, and no others of two releases in one namespace."""
    releases = {release: render({}, *files, release=release) for release in ("one", "two")}
    pods = [
        (release, _component(item), item)
        for release, objects in releases.items()
        for item in objects
        if item["kind"] == "Deployment"
    ]
    for release, objects in releases.items():
        for component, selector in _selectors(objects):
            taken = [(owner, role) for owner, role, item in pods if _selects(selector, item)]
            # The dashboard is a part of the scheduler.
            assert [(release, component.replace(contract.DASHBOARD, "scheduler"))] == taken


def test_two_releases_share_no_name() -> None:
    """Two releases fit into one namespace."""
    names = [(item["kind"], item["metadata"]["name"]) for name in ("one", "two") for item in render(release=name)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("release", "values", "expected"),
    [
        ("demo", {}, "demo-dask-worker"),
        ("dask", {}, "dask-worker"),
        ("my-dask-1", {}, "my-dask-1-worker"),
        ("demo", {"nameOverride": "compute"}, "demo-compute-worker"),
        ("demo", {"fullnameOverride": "grid"}, "grid-worker"),
        ("a" * 53, {}, "a" * 53 + "-worker"),
        ("a" * 50 + "bcd", {"nameOverride": "d"}, "a" * 50 + "bcd-worker"),
        ("a" * 52, {}, "a" * 52 + "-worker"),
    ],
)
def test_names(release: str, values: dict[str, Any], expected: str) -> None:
    """The prefix is the release's name, with the chart's where that is not in it, or the override."""
    assert expected == deployment("worker", values, release=release)["metadata"]["name"]


@settings(max_examples=40, deadline=None)
@given(release=st.from_regex(r"\A[a-z][-a-z0-9]{0,51}[a-z0-9]\Z"), override=st.from_regex(r"\A([a-z]{1,60})?\Z"))
def test_names_fit(release: str, override: str) -> None:
    """Whatever the release is called, no name is too long or malformed."""
    for item in render({"nameOverride": override}, release=release):
        assert re.fullmatch(DNS_LABEL, item["metadata"]["name"])


@pytest.mark.parametrize("release", ["1st", "a.b"])
def test_names_that_no_service_can_have(release: str) -> None:
    """Helm allows releases whose names no Service can have; they are refused, not half installed."""
    assert "Choose another release name, or set fullnameOverride" in refusal({}, release=release)


def test_a_new_chart_restarts_no_pod(tmp_path: Path) -> None:
    """A chart that differs in nothing but its version leaves every pod template and selector as it is."""
    newer = tmp_path / "chart"
    shutil.copytree(CHART, newer)
    metadata = yaml.safe_load((CHART / "Chart.yaml").read_text())
    (newer / "Chart.yaml").write_text(yaml.safe_dump({**metadata, "version": "9.9.9"}))
    for role in ROLES:
        old, new = deployment(role), deployment(role, chart=newer)
        assert _labels(new)["helm.sh/chart"] == "dask-9.9.9"
        assert old["spec"] == new["spec"]


def test_one_scheduler() -> None:
    """There is never a second scheduler, nor one beside its successor, and workers reach it before it is Ready."""
    spec = deployment("scheduler")["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "Recreate"}
    assert one(render(), "Service", "scheduler")["spec"]["publishNotReadyAddresses"] is True


@pytest.mark.parametrize("count", [0, 1, 3, 500])
def test_replicas(count: int) -> None:
    """worker.replicas is the number of workers at install, 0 included."""
    assert count == deployment("worker", {"worker": {"replicas": count}})["spec"]["replicas"]


def test_replicas_of_somebody_else() -> None:
    """With worker.replicas: null the field isn't there at all."""
    assert "replicas" not in deployment("worker", {"worker": {"replicas": None}})["spec"]


def test_service() -> None:
    """The Service's type, ports, annotations and address are values, and lead to the same ports of the pod."""
    values = {
        "webUI": {"servicePort": 80},
        "scheduler": {
            "serviceType": "LoadBalancer",
            "servicePort": 9000,
            "serviceAnnotations": {"a": "b"},
            "loadBalancerIP": "192.0.2.1",
        },
    }
    service = one(render(values), "Service", "scheduler")
    assert service["spec"]["type"] == "LoadBalancer"
    assert service["spec"]["loadBalancerIP"] == "192.0.2.1"
    assert service["metadata"]["annotations"] == {"a": "b"}
    ports = [(port["port"], port["targetPort"]) for port in service["spec"]["ports"]]
    assert ports == [(9000, "tcp-comm"), (80, "http-dashboard")]


def test_accounts() -> None:
    """Each role has an account of its own with no token, unless one is named; annotations go to the chart's own."""
    objects = render({"worker": {"serviceAccountName": "mine"}, "scheduler": {"serviceAccountAnnotations": {"a": "b"}}})
    (account,) = (item for item in objects if item["kind"] == "ServiceAccount")
    assert account["metadata"]["name"] == "demo-dask-scheduler"
    assert account["metadata"]["annotations"] == {"a": "b"}
    assert account["automountServiceAccountToken"] is False
    used = {role: one(objects, "Deployment", role)["spec"]["template"]["spec"]["serviceAccountName"] for role in ROLES}
    assert used == {"scheduler": "demo-dask-scheduler", "worker": "mine"}
