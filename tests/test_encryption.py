"""Whether KubeCluster's comms are encrypted, and what HelmCluster takes for certificates."""

from __future__ import annotations

import pickle
from typing import Any

import dask
import pytest
from distributed.comm import connect, listen
from distributed.security import Security

from dask_kubernetes_helm import HelmCluster, errors
from dask_kubernetes_helm.classic import arguments as classic_arguments
from dask_kubernetes_helm.connections import certificates
from dask_kubernetes_helm.connections.trust import SPREAD, ReleaseSecurity
from tests.authorities import Authority

WHOLE = Security.temporary()
TOLD = {"secret": "s", "ca": "ca.crt", "cert": "tls.crt", "key": "tls.key"}


@pytest.mark.parametrize(
    ("given", "protocol", "configured", "local", "remote"),
    [
        (None, None, True, "made", "chart's"),
        (None, None, False, "off", "off"),
        (None, "tls://", False, "made", "off"),
        (None, "tcp://", True, "off", "chart's"),
        (False, None, True, "off", "off"),
        (False, "tls://", True, "off", "off"),
        (Security(), None, True, "made", "chart's"),
        (WHOLE, None, False, "given", "given"),
        (WHOLE, "tls://", True, "given", "given"),
        (True, None, False, "made", "made"),
    ],
)
def test_whether(given: Any, protocol: Any, configured: bool, local: str, remote: str) -> None:
    """Comms are encrypted unless somebody says otherwise; a protocol is that of a scheduler in this process."""
    with dask.config.set({"kubernetes.tls": configured}):
        for mode, expected in (("local", local), ("remote", remote)):
            found, encrypted = classic_arguments.encryption(given, protocol, mode)
            assert encrypted is (expected != "off")
            assert (found is not None) is (expected in ("made", "given"))
            assert (found is WHOLE) is (expected == "given")


@pytest.mark.parametrize("given", [True, False, "x"])
async def test_what_is_no_certificate(given: Any) -> None:
    """HelmCluster connects with certificates that the release knows; whether there are any, the values say."""
    with pytest.raises(errors.InvalidSecurityError, match=r"security is|Security object"):
        HelmCluster(security=given, asynchronous=True)


async def test_a_security_of_ones_own() -> None:
    """What is given is what Dask's Client gets."""
    cluster = HelmCluster(security=WHOLE, asynchronous=True)
    assert cluster.security is WHOLE
    await cluster.close()


def _secret(**data: str) -> dict[str, Any]:
    return {"data": data}


def test_texts_of_a_secret() -> None:
    """Certificates are read under the keys that the chart tells; what is missing is named."""
    secret = _secret(**{"ca.crt": "QQ==", "tls.crt": "Qg==", "tls.key": "Qw=="})
    assert certificates.texts(secret, TOLD) == {"ca": "A", "cert": "B", "key": "C"}
    for found in ({}, _secret(), _secret(**{"ca.crt": "QQ==", "tls.crt": ""})):
        with pytest.raises(errors.TlsSecretError, match=r"Secret s has no .*tls\.crt, tls\.key"):
            certificates.texts(found, TOLD)


# Following a release's certificates ----------------------------------------------------------------------


def _texts(trusted: str, signing: Authority) -> dict[str, str]:
    certificate, key = signing.certificate()
    return {"ca": trusted, "cert": certificate, "key": key}


async def _is_let_in(client: ReleaseSecurity, server: Security) -> bool:
    """Whether both take each other's certificate."""

    async def echo(comm: Any) -> None:
        await comm.write(await comm.read())

    async with listen("tls://127.0.0.1", echo, **server.get_listen_args("scheduler")) as listener:
        try:
            comm = await connect(listener.contact_address, timeout=1, **client.get_connection_args("client"))
            await comm.write("hello")
            return bool(await comm.read() == "hello")
        except OSError:
            return False


def _server(trusted: str, signing: Authority) -> Security:
    certificate, key = signing.certificate()
    return Security(tls_ca_file=trusted, tls_scheduler_cert=certificate, tls_scheduler_key=key)


async def test_a_client_follows() -> None:
    """Another authority is trusted at once, in contexts that are in use already; its certificate is shown later."""
    old, new = Authority("old"), Authority("new")
    client = ReleaseSecurity(_texts(old.text, old))
    context = client.get_connection_args("client")["ssl_context"]
    assert await _is_let_in(client, _server(old.text, old))
    assert not await _is_let_in(client, _server(new.text + old.text, new))
    renewed = _texts(new.text + old.text, new)
    client.renew(renewed, 0)
    assert await _is_let_in(client, _server(new.text + old.text, new))
    assert await _is_let_in(client, _server(old.text, old))
    client.renew(renewed, SPREAD - 1)
    assert not await _is_let_in(client, _server(new.text, new))
    client.renew(renewed, SPREAD)
    assert await _is_let_in(client, _server(new.text, new))
    assert client.get_connection_args("client")["ssl_context"] is context


async def test_a_client_by_the_same_authority() -> None:
    """A new certificate of an authority that all trust is shown at once."""
    authority = Authority("one")
    texts = _texts(authority.text, authority)
    client = ReleaseSecurity(_texts(authority.text, authority))
    client.renew(texts, 0)
    assert client.tls_client_cert == texts["cert"]
    assert await _is_let_in(client, _server(authority.text, authority))


def test_it_can_be_sent_and_shown() -> None:
    """It can be pickled, as a Client's can, and being shown it tells no key."""
    authority = Authority("one")
    client = ReleaseSecurity(_texts(authority.text, authority))
    client.get_connection_args("client")
    assert pickle.loads(pickle.dumps(client)).tls_client_key == client.tls_client_key
    assert "PRIVATE" not in repr(client)
