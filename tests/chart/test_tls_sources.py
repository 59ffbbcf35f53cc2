"""Whence the certificates for Dask's comms come: the chart, cert-manager, or a Secret that is there."""

from __future__ import annotations

import base64
import datetime as dt
import json
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from dask_kubernetes_helm.chartvalues.values import merge
from tests.chart.helm import CHART, KUBERNETES, Object, made, one, refusal, render, run

CERT_MANAGER: Object = {"tls": {"certManager": {"enabled": True}}}
SECRET: Object = {"tls": {"secretName": "mine"}}
both = pytest.mark.parametrize("helm", ["helm", "helm3"])


def _secrets(values: Object, **where: Any) -> dict[str, dict[str, str]]:
    """Texts by Secret and key."""
    objects = [found for found in yaml.safe_load_all(made(values, **where)) if found]
    return {
        item["metadata"]["name"]: {key: base64.b64decode(text).decode() for key, text in item["data"].items()}
        for item in objects
        if item["kind"] == "Secret"
    }


def _client(objects: list[Object]) -> dict[str, str]:
    """What clients are told."""
    annotations = one(objects, "Deployment", "scheduler")["metadata"]["annotations"]
    return dict(json.loads(annotations["dask.org/client-tls"]))


@both
def test_made_by_the_chart(helm: str) -> None:
    """By default there is an authority and one certificate that it has signed, under a name of its own."""
    found = _secrets({"tls": {"generated": {"validityDays": 30}}}, helm=helm)
    assert found.keys() == {"demo-dask-tls", "demo-dask-tls-ca"}
    mounted, kept = found["demo-dask-tls"], found["demo-dask-tls-ca"]
    assert mounted["ca.crt"] == kept["tls.crt"]
    authority, leaf = (x509.load_pem_x509_certificate(item["tls.crt"].encode()) for item in (kept, mounted))
    leaf.verify_directly_issued_by(authority)
    assert authority.subject != leaf.subject
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    for item in (authority, leaf):
        assert isinstance(item.public_key(), ec.EllipticCurvePublicKey)
        assert item.not_valid_after_utc - item.not_valid_before_utc == dt.timedelta(days=30)
    assert kept["tls.key"] != mounted["tls.key"]


@pytest.mark.parametrize("release", ["dask", "d" * 53])
def test_names_as_long_as_can_be(release: str) -> None:
    """A certificate's name holds 64 characters, and the longest of a release's fits."""
    texts = _secrets({}, release=release)
    for item in texts.values():
        x509.load_pem_x509_certificate(item["tls.crt"].encode())


def test_the_authority_is_mounted_nowhere() -> None:
    """Whoever had its key could let anybody in; pods have only what it has signed."""
    for item in render({"worker": {"groups": {"gpu": {}}}}):
        if item["kind"] == "Deployment":
            assert "demo-dask-tls-ca" not in json.dumps(item)
            assert '"secretName": "demo-dask-tls"' in json.dumps(item)


def test_another_generation_replaces_no_pod() -> None:
    """Only the Secrets differ, of which pods know no more than the name."""
    first, second = (render({"tls": {"generated": {"generation": n, "authority": n}}}) for n in (1, 2))
    changed = [mine["kind"] for mine, other in zip(first, second, strict=True) if mine != other]
    assert changed == ["Secret", "Secret"]


@both
@pytest.mark.parametrize("values", [{}, {"tls": {"generated": {"generation": 2}}}], ids=["default", "renewed"])
def test_no_rendering_without_a_cluster(values: Object, helm: str) -> None:
    """Where no cluster tells what there is, each cure is named, and each is one."""
    command = ("template", "demo", str(CHART), "--kube-version", KUBERNETES, "--values", "-")
    result = run(*command, helm=helm, text=json.dumps(values))
    assert result.returncode != 0
    said = " ".join(result.stderr.split())
    cures: list[Object] = [
        CERT_MANAGER,
        SECRET,
        {"tls": {"enabled": False}},
        {"tls": {"generated": {"offline": True}}},
    ]
    for cure, word in zip(cures, ("certManager.enabled", "secretName", "enabled to false", "offline"), strict=True):
        assert word in said
        cured = run(*command, helm=helm, text=json.dumps(merge(values, cure)))
        assert cured.returncode == 0, cured.stderr


@both
@pytest.mark.parametrize(
    "values", [CERT_MANAGER, SECRET, {"tls": {"enabled": False}}], ids=["manager", "secret", "off"]
)
def test_the_same_each_time(values: Object, helm: str) -> None:
    """What GitOps tools compare is the same in each rendering."""
    command = ("template", "demo", str(CHART), "--kube-version", KUBERNETES, "--values", "-")
    first, second = (run(*command, helm=helm, text=json.dumps(values)).stdout for _ in range(2))
    assert first
    assert first == second


