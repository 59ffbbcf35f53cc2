"""Who may reach what, by evaluation of the policies that the chart renders: no engine enforces them here.

What must be refused is asked of the widest reading of Kubernetes' rules, what must be admitted of the narrowest.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import kubernetes_validate
import pytest

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.chartvalues.values import merge
from tests.chart.helm import EVERYTHING, Object, one, refusal, render, text
from tests.chart.policies import Party, Policies

COMM, DASHBOARD, WORKER_DASHBOARD, ANY = 8786, 8787, 8790, 40123
LABEL = contract.CLIENT_LABEL
GROUPS: Object = {"worker": {"groups": {"gpu": {}}}}
ELSEWHERE = "tcp://192.0.2.1:18786"
LOCAL: Object = {
    "scheduler": {"enabled": False},
    "worker": {"custom_scheduler_url": ELSEWHERE},
    "lifecycle": {"noClientTimeout": 60, "owner": {"name": "a", "uid": "b"}},
}
RESTRICTED: Object = {"networkPolicy": {"egress": {"restricted": True}}}

NODE = Party("node", address="10.9.0.1", node="n1")
INTERNET = Party("internet", address="203.0.113.5")
API, DNS = Party("api", address="192.0.2.9"), Party("dns", "kube-system", {"k8s-app": "dns"}, address="10.0.9.9")
OTHERS = [
    Party("any-client", "ns", {LABEL: "true"}, address="10.0.2.1"),
    Party("client-of-one", "ns", {LABEL: "one"}, address="10.0.2.2"),
    Party("client-of-two", "ns", {LABEL: "two"}, address="10.0.2.3"),
    Party("stranger", "ns", {"app": "x"}, address="10.0.2.4"),
    Party("client-abroad", "notebooks", {LABEL: "true"}, {"team": "data"}, address="10.0.3.1"),
    Party("prometheus", "monitoring", {"app": "prometheus"}, address="10.0.4.1"),
    Party("ingress", "web", {"app": "nginx"}, address="10.0.5.1"),
    INTERNET,
]


def _pods(values: Object, release: str) -> list[Party]:
    """A release's pods, one of each Deployment, as `one-worker`, `one-gpu`."""
    found = []
    for number, item in enumerate(render(values, release=release)):
        if item["kind"] == "Deployment":
            template = item["spec"]["template"]
            labels = template["metadata"]["labels"]
            group = labels.get(contract.GROUP_LABEL, contract.DEFAULT_GROUP)
            role = labels[contract.COMPONENT_LABEL] if group == contract.DEFAULT_GROUP else group
            host = bool(template["spec"].get("hostNetwork"))
            subnet = {"one": 0, "two": 1}[release]
            address = "10.9.0.7" if host else f"10.0.{subnet}.{number}"
            found.append(Party(f"{release}-{role}", "ns", labels, address=address, node="n1", on_host=host))
    return found


class Place:
    """Two releases in one namespace with everybody around, the first with the values."""

    def __init__(self, values: Object, *, widest: bool = True, others: Iterable[Party] = OTHERS) -> None:
        both = {"one": merge(GROUPS, values), "two": GROUPS}
        pods = [pod for release, given in both.items() for pod in _pods(given, release)]
        self.parties = {party.name: party for party in (*pods, *others)}
        objects = [item for release, given in both.items() for item in render(given, release=release)]
        self.policies = Policies([("ns", item) for item in objects if item["kind"] == "NetworkPolicy"], widest=widest)

    def reach(self, target: str, port: int) -> set[str]:
        """Who gets a connection to a port."""
        found = self.parties[target]
        return {
            name for name, party in self.parties.items() if name != target and self.policies.admit(party, found, port)
        }

    def reached(self, source: str, target: Party, port: int, protocol: str = "TCP") -> bool:
        return self.policies.admit(self.parties[source], target, port, protocol)


