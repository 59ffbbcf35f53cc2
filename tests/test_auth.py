"""Ways to authenticate, without a cluster: what they read, what they refuse, and that no credential is told."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio.config import incluster_config

from dask_kubernetes_helm.auth import ClusterAuth, Credentials, InCluster, KubeAuth, KubeConfig, ways
from dask_kubernetes_helm.errors import InvalidArgumentError, InvalidAuthError, KubeConfigError
from tests.rig.pki import Authority

SECRET = "s3cr3t-t0k3n"


async def token(way: ClusterAuth | Credentials) -> str | None:
    credentials = way if isinstance(way, Credentials) else await ClusterAuth.load_first(way)
    return (await credentials.headers()).get("authorization")


# In a pod -----------------------------------------------------------------------------------------------


async def test_in_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pod's token is read anew once it was rotated; one that is gone is told."""
    authority = Authority(tmp_path / "pki")
    authority.create()
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "1")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(authority.certificate))
    monkeypatch.setattr(ways, "_SERVICE_ACCOUNT", tmp_path)
    with pytest.raises(KubeConfigError, match="Not in a cluster"):
        await ClusterAuth.load_first(InCluster())
    (tmp_path / "token").write_text("old\n")
    (tmp_path / "namespace").write_text("team\n")
    credentials = await ClusterAuth.load_first(InCluster())
    assert (credentials.namespace, await token(credentials)) == ("team", "bearer old")
    (tmp_path / "token").write_text("new\n")
    assert credentials.renew
    assert await token(await credentials.renew()) == "bearer new"


# Explicit credentials -----------------------------------------------------------------------------------


@pytest.fixture
def pem(tmp_path: Path) -> Authority:
    authority = Authority(tmp_path / "pki")
    authority.create()
    authority.issue("ada", "/CN=ada")
    return authority


