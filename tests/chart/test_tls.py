"""Certificates: who gets which file, by which variable Dask finds it, and that nothing of it is there without them."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

import kubernetes_validate
import pytest

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.chartvalues.values import merge
from tests.chart.helm import Object, one, refusal, render

PREFIX = "DASK_DISTRIBUTED__COMM__"
KEYS = {
    "ca": "authority.pem",
    "schedulerCert": "s.crt",
    "schedulerKey": "s.key",
    "workerCert": "w.crt",
    "workerKey": "w.key",
}
TLS: Object = {"tls": {"secretName": "certificates", "keys": KEYS}}
GROUPS: Object = {"worker": {"groups": {"gpu": {"replicas": 0}}}}
LOCAL: Object = {
    "scheduler": {"enabled": False},
    "worker": {"custom_scheduler_url": "tls://192.0.2.1:40000"},
    "lifecycle": {"noClientTimeout": 60, "owner": {"name": "mine", "uid": "11111111-2222-3333-4444-555555555555"}},
}
every_role = pytest.mark.parametrize("role", ["scheduler", "worker"])


def _pods(values: Object, **where: Any) -> dict[str, Object]:
    """Specs of pods by component, a group's by its name."""
    found = {}
    for item in render(values, **where):
        if item["kind"] == "Deployment":
            labels = item["metadata"]["labels"]
            component, group = labels[contract.COMPONENT_LABEL], labels.get(contract.GROUP_LABEL, "default")
            found[component if group == "default" else group] = item["spec"]["template"]["spec"]
    return found


def _files(spec: Object) -> set[str]:
    """The files of the Secret that a pod has."""
    (volume,) = (volume for volume in spec["volumes"] if "secret" in volume)
    assert volume["secret"]["secretName"] == "certificates"
    assert all(item["key"] == item["path"] for item in volume["secret"]["items"])
    return {item["path"] for item in volume["secret"]["items"]}


def _variables(spec: Object) -> dict[str, str]:
    """Dask's configuration of comms in a pod's main container, without the prefix."""
    env = spec["containers"][0]["env"]
    return {item["name"].removeprefix(PREFIX): item["value"] for item in env if item["name"].startswith(PREFIX)}


@pytest.mark.parametrize("helm", ["helm", "helm3"])
def test_each_role_gets_its_own_files_only(helm: str) -> None:
    """The authority's certificate is for all, and nobody has another role's key: users' code runs there."""
    pods = _pods(merge(TLS, GROUPS), helm=helm)
    worker = {"authority.pem", "w.crt", "w.key"}
    files = {name: _files(spec) for name, spec in pods.items()}
    assert files == {"scheduler": {"authority.pem", "s.crt", "s.key"}, "worker": worker, "gpu": worker}


def test_the_reaper_has_the_workers_certificate() -> None:
    """Where there is no scheduler its files are nobody's; the reaper connects with the workers'."""
    pods = _pods(merge(LOCAL, TLS))
    assert pods.keys() == {"reaper", "worker"}
    assert _files(pods["reaper"]) == _files(pods["worker"]) == {"authority.pem", "w.crt", "w.key"}
    assert _variables(pods["reaper"]) == _variables(pods["worker"])


@every_role
def test_variables(role: str) -> None:
    """Dask refuses unencrypted comms, and finds each file by the variable of its role; a worker is a client as well."""
    folder = "/etc/dask-tls"
    own = {"scheduler": {"SCHEDULER": "s"}, "worker": {"WORKER": "w", "CLIENT": "w"}}[role]
    expected = {"DEFAULT_SCHEME": "tls", "REQUIRE_ENCRYPTION": "true", "TLS__CA_FILE": f"{folder}/authority.pem"}
    for name, file in own.items():
        expected |= {f"TLS__{name}__CERT": f"{folder}/{file}.crt", f"TLS__{name}__KEY": f"{folder}/{file}.key"}
    assert expected == _variables(_pods(TLS)[role])


@pytest.mark.parametrize(("values", "names"), [({}, ["scheduler", "worker"]), (LOCAL, ["reaper", "worker"])])
def test_every_variable_names_a_mounted_file(values: Object, names: list[str]) -> None:
    """What Dask is told to read is there: mounted read-only from the Secret, in the main container only."""
    beside = {"extraContainers": [{"name": "beside", "image": "i"}]}
    pods = _pods(merge(values, TLS, {"worker": beside}))
    assert names == sorted(pods)
    for spec in pods.values():
        main, *others = spec["containers"]
        (mount,) = (mount for mount in main["volumeMounts"] if mount["name"] == "dask-tls")
        assert mount["readOnly"] is True
        told = [PurePosixPath(value) for value in _variables(spec).values() if value.startswith("/")]
        assert {str(path.parent) for path in told} == {mount["mountPath"]}
        assert _files(spec) == {path.name for path in told}
        assert "dask-tls" not in json.dumps(others)


