"""Monitors, alerts and dashboards: what is rendered, and whether Prometheus takes it."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.chart import helm, monitoring
from tests.chart.helm import EVERYTHING, Object, refusal, render
from tests.rig.promtool import promtool

pytestmark = pytest.mark.helm

KINDS = ("ServiceMonitor", "PodMonitor", "PrometheusRule")
ON = {"enabled": True}
ALL = {"metrics": dict.fromkeys(("serviceMonitor", "podMonitor", "prometheusRule", "dashboards"), ON)}
OWNER = {"lifecycle": {"owner": {"name": "o", "uid": "5f1b7c1e-8a52-4c6f-9d3c-0a1b2c3d4e5f"}}}
ALERTS = yaml.safe_load(monitoring.ALERTS.read_text())
DASHBOARD = helm.CHART / "files/dashboards/dask.json"


def kind(objects: list[Object], name: str) -> Object:
    (found,) = (item for item in objects if item["kind"] == name)
    return found


def dashboard(objects: list[Object]) -> Object:
    (found,) = (item for item in objects if item["metadata"]["name"].endswith("-dashboards"))
    return found


def rules(values: Object | None = None, **where: Any) -> list[Object]:
    (group,) = kind(render({**ALL, **(values or {})}, **where), "PrometheusRule")["spec"]["groups"]
    return list(group["rules"])


def judged(tmp_path: Path, found: list[Object], *command: str) -> subprocess.CompletedProcess[str]:
    """What promtool says to rules."""
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dask", "rules": found}]}))
    return subprocess.run([promtool(), *command], cwd=tmp_path, capture_output=True, text=True, check=False)


def test_nothing_by_default() -> None:
    """A cluster without the operator gets none of its kinds, and no dashboard."""
    objects = render()
    assert not [item for item in objects if item["kind"] in KINDS or "dashboards" in item["metadata"]["name"]]


@pytest.mark.parametrize("files", [(), (EVERYTHING,)], ids=["plain", "everything"])
def test_the_operator_takes_them(files: tuple[Path, ...]) -> None:
    """Each object has the fields that the operator's definitions have, and no other."""
    objects = render(ALL, *files)
    for name in KINDS:
        jsonschema.Draft7Validator(monitoring.OBJECTS[name]).validate(kind(objects, name))


def test_monitors_find_the_pages() -> None:
    """Each monitor takes the pods or the Service of its role, of all groups, by a port that they have."""
    objects = render({**ALL, "worker": {"groups": {"gpu": {}}}})
    service = kind(objects, "ServiceMonitor")["spec"]
    taken = [item for item in objects if item["kind"] == "Service" and _takes(service, item["metadata"]["labels"])]
    ports = [port["name"] for item in taken for port in item["spec"]["ports"]]
    assert ports.count(service["endpoints"][0]["port"]) == 1
    pods = kind(objects, "PodMonitor")["spec"]
    templates = [item["spec"]["template"] for item in objects if item["kind"] == "Deployment"]
    found = [one for one in templates if _takes(pods, one["metadata"]["labels"])]
    assert sorted(one["metadata"]["labels"]["dask.org/worker-group"] for one in found) == ["default", "gpu"]
    for one in found:
        names = [port["name"] for item in one["spec"]["containers"] for port in item["ports"]]
        assert names.count(pods["podMetricsEndpoints"][0]["port"]) == 1
    for spec in (service, pods):
        assert spec["namespaceSelector"] == {"matchNames": ["ns"]}


@pytest.mark.parametrize(
    ("given", "path", "service"),
    [
        ({}, "/metrics", "demo-dask-scheduler"),
        ({"prefix": "/team/dask"}, "/team/dask/metrics", "demo-dask-scheduler"),
        ({"serviceType": "NodePort"}, "/metrics", "demo-dask-dashboard"),
    ],
)
def test_monitors_follow_the_dashboard(given: Object, path: str, service: str) -> None:
    """A dashboard under a prefix, or with a Service of its own, has the metrics there too; workers keep theirs."""
    objects = render({**ALL, "webUI": given})
    spec = kind(objects, "ServiceMonitor")["spec"]
    taken = [item for item in objects if item["kind"] == "Service" and _takes(spec, item["metadata"]["labels"])]
    assert [item["metadata"]["name"] for item in taken] == [service]
    assert spec["endpoints"][0]["path"] == path
    assert spec["endpoints"][0]["port"] in [port["name"] for port in taken[0]["spec"]["ports"]]
    assert kind(objects, "PodMonitor")["spec"]["podMetricsEndpoints"][0]["path"] == "/metrics"


