"""Ways into a release: Services and their options, Ingress, HTTPRoute, paths and links; and what can't be."""

from __future__ import annotations

from typing import Any

import pytest

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.connections import routing
from tests.chart.helm import Object, container, one, refusal, render

GATEWAY = [{"name": "public", "namespace": "gateways"}]


def _service(component: str, values: Object) -> Object:
    return one(render(values), "Service", component)


def _link(values: Object) -> str | None:
    annotations = _service("scheduler", values)["metadata"].get("annotations", {})
    found = annotations.get(contract.LINK_ANNOTATION)
    return None if found is None else str(found)


# Services -----------------------------------------------------------------------------------------------


def test_options_of_a_service() -> None:
    """What is said is there as Kubernetes has it, what is not said is not there, and false is said."""
    options = {
        "labels": {"example.com/reach": "wide"},
        "nodePort": 30001,
        "allocateLoadBalancerNodePorts": False,
        "loadBalancerClass": "example.com/internal",
        "loadBalancerSourceRanges": ["10.0.0.0/8"],
        "externalTrafficPolicy": "Local",
        "healthCheckNodePort": 30002,
        "ipFamilies": ["IPv6", "IPv4"],
        "ipFamilyPolicy": "PreferDualStack",
        "sessionAffinity": "ClientIP",
        "sessionAffinityTimeout": 60,
    }
    service = _service("scheduler", {"scheduler": {"serviceType": "LoadBalancer", "service": options}})
    assert service["metadata"]["labels"]["example.com/reach"] == "wide"
    spec = service["spec"]
    plain = {key: options[key] for key in options if key not in ("labels", "nodePort", "sessionAffinityTimeout")}
    assert {key: spec[key] for key in plain} == plain
    assert spec["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 60}}
    assert [port.get("nodePort") for port in spec["ports"]] == [30001, None]
    bare = _service("scheduler", {})["spec"]
    assert bare.keys() == {"type", "publishNotReadyAddresses", "selector", "ports"}


def test_a_dashboard_on_the_schedulers_service() -> None:
    """By default one Service has both ports, and each has its port of the nodes."""
    values = {"scheduler": {"serviceType": "NodePort"}, "webUI": {"service": {"nodePort": 30003}}}
    objects = render(values)
    assert [item["metadata"]["name"] for item in objects if item["kind"] == "Service"] == ["demo-dask-scheduler"]
    ports = one(objects, "Service", "scheduler")["spec"]["ports"]
    assert [port.get("nodePort") for port in ports] == [None, 30003]


def test_a_dashboard_with_a_service_of_its_own() -> None:
    """The comm stays inside while the dashboard has a way in of its own, which leads to the scheduler's pods."""
    webui = {"serviceType": "LoadBalancer", "servicePort": 80, "serviceAnnotations": {"a": "b"}}
    objects = render({"webUI": webui})
    comm, dashboard = one(objects, "Service", "scheduler"), one(objects, "Service", "dashboard")
    assert comm["spec"]["type"] == "ClusterIP"
    assert [port["name"] for port in comm["spec"]["ports"]] == [contract.COMM_PORT_NAME]
    assert dashboard["spec"]["type"] == "LoadBalancer"
    assert dashboard["metadata"]["annotations"] == {"a": "b"}
    assert [(port["name"], port["port"]) for port in dashboard["spec"]["ports"]] == [(contract.DASHBOARD_PORT_NAME, 80)]
    assert dashboard["spec"]["selector"] == comm["spec"]["selector"]


# Routes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("webui", [{}, {"serviceType": "ClusterIP"}], ids=["shared", "own"])
def test_ingress(webui: Object) -> None:
    """An Ingress leads from each host and the dashboard's path to the Service that has the dashboard."""
    route = {"enabled": True, "className": "nginx", "annotations": {"a": "b"}, "hosts": ["a.example.com", "*.b.org"]}
    values = {"webUI": {**webui, "prefix": "/dask/", "ingress": {**route, "tls": {"enabled": True, "secretName": "s"}}}}
    objects = render(values)
    ingress = one(objects, "Ingress", "dashboard")
    assert ingress["metadata"]["annotations"] == {"a": "b"}
    assert ingress["spec"]["ingressClassName"] == "nginx"
    assert ingress["spec"]["tls"] == [{"hosts": ["a.example.com", "*.b.org"], "secretName": "s"}]
    assert [rule["host"] for rule in ingress["spec"]["rules"]] == ["a.example.com", "*.b.org"]
    for rule in ingress["spec"]["rules"]:
        (path,) = rule["http"]["paths"]
        assert (path["path"], path["pathType"]) == ("/dask", "Prefix")
        (service,) = (
            item
            for item in objects
            if item["kind"] == "Service" and item["metadata"]["name"] == path["backend"]["service"]["name"]
        )
        assert path["backend"]["service"]["port"]["name"] in {port["name"] for port in service["spec"]["ports"]}
    assert (
        "host" not in one(render({"webUI": {"ingress": {"enabled": True}}}), "Ingress", "dashboard")["spec"]["rules"][0]
    )


def test_http_route() -> None:
    """An HTTPRoute belongs to its Gateways and leads from its hosts and the dashboard's path to the Service's port."""
    route = {"enabled": True, "parentRefs": GATEWAY, "hostnames": ["a.example.com"], "labels": {"a": "b"}}
    values = {"webUI": {"servicePort": 80, "serviceType": "ClusterIP", "prefix": "dask", "httpRoute": route}}
    found = one(render(values), "HTTPRoute", "dashboard")
    assert found["apiVersion"] == "gateway.networking.k8s.io/v1"
    assert found["metadata"]["labels"]["a"] == "b"
    assert (found["spec"]["parentRefs"], found["spec"]["hostnames"]) == (GATEWAY, ["a.example.com"])
    (rule,) = found["spec"]["rules"]
    assert rule == {
        "matches": [{"path": {"type": "PathPrefix", "value": "/dask"}}],
        "backendRefs": [{"name": "demo-dask-dashboard", "port": 80}],
    }


@pytest.mark.parametrize(
    ("webui", "expected"),
    [
        ({}, None),
        ({"serviceType": "LoadBalancer"}, None),
        ({"prefix": "dask"}, "{scheme}://{host}:{port}/dask/status"),
        ({"link": "https://d.example.com/status", "prefix": "x"}, "https://d.example.com/status"),
        ({"ingress": {"enabled": True, "hosts": ["d.org"]}}, "http://d.org/status"),
        ({"ingress": {"enabled": True, "hosts": ["d.org"], "tls": {"enabled": True}}}, "https://d.org/status"),
        ({"prefix": "a/b", "ingress": {"enabled": True, "hosts": ["d.org", "e.org"]}}, "http://d.org/a/b/status"),
        ({"ingress": {"enabled": True, "hosts": ["d.org"], "path": "/rewritten"}}, "http://d.org/rewritten/status"),
        ({"ingress": {"enabled": True}}, None),
        ({"ingress": {"enabled": True, "hosts": ["*.d.org"]}}, None),
        (
            {"ingress": {"enabled": True, "hosts": ["d"], "path": "/a(/|$)(.*)", "pathType": "ImplementationSpecific"}},
            None,
        ),
        ({"httpRoute": {"enabled": True, "parentRefs": GATEWAY, "hostnames": ["d.org"]}}, "https://d.org/status"),
        (
            {"httpRoute": {"enabled": True, "parentRefs": GATEWAY, "hostnames": ["d.org"], "https": False}},
            "http://d.org/status",
        ),
        ({"ingress": {"enabled": False, "hosts": ["d.org"]}}, None),
    ],
    ids=str,
)
def test_link(webui: Object, expected: str | None) -> None:
    """Python is told the link where one follows from the values, in a form that it can use, and else is not."""
    assert _link({"webUI": webui}) == expected
    if expected:
        assert routing.link(expected, "h", 1).endswith("/status")


# Paths --------------------------------------------------------------------------------------------------


def test_a_path_for_the_dashboard() -> None:
    """The scheduler serves under the path, and the probes ask there; nothing else changes."""
    main = container("scheduler", {"webUI": {"prefix": "/a/b/"}})
    assert "--dashboard-prefix=/a/b" in main["args"]
    assert {"name": "DASKHELM_DASHBOARD_PREFIX", "value": "/a/b"} in main["env"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert main[probe]["httpGet"]["path"] == "/a/b/health"
    plain = container("scheduler")
    assert [argument for argument in plain["args"] if "prefix" in argument] == []
    assert container("worker", {"webUI": {"prefix": "/a/b/"}}) == container("worker")


def test_probes_of_the_users_own_under_a_path() -> None:
    """A probe that has the path already, or asks another port, is left alone."""
    probes = {
        "readinessProbe": {"httpGet": {"path": "/a/health"}},
        "livenessProbe": {"httpGet": {"path": "/live", "port": 9000}},
        "startupProbe": {"httpGet": {"path": "/a"}},
    }
    main = container("scheduler", {"webUI": {"prefix": "a"}, "scheduler": probes})
    found = [main[probe]["httpGet"]["path"] for probe in probes]
    assert found == ["/a/health", "/live", "/a"]


# What can't be ------------------------------------------------------------------------------------------

ENABLED = {"enabled": True}
BALANCED = {"serviceType": "LoadBalancer"}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"scheduler": {"service": {"nodePort": 30001}}},
            ["scheduler.service.nodePort", "is ClusterIP", "NodePort or"],
        ),
        ({"scheduler": {"service": {"externalTrafficPolicy": "Local"}}}, ["scheduler.service.externalTrafficPolicy"]),
        (
            {"scheduler": {"service": {"loadBalancerClass": "a/b"}}},
            ["scheduler.service.loadBalancerClass", "LoadBalancer"],
        ),
        (
            {"scheduler": {"serviceType": "NodePort", "service": {"loadBalancerSourceRanges": ["10.0.0.0/8"]}}},
            ["scheduler.service.loadBalancerSourceRanges", "is NodePort", "to LoadBalancer"],
        ),
        (
            {"scheduler": {"service": {"allocateLoadBalancerNodePorts": False}}},
            ["scheduler.service.allocateLoadBalancerNodePorts"],
        ),
        (
            {"scheduler": {**BALANCED, "service": {"healthCheckNodePort": 30000}}},
            ["scheduler.service.healthCheckNodePort", "externalTrafficPolicy is Local"],
        ),
        (
            {"webUI": {"serviceType": "ClusterIP", "service": {"sessionAffinityTimeout": 9}}},
            ["webUI.service.sessionAffinityTimeout", "webUI.service.sessionAffinity is not ClientIP"],
        ),
        (
            {"scheduler": {"service": {"ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "SingleStack"}}},
            ["scheduler.service.ipFamilies has two", "PreferDualStack"],
        ),
        (
            {"scheduler": {**BALANCED, "service": {"clusterIP": "None"}}},
            ["scheduler.service.clusterIP is None", "needs an address"],
        ),
        (
            {"scheduler": {"servicePort": 9000, "service": {"clusterIP": "None"}}},
            ["scheduler.servicePort is 9000", "to 8786"],
        ),
        ({"webUI": {"loadBalancerIP": "192.0.2.1"}}, ["webUI.loadBalancerIP", "scheduler.loadBalancerIP"]),
        ({"webUI": {"serviceAnnotations": {"a": "b"}}}, ["webUI.serviceAnnotations", "webUI.serviceType is empty"]),
        ({"webUI": {"service": {"labels": {"a": "b"}}}}, ["webUI.service.labels", "scheduler.service.labels"]),
        ({"webUI": {"service": {"nodePort": 30001}}}, ["webUI.service.nodePort", "scheduler.serviceType is ClusterIP"]),
        (
            {"webUI": {"serviceType": "NodePort", "loadBalancerIP": "192.0.2.1"}},
            ["webUI.loadBalancerIP is set", "Set the type"],
        ),
        (
            {
                "scheduler": {"serviceType": "NodePort", "service": {"nodePort": 30001}},
                "webUI": {"service": {"nodePort": 30001}},
            },
            ["scheduler.service.nodePort and webUI.service.nodePort are both 30001"],
        ),
        (
            {"scheduler": {"dashboard": False}, "webUI": {"ingress": ENABLED}},
            ["webUI.ingress", "scheduler.dashboard is false"],
        ),
        ({"scheduler": {"dashboard": False}, "webUI": {"serviceType": "NodePort"}}, ["webUI.serviceType", "dashboard"]),
        (
            {
                "scheduler": {"enabled": False},
                "worker": {"custom_scheduler_url": "tls://a:1"},
                "tls": {"secretName": "s"},
                "webUI": {"httpRoute": {"enabled": True, "parentRefs": GATEWAY}},
            },
            ["webUI.httpRoute", "scheduler.enabled is false"],
        ),
        ({"webUI": {"httpRoute": ENABLED}}, ["webUI.httpRoute.parentRefs names no Gateway"]),
        ({"webUI": {"ingress": {"enabled": True, "tls": {"secretName": "s"}}}}, ["webUI.ingress.tls.enabled is false"]),
        (
            {"webUI": {"prefix": "a"}, "scheduler": {"extraArgs": ["--dashboard-prefix=/b"]}},
            ["webUI.prefix", "scheduler.extraArgs has --dashboard-prefix"],
        ),
    ],
    ids=str,
)
def test_refused(values: dict[str, Any], words: list[str]) -> None:
    """What Kubernetes would refuse, or what would lead nowhere, is refused with the key and the cure."""
    said = refusal(values)
    assert [word for word in words if word not in said] == []


@pytest.mark.parametrize(
    ("webui", "words"),
    [
        ({"prefix": "/a b"}, ["/webUI/prefix"]),
        ({"link": "dask.example.com"}, ["/webUI/link"]),
        ({"link": "https://d.example.com/{SECRET}"}, ["/webUI/link"]),
        ({"ingress": {"hosts": ["https://a.org"]}}, ["/webUI/ingress/hosts/0"]),
        ({"ingress": {"pathType": "prefix"}}, ["/webUI/ingress/pathType"]),
        ({"httpRoute": {"parentRefs": [{"namespace": "x"}]}}, ["/webUI/httpRoute/parentRefs/0", "name"]),
        ({"service": {"nodePort": 70000}}, ["/webUI/service/nodePort"]),
        ({"service": {"ipFamilies": ["ipv4"]}}, ["/webUI/service/ipFamilies/0"]),
    ],
    ids=str,
)
def test_forms(webui: dict[str, Any], words: list[str]) -> None:
    """What has the wrong form is refused at its own path."""
    said = refusal({"webUI": webui})
    assert [word for word in words if word not in said] == []
