"""Who may reach a dashboard with ways of its own, and Jupyter, by evaluation of the policies."""

from __future__ import annotations

from dask_kubernetes_helm.chartvalues.values import merge
from tests.chart.helm import Object
from tests.chart.test_network import ANY, API, CLIENTS, COMM, DASHBOARD, INTERNET, OWN, RESTRICTED, WORKERS, Place

JUPYTER: Object = {"jupyter": {"enabled": True, "token": {"secretName": "s"}}}
SERVER = 8888
#: Pods of the other release: its notebooks may have workers there, or a scheduler.
TWO = {"two-scheduler", "two-worker", "two-gpu"}
PROXY: Object = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "web"}}}


def test_a_dashboard_outside_and_a_comm_inside() -> None:
    """A Service of the dashboard's own opens its port to the outside, and not Dask's comm."""
    place = Place({"webUI": {"serviceType": "LoadBalancer"}})
    assert place.reach("one-scheduler", DASHBOARD) == set(place.parties) - {"one-scheduler"}
    assert place.reach("one-scheduler", COMM) == WORKERS | CLIENTS


def test_a_comm_outside_and_a_dashboard_inside() -> None:
    """It may be the other way round."""
    place = Place({"scheduler": {"serviceType": "NodePort"}, "webUI": {"serviceType": "ClusterIP"}})
    assert INTERNET.name in place.reach("one-scheduler", COMM)
    assert INTERNET.name not in place.reach("one-scheduler", DASHBOARD)


def test_who_reaches_jupyter() -> None:
    """By itself nobody but workers of notebooks' clusters; an Ingress controller by a rule, the world by a Service."""
    around = OWN | TWO
    assert Place(JUPYTER).reach("one-jupyter", SERVER) == around
    assert Place(JUPYTER).reach("one-jupyter", ANY) == around
    routed = Place(merge(JUPYTER, {"networkPolicy": {"jupyter": {"from": [PROXY]}}}))
    assert routed.reach("one-jupyter", SERVER) == around | {"ingress"}
    assert routed.reach("one-jupyter", ANY) == around
    outside = Place(merge(JUPYTER, {"jupyter": {"serviceType": "LoadBalancer"}}))
    assert INTERNET.name in outside.reach("one-jupyter", SERVER)
    assert outside.reach("one-jupyter", ANY) == around


def test_whom_jupyter_reaches() -> None:
    """Notebooks reach their release, those that they make, and the API; nothing else where that is restricted."""
    for values in (JUPYTER, merge(JUPYTER, RESTRICTED)):
        place = Place(values, widest=False)
        for release in ("one", "two"):
            for port in (COMM, DASHBOARD):
                assert "one-jupyter" in place.reach(f"{release}-scheduler", port)
            assert "one-jupyter" in place.reach(f"{release}-worker", ANY)
        assert place.reached("one-jupyter", API, 443)
    assert not Place(merge(JUPYTER, RESTRICTED)).reached("one-jupyter", INTERNET, 8443)