def test_by_cert_manager() -> None:
    """An authority of the release's own, and a certificate of it for all; the chart makes no Secret."""
    objects = render(CERT_MANAGER)
    found = {
        (item["kind"], item["metadata"]["name"]): item["spec"]
        for item in objects
        if "cert-manager" in item["apiVersion"]
    }
    assert found.keys() == {
        ("Issuer", "demo-dask-tls-root"),
        ("Certificate", "demo-dask-tls-ca"),
        ("Issuer", "demo-dask-tls"),
        ("Certificate", "demo-dask-tls"),
    }
    authority, leaf = found["Certificate", "demo-dask-tls-ca"], found["Certificate", "demo-dask-tls"]
    assert authority["isCA"] is True
    assert authority["issuerRef"]["name"] == "demo-dask-tls-root"
    assert found["Issuer", "demo-dask-tls"]["ca"]["secretName"] == authority["secretName"] == "demo-dask-tls-ca"
    assert (leaf["issuerRef"]["name"], leaf["secretName"]) == ("demo-dask-tls", "demo-dask-tls")
    assert authority["commonName"] != leaf["commonName"]
    assert {"server auth", "client auth"} <= set(leaf["usages"])
    assert not _secrets(CERT_MANAGER)


def test_by_an_issuer_that_is_there() -> None:
    """Only the certificate is asked for, of the issuer that is named, for as long as is said."""
    issuer = {"name": "company", "kind": "ClusterIssuer"}
    manager = {"enabled": True, "issuerRef": issuer, "duration": "48h", "renewBefore": "8h"}
    (found,) = (item for item in render({"tls": {"certManager": manager}}) if "cert-manager" in item["apiVersion"])
    assert found["kind"] == "Certificate"
    assert found["spec"]["issuerRef"] == {"group": "cert-manager.io", **issuer}
    assert (found["spec"]["duration"], found["spec"]["renewBefore"]) == ("48h", "8h")


KEYS = {"ca": "a", "schedulerCert": "b", "schedulerKey": "c", "workerCert": "d", "workerKey": "e"}


@pytest.mark.parametrize(
    ("values", "secret", "keys"),
    [
        ({}, "demo-dask-tls", ("ca.crt", "tls.crt", "tls.key")),
        (CERT_MANAGER, "demo-dask-tls", ("ca.crt", "tls.crt", "tls.key")),
        ({"tls": {"secretName": "mine", "keys": KEYS}}, "mine", ("a", "d", "e")),
    ],
    ids=["chart", "manager", "secret"],
)
def test_clients_find_theirs(values: Object, secret: str, keys: tuple[str, ...]) -> None:
    """The scheduler's Deployment tells clients the Secret that pods mount, and the keys of a client's certificate."""
    objects = render(values)
    assert _client(objects) == {"secret": secret, **dict(zip(("ca", "cert", "key"), keys, strict=True))}
    spec = one(objects, "Deployment", "scheduler")["spec"]["template"]["spec"]
    assert [volume["secret"]["secretName"] for volume in spec["volumes"] if "secret" in volume] == [secret]


def test_it_goes_with_the_release() -> None:
    """What is made belongs to the release's owner, as all else."""
    owner = {"lifecycle": {"owner": {"name": "mine", "uid": "11111111-2222-3333-4444-555555555555"}}}
    for values in ({}, CERT_MANAGER):
        found = [item for item in render(merge(values, owner)) if item["kind"] in ("Secret", "Issuer", "Certificate")]
        assert len(found) in (2, 4)
        assert all(item["metadata"]["ownerReferences"][0]["name"] == "mine" for item in found)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (merge(CERT_MANAGER, SECRET), ["tls.secretName", "tls.certManager.enabled", "Leave one out"]),
        ({"tls": {"certManager": {"enabled": True, "issuerRef": {"kind": "Issuer"}}}}, ["issuerRef", "no name"]),
        (
            {"worker": {"custom_scheduler_url": "tcp://a:1"}},
            ["worker.custom_scheduler_url is tcp://a:1", "tls.enabled"],
        ),
        (
            {"worker": {"groups": {"gpu": {"custom_scheduler_url": "tcp://a:1"}}}},
            ["worker.groups.gpu.custom_scheduler_url", "Write tls://"],
        ),
        (
            {"scheduler": {"enabled": False}, "worker": {"custom_scheduler_url": "tls://a:1"}},
            ["worker.custom_scheduler_url is tls://a:1", "no certificates", "tls.secretName"],
        ),
        (
            {"tls": {"enabled": False}, "worker": {"custom_scheduler_url": "tls://a:1"}},
            ["worker.custom_scheduler_url is tls://a:1", "no certificates"],
        ),
        ({"tls": {"generated": {"validityDays": 0}}}, ["/tls/generated/validityDays"]),
        ({"tls": {"certManager": {"duration": "90 days"}}}, ["/tls/certManager/duration"]),
        ({"tls": {"certManager": {"issuerRef": {"issuer": "x"}}}}, ["'issuer' not allowed"]),
    ],
)
def test_what_can_not_be(values: dict[str, Any], words: list[str]) -> None:
    """Combinations that can't work are refused with the key to change."""
    said = refusal(values)
    for word in words:
        assert word in said