def _takes(spec: Object, labels: Object) -> bool:
    return bool(spec["selector"]["matchLabels"].items() <= labels.items())


def test_objects_elsewhere_have_no_owner() -> None:
    """What is in another namespace does not name the release's owner: Kubernetes would remove it at once."""
    for values, owned in (({}, True), ({"namespace": "ns"}, True), ({"namespace": "monitoring"}, False)):
        told = {name: {**ON, **values} for name in ALL["metrics"]}
        objects = render({"metrics": told, **OWNER})
        for item in [*(kind(objects, name) for name in KINDS), dashboard(objects)]:
            assert ("ownerReferences" in item["metadata"]) is owned
            assert item["metadata"].get("namespace", "") == values.get("namespace", "")


@pytest.mark.parametrize("files", [(), (EVERYTHING,)], ids=["plain", "everything"])
def test_prometheus_reads_the_rules(tmp_path: Path, files: tuple[Path, ...]) -> None:
    """There is nothing that promtool objects to."""
    (group,) = kind(render(ALL, *files), "PrometheusRule")["spec"]["groups"]
    said = judged(tmp_path, group["rules"], "check", "rules", "rules.yaml")
    assert said.returncode == 0, said.stdout + said.stderr


def test_alerts_fire_when_they_should(tmp_path: Path) -> None:
    """Each alert fires for what it is there for, after its time, and for no other release."""
    told = Path(__file__).with_name("alerts.yaml")
    tried = {one["alertname"] for test in yaml.safe_load(told.read_text())["tests"] for one in test["alert_rule_test"]}
    assert tried == set(ALERTS)
    (tmp_path / "tests.yaml").write_text(_with_annotations(told.read_text(), rules()))
    said = judged(tmp_path, rules(), "test", "rules", "tests.yaml")
    assert said.returncode == 0, said.stdout + said.stderr


def _with_annotations(text: str, found: list[Object]) -> str:
    """Tests that say nothing of an alert's words expect the chart's, with the labels and the value that they name."""
    told = yaml.safe_load(text)
    said = {rule["alert"]: rule["annotations"] for rule in found}
    for test in told["tests"]:
        for one in test["alert_rule_test"]:
            for alert in one["exp_alerts"]:
                words, value = said[one["alertname"]], str(alert.pop("value", ""))
                filled = {key: _filled(word, alert["exp_labels"], value) for key, word in words.items()}
                alert.setdefault("exp_annotations", filled)
    return yaml.safe_dump(told)


def _filled(words: str, labels: dict[str, str], value: str) -> str:
    named = re.sub(r"{{ \$labels\.(\w+) }}", lambda match: labels[match[1]], words)
    return re.sub(r"{{ (printf \S+ )?\$value }}", value, named)


def test_values_of_alerts() -> None:
    """An alert can be turned off, and has its own time, severity and threshold; labels and rules can be added."""
    alerts = {
        "DaskTasksStuck": {"enabled": False},
        "DaskSchedulerSlow": {"for": "1h", "severity": "page", "threshold": 0.5},
    }
    more = [{"record": "a:b", "expr": "up"}]
    values = {"metrics": {"prometheusRule": {**ON, "alerts": alerts, "alertLabels": {"team": "data"}, "rules": more}}}
    found = {rule.get("alert", rule.get("record")): rule for rule in rules(values)}
    assert set(found) == {*ALERTS, "a:b"} - {"DaskTasksStuck"}
    slow = found["DaskSchedulerSlow"]
    assert slow["expr"].endswith("> 0.5")
    assert (slow["for"], slow["labels"]) == ("1h", {"severity": "page", "team": "data", "dask_release": "demo"})