WORKERS, CLIENTS = {"one-worker", "one-gpu"}, {"any-client", "client-of-one"}
OWN = {"one-scheduler", *WORKERS}
ABROAD: Object = {"networkPolicy": {"client": {"namespaceSelector": {"matchLabels": {"team": "data"}}}}}
EVERY_NAMESPACE: Object = {"networkPolicy": {"client": {"namespaceSelector": {}}}}
NO_LABEL: Object = {"networkPolicy": {"client": {"label": ""}}}
PEERS: Object = {"networkPolicy": {"client": {"label": "", "from": [{"podSelector": {"matchLabels": {"app": "x"}}}]}}}
PROXY: Object = {
    "networkPolicy": {
        "dashboard": {"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "nginx"}}}]}
    }
}
SCRAPED: Object = {
    "networkPolicy": {
        "metrics": {"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]}
    }
}
NODE_PORT: Object = {
    "scheduler": {"serviceType": "NodePort"},
    "networkPolicy": {"client": {"outside": ["203.0.113.0/24"]}},
}
DEBUGGER: Object = {
    "networkPolicy": {
        "ingress": {
            "scheduler": [{"from": [{"podSelector": {"matchLabels": {"app": "x"}}}], "ports": [{"port": 8787}]}],
            "worker": [{"from": [{"podSelector": {"matchLabels": {"app": "x"}}}], "ports": [{"port": 8790}]}],
        }
    }
}

#: Values; who reaches the scheduler's comm, its dashboard, any port of a worker, and the port of a worker's dashboard.
TABLE = [
    ("default", {}, WORKERS | CLIENTS, CLIENTS, CLIENTS | OWN, CLIENTS | OWN),
    (
        "clients of a namespace",
        ABROAD,
        WORKERS | {"client-abroad"},
        {"client-abroad"},
        OWN | {"client-abroad"},
        OWN | {"client-abroad"},
    ),
    (
        "clients of any namespace",
        EVERY_NAMESPACE,
        WORKERS | CLIENTS | {"client-abroad"},
        CLIENTS | {"client-abroad"},
        CLIENTS | OWN | {"client-abroad"},
        CLIENTS | OWN | {"client-abroad"},
    ),
    ("no client", NO_LABEL, WORKERS, set(), OWN, OWN),
    ("clients by a peer", PEERS, WORKERS | {"stranger"}, {"stranger"}, OWN | {"stranger"}, OWN | {"stranger"}),
    ("a proxy", PROXY, WORKERS | CLIENTS, CLIENTS | {"ingress"}, CLIENTS | OWN, CLIENTS | OWN),
    (
        "metrics",
        SCRAPED,
        WORKERS | CLIENTS,
        CLIENTS | {"prometheus"},
        CLIENTS | OWN,
        CLIENTS | OWN | {"prometheus"},
    ),
    (
        "a Service that leads in",
        NODE_PORT,
        WORKERS | CLIENTS | {"internet"},
        CLIENTS | {"internet"},
        CLIENTS | OWN,
        CLIENTS | OWN,
    ),
    ("other rules", DEBUGGER, WORKERS | CLIENTS, CLIENTS | {"stranger"}, CLIENTS | OWN, CLIENTS | OWN | {"stranger"}),
]


@pytest.mark.parametrize("widest", [True, False])
@pytest.mark.parametrize("row", TABLE, ids=[row[0] for row in TABLE])
def test_who_may_reach_what(row: Any, *, widest: bool) -> None:
    """Exactly these, of two releases in one namespace and everybody around, reach each port."""
    _, values, comm, dashboard, worker, worker_dashboard = row
    place = Place(values, widest=widest)
    assert place.reach("one-scheduler", COMM) == comm
    assert place.reach("one-scheduler", DASHBOARD) == dashboard
    for name in WORKERS:
        assert place.reach(name, ANY) == worker - {name}
        assert place.reach(name, WORKER_DASHBOARD) == worker_dashboard - {name}
    assert place.reach("one-scheduler", ANY) == set()


@pytest.mark.parametrize("row", TABLE, ids=[row[0] for row in TABLE])
def test_the_other_release_is_as_it_is(row: Any) -> None:
    """What one release is told changes nothing for another in its namespace, which it can't reach either."""
    place = Place(row[1])
    clients, own = {"any-client", "client-of-two"}, {"two-worker", "two-gpu"}
    assert place.reach("two-scheduler", COMM) == own | clients
    assert place.reach("two-scheduler", DASHBOARD) == clients
    assert place.reach("two-worker", ANY) == {"two-gpu", "two-scheduler"} | clients


@pytest.mark.parametrize("values", [{}, RESTRICTED], ids=["open", "restricted"])
def test_nodes_always_reach_their_pods(values: Object) -> None:
    """Probes and port-forwards go through, whatever the policies say."""
    place = Place(values)
    for name in OWN:
        assert place.policies.admit(NODE, place.parties[name], COMM)


def test_turned_off() -> None:
    """Without policies there are none, and so everybody reaches everything."""
    place = Place({"networkPolicy": {"enabled": False}})
    assert place.reach("one-scheduler", COMM) == place.parties.keys() - {"one-scheduler"}


@pytest.mark.parametrize("widest", [True, False])
def test_pods_on_the_hosts_network(*, widest: bool) -> None:
    """Workers with their node's address reach the scheduler and each other from where nodes are said to be."""
    values = {
        "worker": {"groups": {"gpu": {"podTemplate": {"spec": {"hostNetwork": True}}}}},
        "networkPolicy": {"client": {"outside": ["10.9.0.0/16"]}},
    }
    place = Place(values, widest=widest)
    assert place.reach("one-scheduler", COMM) == WORKERS | CLIENTS
    assert place.reach("one-scheduler", DASHBOARD) == CLIENTS
    assert place.reach("one-worker", ANY) == {"one-scheduler", "one-gpu"} | CLIENTS


# A scheduler elsewhere ----------------------------------------------------------------------------------


@pytest.mark.parametrize("widest", [True, False])
@pytest.mark.parametrize("more", [{}, RESTRICTED], ids=["open", "restricted"])
def test_a_scheduler_elsewhere(more: Object, *, widest: bool) -> None:
    """A scheduler at an address, or in a client's pod, and the workers reach each other; nobody reaches the reaper."""
    scheduler = Party("scheduler", address="192.0.2.1")
    place = Place(merge(LOCAL, more), widest=widest, others=[*OTHERS, scheduler])
    own = {"one-worker", "one-gpu", "one-reaper"}
    for name in WORKERS:
        assert place.reach(name, ANY) == (own | CLIENTS | {"scheduler"}) - {name}
        assert place.reached(name, scheduler, 18786)
        assert place.reached(name, place.parties["client-of-one"], 18786)
        assert place.reached(name, INTERNET, 443) is not bool(more)
    assert place.reached("one-reaper", scheduler, 18786)
    assert place.reached("one-reaper", API, 6443)
    assert place.reach("one-reaper", COMM) == set()


@pytest.mark.parametrize(
    ("url", "cidr", "port"),
    [
        ("tcp://192.0.2.1:18786", "192.0.2.1/32", 18786),
        ("tls://[2001:db8::7]:8786/", "2001:db8::7/128", 8786),
        ("192.0.2.1", "192.0.2.1/32", 8786),
    ],
)
def test_addresses(url: str, cidr: str, port: int) -> None:
    """Whatever way an address is written, the rules have it."""
    encrypted = {"tls": {"secretName": "s"}} if url.startswith("tls:") else {}
    objects = render(merge(LOCAL, RESTRICTED, encrypted, {"worker": {"custom_scheduler_url": url}}))
    spec = one([item for item in objects if item["kind"] == "NetworkPolicy"], "NetworkPolicy", "worker")["spec"]
    assert {"ipBlock": {"cidr": cidr}} in spec["ingress"][0]["from"]
    (rule,) = (rule for rule in spec["egress"] if {"ipBlock": {"cidr": cidr}} in rule.get("to", ()))
    assert rule["ports"] == [{"port": port, "protocol": "TCP"}]


def test_a_scheduler_by_its_name() -> None:
    """What policies can't know is refused where it would be cut off, and only there."""
    named: Object = merge(LOCAL, {"worker": {"custom_scheduler_url": "tcp://scheduler.example.com:8786"}})
    said = refusal(merge(named, RESTRICTED))
    for words in ("scheduler.example.com", "networkPolicy.egress.rules", "worker.custom_scheduler_url"):
        assert words in said
    for fine in (
        {},
        {"networkPolicy": {"enabled": False, "egress": {"restricted": True}}},
        {"networkPolicy": {"egress": {"restricted": True, "rules": [{"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}]}}},
    ):
        assert render(merge(named, fine))


# Where pods may connect to ------------------------------------------------------------------------------


def test_everywhere_by_default() -> None:
    """Workers read their data from anywhere."""
    place = Place({})
    assert all(place.reached(name, INTERNET, 443) for name in OWN)


@pytest.mark.parametrize("more", [{}, {"agent": {"enabled": False}}], ids=["agent", "no agent"])
def test_restricted(more: Object) -> None:
    """Each other and DNS, and the scheduler's agent the API server; nothing else, and clients come in as before."""
    place = Place(merge(RESTRICTED, more), widest=False)
    agent = not more
    for name in OWN:
        assert all(place.reached(name, place.parties[other], ANY) for other in WORKERS)
        assert all(place.reached(name, DNS, 53, protocol) for protocol in ("UDP", "TCP"))
        assert not place.reached(name, DNS, 54)
        assert not place.reached(name, INTERNET, 80)
        assert not place.reached(name, place.parties["two-worker"], ANY)
        assert place.reached(name, API, 6443) is (agent and name == "one-scheduler")
    assert place.reach("one-scheduler", COMM) == WORKERS | CLIENTS


def test_restricted_further() -> None:
    """Name servers and API server can be told by where they are, and other rules add to what is left."""
    egress = {
        "restricted": True,
        "dns": {"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}]},
        "apiServer": {"to": [{"ipBlock": {"cidr": "192.0.2.9/32"}}]},
        "rules": [{"to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}], "ports": [{"port": 443}]}],
    }
    place = Place({"networkPolicy": {"egress": egress}}, widest=False)
    for name in OWN:
        assert place.reached(name, DNS, 53, "UDP")
        assert not place.reached(name, INTERNET, 53, "UDP")
        assert place.reached(name, INTERNET, 443)
        assert not place.reached(name, INTERNET, 6443)
    assert place.reached("one-scheduler", API, 6443)
    assert not place.reached("one-worker", API, 6443)


# Objects ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("helm", ["helm", "helm3"])
@pytest.mark.parametrize("values", [row[1] for row in TABLE] + [LOCAL, RESTRICTED], ids=str)
def test_kubernetes_knows_them(values: Object, helm: str) -> None:
    """Every policy is valid, says which ways it speaks of, and has no peer or rule that is there by mistake."""
    policies = [item for item in render(values, helm=helm) if item["kind"] == "NetworkPolicy"]
    assert policies
    for item in policies:
        kubernetes_validate.validate(item, "1.34", strict=True)
        assert "Ingress" in item["spec"]["policyTypes"]
        assert [rule for rule in item["spec"].get("ingress") or () if not rule.get("from")] == []
    assert {item["metadata"]["name"] for item in policies} <= {
        f"demo-dask-{role}" for role in ("scheduler", "worker", "reaper", "test")
    }


def test_everything() -> None:
    """With every value the policies are still valid, and a release's own label decides."""
    objects = [item for item in render({}, EVERYTHING) if item["kind"] == "NetworkPolicy"]
    assert len(objects) == 4
    client = Party("c", "x", {"example.com/dask": "demo"}, {"example.com/notebooks": "yes"})
    scheduler = next(item for item in _pods_of_everything() if item.labels[contract.COMPONENT_LABEL] == "scheduler")
    found = Policies([("ns", item) for item in objects])
    assert found.admit(client, scheduler, COMM)
    assert not found.admit(
        Party("d", "x", {"example.com/dask": "other"}, {"example.com/notebooks": "yes"}), scheduler, COMM
    )


def _pods_of_everything() -> list[Party]:
    return [
        Party(item["metadata"]["name"], "ns", item["spec"]["template"]["metadata"]["labels"])
        for item in render({}, EVERYTHING)
        if item["kind"] == "Deployment"
    ]


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ({"client": {"from": [{}]}}, ["networkPolicy", "from"]),
        ({"client": {"from": [{"cidr": "10.0.0.0/8"}]}}, ["cidr"]),
        ({"client": {"outside": ["203.0.113.5"]}}, ["outside"]),
        ({"client": {"label": "not a label"}}, ["label"]),
        ({"dashboard": {"from": [{"ipBlock": {}}]}}, ["cidr"]),
        ({"egress": {"dns": {"ports": []}}}, ["ports"]),
        ({"egress": {"dns": {"ports": ["dns"]}}}, ["ports"]),
        ({"egress": {"restrict": True}}, ["restrict"]),
    ],
)
def test_refusals(policy: Object, words: list[str]) -> None:
    """What Kubernetes would refuse, or take for everybody, is refused by its key."""
    said = refusal({"networkPolicy": policy})
    assert [word for word in words if word not in said] == []


def test_python_knows_the_label() -> None:
    """The label that Python's errors name is the chart's."""
    assert f"key: {LABEL}\n" in text({})
