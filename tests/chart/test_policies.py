"""The evaluator of NetworkPolicies itself: Kubernetes' rules, one by one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chart.policies import Object, Party, Policies, policy_types, selects

A = Party("a", "ns", {"app": "a"}, address="10.0.0.1", node="n1")
B = Party("b", "ns", {"app": "b"}, address="10.0.0.2", node="n1", ports={"web": 80})
FAR = Party("far", "other", {"app": "a"}, {"team": "x"}, address="10.0.1.1")
OUTSIDE = Party("outside", address="203.0.113.5")
NODE, OTHER_NODE = Party("node", address="10.9.0.1", node="n1"), Party("node", address="10.9.0.2", node="n2")
TO_B: Object = {"podSelector": {"matchLabels": {"app": "b"}}}


def policies(*specs: Object, widest: bool = True) -> Policies:
    return Policies([("ns", {"spec": spec}) for spec in specs], widest=widest)


def admitted(found: Policies, port: int = 80, protocol: str = "TCP") -> set[str]:
    """Who reaches B."""
    return {party.name for party in (A, FAR, OUTSIDE) if found.admit(party, B, port, protocol)}


def of_peer(peer: Object, **more: Any) -> Policies:
    return policies({**TO_B, "ingress": [{"from": [peer], **more}]})


def test_without_a_policy_everything_goes() -> None:
    """A pod that no policy selects is open, whatever policies of other pods and namespaces say."""
    assert admitted(policies()) == {"a", "far", "outside"}
    assert admitted(policies({"podSelector": {"matchLabels": {"app": "a"}}, "ingress": []})) == {"a", "far", "outside"}
    assert admitted(Policies([("other", {"spec": TO_B})])) == {"a", "far", "outside"}


@pytest.mark.parametrize("spec", [{}, {"ingress": []}, {"policyTypes": ["Ingress"]}])
def test_one_that_says_nothing_lets_nobody_in(spec: Object) -> None:
    """A pod that a policy selects is closed but for what the rules say."""
    assert admitted(policies({**TO_B, **spec})) == set()
    assert admitted(policies({"podSelector": {}, **spec})) == set()


def test_a_rule_without_peers_or_ports_admits_all() -> None:
    """Nothing said, or an empty list, is no limit."""
    for rule in ({}, {"from": []}, {"ports": []}):
        assert admitted(policies({**TO_B, "ingress": [rule]})) == {"a", "far", "outside"}


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ({"podSelector": {}}, {"a"}),
        ({"podSelector": {"matchLabels": {"app": "c"}}}, set()),
        ({"namespaceSelector": {}}, {"a", "far"}),
        ({"namespaceSelector": {"matchLabels": {"team": "x"}}}, {"far"}),
        ({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ns"}}}, {"a"}),
        ({"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "c"}}}, set()),
        ({"namespaceSelector": {"matchLabels": {"team": "x"}}, "podSelector": {"matchLabels": {"app": "a"}}}, {"far"}),
        ({"ipBlock": {"cidr": "203.0.113.0/24"}}, {"outside"}),
        ({"ipBlock": {"cidr": "203.0.113.0/24", "except": ["203.0.113.5/32"]}}, set()),
        ({"ipBlock": {"cidr": "0.0.0.0/0"}}, {"a", "far", "outside"}),
        ({"ipBlock": {"cidr": "::/0"}}, set()),
    ],
)
def test_peers(peer: Object, expected: set[str]) -> None:
    """Within a peer selectors are both needed; one of pods alone means the policy's own namespace."""
    assert admitted(of_peer(peer)) == expected


def test_blocks_by_the_narrowest_reading() -> None:
    """Where an engine takes addresses for those of no pods, a block admits none."""
    spec = {**TO_B, "ingress": [{"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]}
    assert admitted(policies(spec, widest=False)) == {"outside"}


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        ({"port": 80}, {80}),
        ({"port": "web"}, {80}),
        ({"port": "ssh"}, set()),
        ({"port": 80, "protocol": "UDP"}, set()),
        ({"port": 79, "endPort": 81}, {80, 81}),
        ({"protocol": "TCP"}, {80, 81}),
    ],
)
def test_ports(port: Object, expected: set[int]) -> None:
    """A number, a name of the target's, a range, or any of a protocol, which is TCP unless it is said."""
    found = of_peer({"podSelector": {}}, ports=[port])
    assert {number for number in (80, 81) if found.admit(A, B, number)} == expected


def test_policies_add_up() -> None:
    """One policy can't take back what another one gives; peers and ports of different rules don't mix."""
    by_label = {**TO_B, "ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 80}]}]}
    by_address = {**TO_B, "ingress": [{"from": [{"ipBlock": {"cidr": "203.0.113.0/24"}}], "ports": [{"port": 81}]}]}
    found = policies(by_label, by_address, {**TO_B, "ingress": []})
    assert admitted(found, 80) == {"a"}
    assert admitted(found, 81) == {"outside"}


def test_both_ends_have_a_say() -> None:
    """What a target admits, the source's own policy can still hold back."""
    out = {"podSelector": {"matchLabels": {"app": "a"}}, "policyTypes": ["Egress"]}
    assert admitted(policies(out)) == {"far", "outside"}
    to_b = {**out, "egress": [{"to": [{"podSelector": {"matchLabels": {"app": "b"}}}], "ports": [{"port": 80}]}]}
    assert admitted(policies(to_b)) == {"a", "far", "outside"}
    assert admitted(policies(to_b), 81) == {"far", "outside"}
    assert not policies(to_b).admit(A, OUTSIDE, 80)
    assert policies(out).admit(B, A, 80)


def test_nodes_and_oneself() -> None:
    """A pod reaches itself, and its own node reaches it; other nodes are addresses like any."""
    closed = policies({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})
    assert closed.admit(B, B, 80)
    assert closed.admit(NODE, B, 80)
    assert closed.admit(B, NODE, 80)
    assert not closed.admit(OTHER_NODE, B, 80)


def test_pods_on_the_hosts_network() -> None:
    """No policy guards them, and for others they are an address."""
    host = Party("host", "ns", {"app": "a"}, address="10.9.0.2", node="n2", on_host=True)
    closed = policies({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})
    assert closed.admit(OUTSIDE, host, 80)
    assert not of_peer({"podSelector": {}}).admit(host, B, 80)
    assert of_peer({"ipBlock": {"cidr": "10.9.0.0/16"}}).admit(host, B, 80)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, ["Ingress"]),
        ({"egress": [{}]}, ["Ingress", "Egress"]),
        ({"egress": []}, ["Ingress"]),
        ({"policyTypes": ["Egress"]}, ["Egress"]),
    ],
)
def test_what_a_policy_speaks_of(spec: Object, expected: list[str]) -> None:
    """In by default, out where there are rules for that, or what it says."""
    assert policy_types(spec) == expected


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        ("In", ["b", "c"], {"b"}),
        ("NotIn", ["b"], {"c", "none"}),
        ("Exists", None, {"b", "c"}),
        ("DoesNotExist", None, {"none"}),
    ],
)
def test_expressions(operator: str, values: list[str] | None, expected: set[str]) -> None:
    """What is not there is in no list, so it is not in any."""
    things = {"b": {"k": "b"}, "c": {"k": "d"}, "none": {}}
    selector = {"matchExpressions": [{"key": "k", "operator": operator, "values": values}]}
    assert {name for name, labels in things.items() if selects(selector, labels)} == expected
