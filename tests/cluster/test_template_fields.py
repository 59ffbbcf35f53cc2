"""Every field of a pod template is in the workers' pods, as Kubernetes holds them.

Generated templates go the way of KubeCluster's (plan, schema, chart, server-side apply), and what Kubernetes then holds
is compared, field by field, with what it holds of the same pod given to it directly. All that may differ is in one table.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, NamedTuple

from hypothesis import HealthCheck, Phase, given, settings

from dask_kubernetes_helm import contract, schema
from dask_kubernetes_helm.classic_plan import ClassicArguments
from dask_kubernetes_helm.errors import TemplateWarning
from dask_kubernetes_helm.helm import join_surrogates
from tests.chart import helm

from . import podspecs
from .conftest import Namespace

Pod = dict[str, Any]


class Difference(NamedTuple):
    """Something of a template that is not in the pod, or is in the pod and not in the template."""

    path: str
    raw: Any
    ours: Any


NOTHING = None

# Comparing ----------------------------------------------------------------------------------------------

#: What tells items of a list from each other.
_IDENTITY: dict[str, Callable[[Any], str]] = {
    **dict.fromkeys(("containers", "initContainers", "env", "volumes"), lambda item: item["name"]),
    "volumeMounts": lambda item: item["mountPath"],
    "ports": lambda item: f"{item['containerPort']}/{item['protocol']}",
    **dict.fromkeys(("tolerations", podspecs.PREFERRED), lambda item: json.dumps(item, sort_keys=True)),
}


def differences(raw: Any, ours: Any, path: str, key: str = "") -> Iterator[Difference]:
    """Where two pods differ, down to the smallest field."""
    if isinstance(raw, dict) and isinstance(ours, dict):
        for name in {**raw, **ours}:
            if name in raw and name in ours:
                yield from differences(raw[name], ours[name], f"{path}.{name}", name)
            else:
                yield Difference(f"{path}.{name}", raw.get(name, NOTHING), ours.get(name, NOTHING))
    elif isinstance(raw, list) and isinstance(ours, list) and key in _IDENTITY:
        yield from _items(raw, ours, path, _IDENTITY[key])
    elif isinstance(raw, list) and isinstance(ours, list) and len(raw) == len(ours):
        for index, (one, other) in enumerate(zip(raw, ours, strict=True)):
            yield from differences(one, other, f"{path}[{index}]")
    elif raw != ours:
        yield Difference(path, raw, ours)


def _items(raw: list[Any], ours: list[Any], path: str, name: Callable[[Any], str]) -> Iterator[Difference]:
    there = {name(item): item for item in ours}
    asked = {name(item): item for item in raw}
    for key in {**asked, **there}:
        if key in asked and key in there:
            yield from differences(asked[key], there[key], f"{path}[{key}]")
        else:
            yield Difference(f"{path}[{key}]", asked.get(key, NOTHING), there.get(key, NOTHING))
    shared = [key for key in map(name, ours) if key in asked]
    order = [key for key in dict.fromkeys(map(name, raw)) if key in there]
    if shared != order:
        yield Difference(f"{path} (order)", order, shared)


TABLE: list[Any] = []

# Going through ------------------------------------------------------------------------------------------

_NUMBER = count()


def documents(text: str) -> Iterator[Pod]:
    """The objects that kubectl prints, one after the other."""
    decoder, text = json.JSONDecoder(), text.strip()
    while text:
        found, end = decoder.raw_decode(text)
        yield from found["items"] if found["kind"] == "List" else [found]
        text = text[end:].strip()


def held_directly(template: Pod, namespace: Namespace) -> Pod:
    """What Kubernetes holds of a template in a Deployment around it."""
    pod = json.loads(json.dumps(template))
    pod["spec"].pop("restartPolicy", None)
    pod["metadata"]["labels"] = {**pod["metadata"].get("labels", {}), "of": "raw"}
    spec = {"replicas": 0, "selector": {"matchLabels": {"of": "raw"}}, "template": pod}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "raw"}, "spec": spec}
    told = namespace.kubectl("create", "--dry-run=server", "--output=json", "-f", "-", text=json.dumps(body))
    (found,) = documents(told)
    held = found["spec"]["template"]
    del held["metadata"]["labels"]["of"]
    return dict(held)


def held_by_the_chart(template: Pod, namespace: Namespace) -> Pod:
    """What Kubernetes holds of it in the workers' Deployment, which is created as Helm 4 does."""
    name = f"r{next(_NUMBER)}"
    arguments = ClassicArguments(
        pod_template=template,
        scheduler_pod_template=None,
        namespace=namespace.name,
        n_workers=0,
        env={},
        auth=None,
        idle_timeout=None,
        deploy_mode="remote",
        security=None,
        affinity="prefer",
        service_type="ClusterIP",
        timeout=60,
        shutdown_on_close=False,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TemplateWarning)
        layers = arguments.plan(name).layers
    values = schema.check(layers, contract.chart_path())
    only = [f"--show-only=templates/{role}-deployment.yaml" for role in ("worker", "scheduler")]
    command = ("template", name, str(helm.CHART), "--kube-version", helm.KUBERNETES, *only, "--values=-")
    rendered = helm.run(*command, text=join_surrogates(json.dumps(values)))
    assert rendered.returncode == 0, rendered.stderr
    # The text is left to Kubernetes to read.
    text = re.sub(r"(?m)^  replicas: 1$", "  replicas: 0", rendered.stdout)
    told = namespace.kubectl("apply", "--server-side", "--output=json", "-f", "-", text=text)
    worker, _ = sorted(documents(told), key=lambda found: "scheduler" in found["metadata"]["name"])
    return dict(worker["spec"]["template"])


SETTINGS = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)


@SETTINGS
@given(podspecs.pods())
def test_every_field(namespace: Namespace, template: Pod) -> None:
    """What Kubernetes holds of a template, it holds as well in the workers' pods, but for what the table has."""
    raw, ours = held_directly(template, namespace), held_by_the_chart(template, namespace)
    for pod in (raw, ours):
        pod["spec"]["containers"][0]["name"] = "dask"
    for found in differences(raw, ours, ""):
        print(found)