def test_the_address_is_encrypted() -> None:
    """Workers go to tls://, and where they are sent elsewhere the address stays as it is."""
    pods = _pods(merge(TLS, GROUPS, {"scheduler": {"servicePort": 9000}}))
    for name in ("worker", "gpu"):
        (address,) = (
            item["value"] for item in pods[name]["containers"][0]["env"] if item["name"] == "DASK_SCHEDULER_ADDRESS"
        )
        assert address == "tls://demo-dask-scheduler:9000"
    elsewhere = _pods(merge(TLS, {"worker": {"custom_scheduler_url": "tls://other:1"}}))["worker"]
    assert elsewhere["containers"][0]["env"][0]["value"] == "tls://other:1"


@every_role
def test_a_certificate_for_all(role: str) -> None:
    """By default the Secret is one of type kubernetes.io/tls, whose one certificate all roles have, no file twice."""
    spec = _pods({"tls": {"secretName": "certificates"}})[role]
    (volume,) = (volume for volume in spec["volumes"] if volume["name"] == "dask-tls")
    assert [item["key"] for item in volume["secret"]["items"]] == ["ca.crt", "tls.crt", "tls.key"]


@pytest.mark.parametrize("helm", ["helm", "helm3"])
@every_role
def test_one_file_for_several_keys(role: str, helm: str) -> None:
    """A bundle that is authority, certificate and key in one is mounted once."""
    keys = dict.fromkeys(KEYS, "all.pem")
    assert _files(_pods({"tls": {"secretName": "certificates", "keys": keys}}, helm=helm)[role]) == {"all.pem"}


@every_role
def test_a_variable_of_the_users_is_the_users(role: str) -> None:
    """A variable that the user sets is there once, with the user's value."""
    own = {"name": f"{PREFIX}REQUIRE_ENCRYPTION", "value": "false"}
    env = _pods(merge(TLS, {role: {"env": [own]}}))[role]["containers"][0]["env"]
    assert [item for item in env if item["name"] == own["name"]] == [own]


@pytest.mark.parametrize("values", [{}, GROUPS, LOCAL], ids=["plain", "groups", "local"])
def test_nothing_of_it_where_it_is_off(values: Object) -> None:
    """One value turns it off: there is neither variable, volume nor mount, whatever else is said."""
    if values is LOCAL:
        values = merge(LOCAL, {"worker": {"custom_scheduler_url": "tcp://192.0.2.1:40000"}})
    plain = render(merge(values, {"tls": {"enabled": False}}))
    everything = {"enabled": False, "secretName": "s", "keys": KEYS, "generated": {"generation": 2, "offline": False}}
    assert plain == render(merge(values, {"tls": everything}))
    said = json.dumps([item for item in plain if item["metadata"]["labels"][contract.COMPONENT_LABEL] != "pod-files"])
    for word in ("dask-tls", "client-tls", "cert-manager", "Secret", "__TLS__", "ENCRYPTION", "DEFAULT_SCHEME"):
        assert word not in said


def test_restricted_all_the_same() -> None:
    """A Secret that is mounted takes nothing from what the chart restricts."""
    before, after = _pods({"tls": {"enabled": False}}), _pods(TLS)
    for role, spec in before.items():
        for key in ("securityContext", "automountServiceAccountToken"):
            assert spec[key] == after[role][key]


@pytest.mark.parametrize("values", [TLS, merge(LOCAL, TLS), merge(TLS, GROUPS)], ids=["plain", "local", "groups"])
def test_kubernetes_knows_every_field(values: Object) -> None:
    """Every object is valid by the strict schemas of Kubernetes 1.34."""
    for item in render(values):
        kubernetes_validate.validate(item, "1.34", strict=True)


def test_files_that_a_secret_can_not_have() -> None:
    """A Secret's name that can't be is refused at its path, and so is a key that nobody knows."""
    assert "/tls/secretName" in refusal({"tls": {"secretName": "Not A Name"}})
    assert "'cert' not allowed" in refusal({"tls": {"secretName": "s", "keys": {"cert": "x"}}})


def test_the_probe_asks_without_a_certificate() -> None:
    """The dashboard stays on plain HTTP, which the kubelet asks."""
    main = one(render(TLS), "Deployment", "scheduler")["spec"]["template"]["spec"]["containers"][0]
    assert main["readinessProbe"]["httpGet"].get("scheme", "HTTP") == "HTTP"
