"""What alerts and the dashboard ask for, on the pages that Prometheus reads."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from dask_kubernetes_helm import HelmCluster
from tests.chart import helm, monitoring

from .conftest import Namespace, until

DASHBOARD = helm.CHART / "files/dashboards/dask.json"
#: What other exporters tell, and Prometheus itself; and the labels that it adds.
_OTHERS, _ADDED = re.compile(r"kube_\w+|up"), ("namespace", "dask_release", "dask_component")
_MATCHER = re.compile(r"(\w+)(=~|!~|!=|=)\"([^\"]*)\"")
#: Neither has a page of Bokeh's, which the metrics do without; one group follows the work, the other is scaled.
VALUES: dict[str, Any] = {
    "webUI": {"prefix": "/team/dask"},
    "scheduler": {"dashboard": False},
    "worker": {
        "replicas": 1,
        "dashboard": False,
        "groups": {"more": {"adaptive": {"enabled": True, "minimum": 1, "maximum": 1}}},
    },
}

Sample = tuple[str, dict[str, str]]


def asked() -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """The metrics in the expressions of alerts and dashboard, each with what its labels must be."""
    alerts = [alert["expr"] for alert in yaml.safe_load(monitoring.ALERTS.read_text()).values()]
    panels = json.loads(DASHBOARD.read_text())["panels"]
    for text in (*alerts, *(target["expr"] for panel in panels for target in panel.get("targets", ()))):
        for name, inner in re.findall(r"([a-z]\w+)\{([^}]*)\}", text):
            if not _OTHERS.fullmatch(name):
                yield name, [found for found in _MATCHER.findall(inner) if found[0] not in _ADDED]


def is_told(name: str, matchers: list[tuple[str, str, str]], samples: list[Sample]) -> bool:
    """Whether a page has a sample that an expression is about."""
    return any(found == name and all(_fits(labels, *one) for one in matchers) for found, labels in samples)


def _fits(labels: dict[str, str], label: str, how: str, value: str) -> bool:
    told = labels.get(label, "")
    same = re.fullmatch(value, told) is not None if how.endswith("~") else told == value
    return same is how.startswith("=")


def test_alerts_and_dashboard_ask_for_what_there_is(
    namespace: Namespace, make_cluster: Callable[..., HelmCluster]
) -> None:
    """Each expression finds samples with the labels that it names on the page of the scheduler or of a worker."""

    def spill(dask_worker: Any) -> bool:
        dask_worker.data["spilled"] = bytes(1 << 20)
        return bool(dask_worker.data.evict() > 0)

    cluster = make_cluster(values=VALUES)
    with cluster.get_client() as client:
        cluster.scale(2)
        client.wait_for_workers(3)
        assert client.submit(sum, (1, 2)).result() == 3
        assert all(client.run(spill).values())

        def page(pod: str, port: int, prefix: str = "") -> list[Sample]:
            path = f"/api/v1/namespaces/{namespace.name}/pods/{pod}:{port}/proxy{prefix}/metrics"
            families = text_string_to_metric_families(namespace.kubectl("get", "--raw", path))
            return [(sample.name, sample.labels) for family in families for sample in family.samples]

        def pods(component: str) -> list[str]:
            found = namespace.get("pods", f"app.kubernetes.io/component={component}")
            return [pod["metadata"]["name"] for pod in found]

        def unknown() -> list[str]:
            samples = [*page(pods("scheduler")[0], 8787, "/team/dask"), *page(pods("worker")[0], 8790)]
            return [f"{name} {matchers}" for name, matchers in asked() if not is_told(name, matchers, samples)]

        assert {name for name, _ in asked()} >= {"dask_scheduler_tasks", "dask_agent_group_desired_pods"}
        # The agent looks its group's number up a moment after the start.
        until(lambda: not any("dask_agent" in name for name in unknown()), 20)
        assert unknown() == []
