"""Whatever the schema and the chart's checks accept renders to objects that Kubernetes accepts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings

from dask_kubernetes_helm import contract, errors, schema
from dask_kubernetes_helm.helm import join_surrogates
from dask_kubernetes_helm.values import Layer
from tests.chart import helm

from . import madevalues
from .conftest import Namespace

#: Where objects of a kind are.
PLACES = {
    "v1": "api/v1/namespaces/{0}/{1}s",
    "apps/v1": "apis/apps/v1/namespaces/{0}/{1}s",
    "policy/v1": "apis/policy/v1/namespaces/{0}/{1}s",
    "rbac.authorization.k8s.io/v1": "apis/rbac.authorization.k8s.io/v1/namespaces/{0}/{1}s",
}
EXAMPLES = 200


class Server:
    """The API server, asked what it thinks of objects without keeping them."""

    def __init__(self, namespace: str) -> None:
        from kubernetes import config

        self._api = config.new_client_from_config()
        self._namespace = namespace
        self._known: set[str] = set()

    def refusals(self, rendered: str) -> list[str]:
        """What the server says to the objects that it refuses, in the words of `helm install`'s own requests."""
        return [said for found in yaml.safe_load_all(rendered) if found for said in self._refusal(found)]

    def _refusal(self, found: dict[str, Any]) -> Iterator[str]:
        body = json.dumps(found, ensure_ascii=False)
        if body in self._known:
            return
        plural = {"Policy": "Policie"}.get(found["kind"], found["kind"]).lower()
        place = PLACES[found["apiVersion"]].format(self._namespace, plural)
        answer = self._patch(place, found["metadata"]["name"], body)
        if answer.status < 300:
            self._known.add(body)
        else:
            yield f"{found['kind']}: {json.loads(answer.data)['message']}"

    def _patch(self, place: str, name: str, body: str) -> Any:
        how = "dryRun=All&fieldManager=helm&force=true&fieldValidation=Strict"
        url = f"{self._api.configuration.host}/{place}/{name}?{how}"
        headers = {"Content-Type": "application/apply-patch+yaml"}
        return self._api.rest_client.pool_manager.request("PATCH", url, body=body.encode(), headers=headers)
