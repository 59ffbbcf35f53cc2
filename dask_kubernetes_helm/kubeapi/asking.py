"""What the API server is asked about itself, about the namespace, and about the rights of whoever asks.

Belongs here: these requests. Never here: requests about objects (kube.py), or what an answer means.
"""

from __future__ import annotations

from typing import Any

from dask_kubernetes_helm.errors import ForbiddenError, KubernetesError, NamespaceNotFoundError, WorkloadNotFoundError
from dask_kubernetes_helm.kubeapi.transport import Transport
from dask_kubernetes_helm.rights.permissions import Permission

Object = dict[str, Any]


class Asking:
    """Questions to an API server; a part of `Kube`.

    Parameters
    ----------
    transport : Transport
        What carries them.
    namespace : str
        Which namespace they are about.
    """

    def __init__(self, transport: Transport, namespace: str) -> None:
        self._transport, self.namespace = transport, namespace

    async def server(self) -> Object:
        """Which version of Kubernetes the API server is."""
        return dict(await self._transport.json("GET", "/version"))

    async def nodes(self) -> list[Object]:
        """The cluster's nodes; none where asking is forbidden, as it is to most users."""
        try:
            reply = await self._transport.json("GET", "/api/v1/nodes")
        except ForbiddenError:
            return []
        return list(reply["items"])

    async def namespace_exists(self) -> bool:
        """Whether the namespace exists; taken for granted where asking is forbidden."""
        try:
            await self._transport.json("GET", f"/api/v1/namespaces/{self.namespace}")
        except ForbiddenError:
            return True
        except (NamespaceNotFoundError, WorkloadNotFoundError):
            return False
        return True

    async def namespaces(self) -> list[str]:
        """Names of the namespaces there are; none where asking is forbidden, as it is to most users."""
        try:
            reply = await self._transport.json("GET", "/api/v1/namespaces")
        except ForbiddenError:
            return []
        return [item["metadata"]["name"] for item in reply["items"]]

    async def user(self) -> str:
        """Who the API server takes us for; empty where it does not tell.

        Source: https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/self-subject-review-v1/
        """
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        try:
            reply = await self._transport.json("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body=body)
        except KubernetesError:  # before Kubernetes 1.28
            return ""
        return str(reply.get("status", {}).get("userInfo", {}).get("username", ""))

    async def allowed(self) -> tuple[list[Object], bool]:
        """What the credentials may do in the namespace: rules, and whether the list is complete.

        Source: https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/self-subject-rules-review-v1/
        """
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectRulesReview",
            "spec": {"namespace": self.namespace},
        }
        reply = await self._transport.json("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", body=body)
        status = reply.get("status", {})
        return list(status.get("resourceRules") or []), not status.get("incomplete", False)

    async def may(self, wanted: Permission) -> bool:
        """Whether the credentials have one permission in the namespace.

        Source: https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/self-subject-access-review-v1/
        """
        resource, _, subresource = wanted.resource.partition("/")
        asked = {"verb": wanted.verb, "group": wanted.group, "resource": resource, "subresource": subresource}
        spec = {"resourceAttributes": {**asked, "name": wanted.name, "namespace": self.namespace}}
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec}
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        return bool((await self._transport.json("POST", path, body=body))["status"].get("allowed"))
