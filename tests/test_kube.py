"""The door to the API, without an API: how it judges certificates."""

from __future__ import annotations

import ssl

from kubernetes.aio.client import Configuration

from dask_kubernetes_helm.auth import Credentials
from dask_kubernetes_helm.kubeapi.kube import Kube


async def test_certificates_are_judged_as_kubectl_does() -> None:
    """The chain and the host's name are verified; formalities that Python alone asks for since 3.13 are not."""
    kube = Kube(Credentials("a test", Configuration(host="https://127.0.0.1:1")), "lab")
    context = kube._transport._session.connector._ssl
    await kube.close()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