def test_without_a_scheduler_of_its_own() -> None:
    """A release whose scheduler is elsewhere has alerts on its workers only."""
    elsewhere = {"scheduler": {"enabled": False}, "worker": {"custom_scheduler_url": "tcp://a:1"}}
    values = {**elsewhere, "metrics": {"podMonitor": ON, "prometheusRule": ON}}
    (group,) = kind(render(values), "PrometheusRule")["spec"]["groups"]
    assert {rule["alert"] for rule in group["rules"]} == {
        name for name, alert in ALERTS.items() if not alert["scheduler"]
    }


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"scheduler": {"enabled": False}, "metrics": {"serviceMonitor": ON}},
            ["metrics.serviceMonitor.enabled is true", "metrics.serviceMonitor.enabled to false"],
        ),
        (
            {"metrics": {"prometheusRule": {**ON, "alerts": {name: {"enabled": False} for name in ALERTS}}}},
            ["metrics.prometheusRule.enabled is true, but none", "metrics.prometheusRule.alerts"],
        ),
        (
            {"metrics": {"podMonitor": {**ON, "interval": "1m30s", "scrapeTimeout": "91s"}}},
            ["metrics.podMonitor.scrapeTimeout is 91s", "metrics.podMonitor.interval, 1m30s"],
        ),
        ({"metrics": {"podMonitor": {"interval": "30 seconds"}}}, ["metrics/podMonitor/interval"]),
        ({"metrics": {"podMonitor": {"targetLabels": ["a"]}}}, ["targetLabels"]),
        ({"metrics": {"prometheusRule": {"alerts": {"DaskTasksStuck": {"threshold": 1}}}}}, ["threshold"]),
        ({"metrics": {"prometheusRule": {"rules": [{"expr": "up"}]}}}, ["metrics/prometheusRule/rules/0"]),
    ],
)
def test_refusals(values: Object, words: list[str]) -> None:
    """What can't be is refused, and the key is named."""
    if "scheduler" in values:
        values = {**values, "worker": {"custom_scheduler_url": "tcp://a:1"}}
    said = refusal(values)
    assert [word for word in words if word not in said and word.replace("/", ".") not in said] == []


@pytest.mark.parametrize(
    ("interval", "timeout"), [("1m30s", "90s"), ("1h", "10m"), ("1d", "24h"), ("", "10s"), ("5s", "")]
)
def test_a_reading_that_ends_before_the_next(interval: str, timeout: str) -> None:
    """Whatever ends in time is taken, in whichever units it is written."""
    monitor = kind(
        render({"metrics": {"serviceMonitor": {**ON, "interval": interval, "scrapeTimeout": timeout}}}),
        "ServiceMonitor",
    )
    assert monitor["spec"]["endpoints"][0].get("scrapeTimeout", "") == timeout


def test_dashboards_of_two_releases() -> None:
    """Grafana keeps dashboards apart by uid, title and file; no two releases share any."""
    boards = [dashboard(render(ALL, release=name))["data"] for name in ("demo", "other")]
    assert not set(boards[0]) & set(boards[1])
    first, second = (json.loads(text) for board in boards for text in board.values())
    assert first["uid"] != second["uid"]
    assert first["title"] == "Dask: demo in ns" != second["title"]
    assert "@" not in json.dumps(first)
    assert [one["current"].get("value") for one in first["templating"]["list"]] == [None, "ns", "demo"]
    assert dashboard(render(ALL))["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_the_dashboard_can_be_read(tmp_path: Path) -> None:
    """Each panel has a title, a sentence and expressions that Prometheus reads; no two lie on each other."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    expressions = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    found = [{"record": f"panel:{number}", "expr": _plain(text)} for number, text in enumerate(expressions)]
    said = judged(tmp_path, found, "check", "rules", "rules.yaml")
    assert said.returncode == 0, said.stdout + said.stderr
    assert all(panel["title"] and panel.get("description", "row") for panel in panels)
    assert all("$namespace" in text and "$release" in text for text in expressions)
    spots = [(x, y) for panel in panels for x, y in _cells(panel["gridPos"])]
    assert len(spots) == len(set(spots))
    assert len({panel["id"] for panel in panels}) == len(panels)


def _plain(expression: str) -> str:
    return expression.replace("$__rate_interval", "5m")


def _cells(place: dict[str, int]) -> list[tuple[int, int]]:
    return [
        (x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])
    ]


def test_every_agent_metric_that_is_asked_for_is_told() -> None:
    """Alerts and dashboard ask for no metric of the agent's that it does not have."""
    from dask_kubernetes_helm_pod import observing

    families = observing.families(observing.Facts({}, observing.Tally()))
    told = {f"{one.name}_total" if one.counts else one.name for one in families}
    asked = set(re.findall(r"\bdask_agent_\w+", DASHBOARD.read_text() + monitoring.ALERTS.read_text()))
    assert asked <= told
    assert {f"{name}" for name in told if "group_" in name} - asked == {
        "dask_agent_group_adaptive",
        "dask_agent_group_asleep",
    }