async def test_kube_auth(pem: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that classic took has its effect on our requests and on helm, whose kubeconfig nobody else may read."""
    monkeypatch.chdir(pem.certificate.parent)
    way = KubeAuth(
        "https://127.0.0.1:1/",
        username="ada",
        password=SECRET,
        debug=True,
        verify_ssl=True,
        ssl_ca_cert=pem.certificate.name,
        cert_file="ada.crt",
        key_file=Path("ada.key"),
        assert_hostname="kubernetes",
        proxy=f"http://ada:{SECRET}@proxy:1",
    )
    credentials = await ClusterAuth.load_first(way)
    assert credentials.server == "https://127.0.0.1:1"
    assert await token(credentials) == "Basic YWRhOnMzY3IzdC10MGszbg=="
    assert credentials.configuration.tls_server_name == "kubernetes"
    assert credentials.configuration.proxy == f"http://ada:{SECRET}@proxy:1"
    with credentials.helm_environment() as environment:
        path = Path(environment["KUBECONFIG"])
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        content = json.loads(path.read_text())
    assert not path.exists()
    assert content["users"][0]["user"] == {
        "username": "ada",
        "password": SECRET,
        "client-certificate": str(pem.certificate.parent / "ada.crt"),
        "client-key": str(pem.certificate.parent / "ada.key"),
    }
    assert content["clusters"][0]["cluster"]["tls-server-name"] == "kubernetes"
    assert content["clusters"][0]["cluster"]["certificate-authority"] == str(pem.certificate.absolute())
    assert SECRET not in repr(way) + repr(credentials)
    assert SECRET not in repr(KubeAuth("https://127.0.0.1:1", token=SECRET))


async def test_how_strictly_the_server_is_judged(pem: Authority) -> None:
    """No verification at all, or of all but the name; and helm gets no authority along with "don't verify"."""
    blind = KubeAuth("https://127.0.0.1:1", verify_ssl=False, ssl_ca_cert=pem.certificate)
    context = (await ClusterAuth.load_first(blind)).tls[0]
    assert (context.verify_mode, context.check_hostname) == (0, False)
    assert blind._kubeconfig()["clusters"][0]["cluster"] == {"server": blind.host, "insecure-skip-tls-verify": True}
    lax = KubeAuth("https://127.0.0.1:1", assert_hostname=False, ssl_ca_cert=pem.certificate)
    context = (await ClusterAuth.load_first(lax)).tls[0]
    assert (context.verify_mode, context.check_hostname) == (2, False)


async def test_certificates_that_are_replaced(pem: Authority) -> None:
    """Credentials that are read anew tell whether certificates have changed."""
    file = pem.certificate.parent / "ada.crt"
    way = KubeAuth("https://127.0.0.1:1", cert_file=file, key_file=file.with_suffix(".key"))
    credentials = await ClusterAuth.load_first(way)
    assert credentials.renew
    assert (await credentials.renew()).tls[1] == credentials.tls[1]
    pem.issue("bob", "/CN=bob")
    for suffix in (".crt", ".key"):
        (file.parent / f"bob{suffix}").replace(file.with_suffix(suffix))
    assert (await credentials.renew()).tls[1] != credentials.tls[1]


@pytest.mark.parametrize("name", ["ssl_ca_cert", "cert_file"])
async def test_files_that_are_no_certificates(tmp_path: Path, name: str) -> None:
    """A certificate that is missing, or none, is told with its file."""
    (tmp_path / "it").write_text("nothing")
    for file in ("it", "missing"):
        with pytest.raises(KubeConfigError, match=rf"of KubeAuth can't be used: {tmp_path}/{file}"):
            await ClusterAuth.load_first(KubeAuth("https://h", **{name: tmp_path / file}))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"host": "10.0.0.1:6443"}, "no URL"),
        ({"host": None}, "no URL"),
        ({"host": f"https://ada:{SECRET}@h"}, "a user name"),
        ({"token": SECRET, "username": "ada", "password": SECRET}, "a token, or username"),
        ({"password": SECRET}, "together"),
        ({"key_file": "key.pem"}, "cert_file"),
    ],
)
def test_arguments_that_contradict_each_other(arguments: dict[str, Any], words: str) -> None:
    """What can't be meant is refused at once, and not told with its secrets."""
    with pytest.raises(InvalidArgumentError, match=words) as caught:
        KubeAuth(**{"host": "https://h", **arguments})
    assert SECRET not in str(caught.value)


# Several ways -------------------------------------------------------------------------------------------


class Classic(ClusterAuth):
    """As users wrote them for classic dask-kubernetes: it configures a library that we don't look at."""

    async def load(self) -> Credentials:
        return None  # type: ignore[return-value]


class Synchronous(Classic):
    def load(self) -> Any:  # type: ignore[override]
        return None


@pytest.mark.parametrize("given", ["token", "", 3, {"token": 1}, KubeConfig, [KubeConfig(), None], [[KubeConfig()]]])
async def test_what_is_no_way_to_authenticate(given: Any) -> None:
    """A wrong type is told as classic told it, and as both errors that it could be taken for."""
    with pytest.raises(InvalidAuthError, match=r"^Invalid authorization method provided.*KubeAuth\(") as caught:
        await ClusterAuth.load_first(given)
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("way", [Classic(), Synchronous()])
async def test_a_way_that_was_written_for_classic(way: ClusterAuth) -> None:
    """One that returns nothing is told what it has to return, even where another would follow."""
    with pytest.raises(InvalidAuthError, match=rf"{type(way).__name__}.load\(\) returned NoneType.*Credentials"):
        await ClusterAuth.load_first([way, KubeAuth("https://h")])


async def test_order(tmp_path: Path) -> None:
    """The first way that has credentials counts; where none has, each is told."""
    missing = KubeConfig(tmp_path / "missing")
    with pytest.raises(KubeConfigError, match="No authorization methods were provided"):
        await ClusterAuth.load_first([])
    with pytest.raises(KubeConfigError, match=r"Not in a cluster: .*; there is no kubeconfig at .*missing"):
        await ClusterAuth.load_first([InCluster(), missing])
    first = await ClusterAuth.load_first((missing, KubeAuth("https://first"), KubeAuth("https://second")))
    assert first.server == "https://first"
