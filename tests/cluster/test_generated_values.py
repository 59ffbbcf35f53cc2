"""Whatever the schema and the chart's checks accept renders to objects that Kubernetes accepts.

The overlays (`container`, `podTemplate`, `serviceTemplate`), which take any field of Kubernetes', are left empty.
"""

from __future__ import annotations

import contextlib
import json
import re
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, assume, event, given, settings

from dask_kubernetes_helm import contract, errors
from dask_kubernetes_helm.chartvalues import schema
from dask_kubernetes_helm.chartvalues.values import Layer
from dask_kubernetes_helm.helmcli.helm import join_surrogates
from tests.chart import helm

from . import madevalues
from .conftest import Namespace

pytestmark = pytest.mark.alone

Values = dict[str, Any]

#: So many accepted values are shown to Kubernetes; those that the checks refuse come on top.
EXAMPLES = 200
#: APIs that this cluster has no opinion on, as it does not have them.
ABSENT = {"cert-manager.io/v1", "gateway.networking.k8s.io/v1", "monitoring.coreos.com/v1"}
#: What it has an opinion on because it has one family of addresses.
FAMILIES = re.compile(r"spec\.ipFamil|RequireDualStack|not configured for dual-stack")
#: What a refusal has to name one of.
KEYS = yaml.safe_load((helm.CHART / "values.yaml").read_text())


class Server:
    """The API server, asked what it thinks of objects, which it does not keep."""

    def __init__(self, namespace: Namespace) -> None:
        from kubernetes import config

        self._api = config.new_client_from_config()
        self._namespace = namespace.name
        self._accepted: set[str] = set()

    def close(self) -> None:
        """Close its connections."""
        self._api.rest_client.pool_manager.clear()

    def refusals(self, rendered: str) -> list[str]:
        """What it says to those objects that it refuses, asked as Helm 4 asks; once for each object."""
        objects = [found for found in yaml.load_all(rendered, yaml.CSafeLoader) if found]
        objects = [found for found in objects if found["apiVersion"] not in ABSENT]
        return [said for found in map(alone, objects) if (said := self._refusal(found))]

    def _refusal(self, found: Values) -> str:
        found["metadata"].pop("namespace", None)  # there is but one here
        body = json.dumps(found, ensure_ascii=False)
        if body in self._accepted:
            return ""
        version, kind = found["apiVersion"], found["kind"].lower()
        plural = f"{kind.removesuffix('y')}ies" if kind.endswith("y") else f"{kind}{'es' * kind.endswith('s') or 's'}"
        place = f"{'apis' if '/' in version else 'api'}/{version}/namespaces/{self._namespace}/{plural}"
        how = "dryRun=All&fieldManager=helm&force=true&fieldValidation=Strict"
        url = f"{self._api.configuration.host}/{place}/{found['metadata']['name']}?{how}"
        headers = {"Content-Type": "application/apply-patch+yaml"}
        answer = self._api.rest_client.pool_manager.request("PATCH", url, body=body.encode(), headers=headers)
        if answer.status < 300:
            self._accepted.add(body)
            return ""
        said = str(json.loads(answer.data)["message"])
        if kind == "service" and FAMILIES.search(said):
            return ""
        return f"{found['kind']} {found['metadata']['name']}: {said}"


def alone(found: Values) -> Values:
    """A pod as a template of one, which is judged likewise, but needs no account that is there."""
    if found["kind"] != "Pod":
        return found
    pod = {"metadata": {key: found["metadata"].get(key) for key in ("labels", "annotations")}, "spec": found["spec"]}
    return {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": found["metadata"]["name"]}, "template": pod}


def templated(values: Values, namespace: str) -> Any:
    """`helm template` of values."""
    where = ("--kube-version", helm.KUBERNETES, "--namespace", namespace, f"--values={helm.OFFLINE}")
    return helm.run("template", "r", str(helm.CHART), *where, "--values=-", text=join_surrogates(json.dumps(values)))


def rendered(values: Values, namespace: str) -> str | None:
    """What the chart renders; None where it refuses the values by a sentence of its own."""
    told = templated(values, namespace)
    if told.returncode == 0:
        return str(told.stdout)
    # A template that breaks says "error calling", or where it was executing. The test's pod comes first.
    refusal = re.search(r"execution error at \(dask/templates/(?:checks|tests/compute)\.yaml:\S+ (.+)", told.stderr)
    assert refusal, told.stderr
    assert re.search(rf"\b({'|'.join(KEYS)})\b", refusal[1])
    return None


@pytest.mark.timeout(600)
def test_what_the_chart_accepts_kubernetes_accepts(namespace: Namespace) -> None:
    """Values that are made by the schema are refused by a check of the chart's, which names a key, or by nobody."""
    accepted = 0

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
    )
    @given(madevalues.values())
    def goes_through(values: Values) -> None:
        nonlocal accepted
        try:
            schema.check([Layer("generated", values)], contract.chart_path())
        except errors.ValuesSchemaError:
            # Beside the chart's defaults they are something else; then Helm refuses them as well.
            assert "don't meet the specifications of the schema" in templated(values, namespace.name).stderr
            assume(False)
        text = rendered(values, namespace.name)
        event("refused by a check" if text is None else "shown to Kubernetes")
        assume(text is not None)
        assert server.refusals(text or "") == []
        accepted += 1

    with contextlib.closing(Server(namespace)) as server:
        goes_through()
    assert accepted >= EXAMPLES
