"""What NetworkPolicies admit, worked out from the objects alone: no engine that enforces them is needed.

Belongs here: Kubernetes' rules for policies, as far as its documentation fixes them. Never here: what must be true of
the chart.

Source: https://kubernetes.io/docs/concepts/services-networking/network-policies/.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True)
class Party:
    """Who connects, or is connected to: a pod, or an address that is none."""

    name: str
    #: Empty: no pod.
    namespace: str = ""
    labels: Object = field(default_factory=dict, hash=False)
    #: Labels of its namespace, besides the one that each has.
    around: Object = field(default_factory=dict, hash=False)
    address: str = "10.0.0.1"
    #: The node that it is on; a party that is no pod but has one is that node itself, with its kubelet.
    node: str = ""
    #: Its named ports.
    ports: Object = field(default_factory=dict, hash=False)
    #: Whether it has its node's network; policies know nothing of such pods but their address.
    on_host: bool = False

    @property
    def is_pod(self) -> bool:
        """Whether policies can tell it by labels."""
        return bool(self.namespace) and not self.on_host


@dataclass(frozen=True)
class _Port:
    """Where a connection goes to."""

    target: Party
    number: int
    protocol: str

    def is_among(self, ports: list[Object] | None) -> bool:
        """Whether a rule's ports have it; one that says none has all."""
        return not ports or any(map(self._is, ports))

    def _is(self, item: Object) -> bool:
        first = item.get("port")
        number = self.target.ports.get(first) if isinstance(first, str) else first
        if item.get("protocol", "TCP") != self.protocol:
            return False
        return first is None or (number is not None and number <= self.number <= item.get("endPort", number))


@dataclass(frozen=True)
class Policies:
    """All NetworkPolicies of a cluster, with their namespaces.

    `widest`: whether an ipBlock takes pods as well. Kubernetes leaves that to the engine, so what must be refused is
    asked of the widest reading, and what must be admitted of the narrowest.
    """

    objects: list[tuple[str, Object]]
    widest: bool = True

    def admit(self, source: Party, target: Party, port: int, protocol: str = "TCP") -> bool:
        """Whether a connection is made: the source's egress and the target's ingress both have to let it through."""
        if source == target or _is_nodes_own(source, target) or _is_nodes_own(target, source):
            return True
        to = _Port(target, port, protocol)
        return self._lets("Egress", source, target, to) and self._lets("Ingress", target, source, to)

    def _lets(self, way: str, guarded: Party, other: Party, to: _Port) -> bool:
        """Whether a party's own policies let it through: any rule of any of them; without a policy everything is."""
        mine = [
            (namespace, policy["spec"])
            for namespace, policy in self.objects
            if guarded.is_pod
            and namespace == guarded.namespace
            and selects(policy["spec"]["podSelector"], guarded.labels)
            and way in policy_types(policy["spec"])
        ]
        peers = {"Ingress": "from", "Egress": "to"}[way]
        return not mine or any(
            self._is_peer(rule.get(peers), namespace, other) and to.is_among(rule.get("ports"))
            for namespace, spec in mine
            for rule in spec.get(way.lower()) or ()
        )

    def _is_peer(self, peers: list[Object] | None, namespace: str, party: Party) -> bool:
        return not peers or any(self._matches(peer, namespace, party) for peer in peers)

    def _matches(self, peer: Object, namespace: str, party: Party) -> bool:
        if "ipBlock" in peer:
            return (self.widest or not party.is_pod) and _within(peer["ipBlock"], party.address)
        if not party.is_pod:
            return False
        around = {**party.around, "kubernetes.io/metadata.name": party.namespace}
        there = (
            selects(peer["namespaceSelector"], around) if "namespaceSelector" in peer else party.namespace == namespace
        )
        return there and selects(peer.get("podSelector", {}), party.labels)


def policy_types(spec: Object) -> list[str]:
    """Which ways a policy speaks of, where it does not say: in, and out if it has rules for that."""
    return list(spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])])


def selects(selector: Object, labels: Object) -> bool:
    """Whether a label selector takes something; an empty one takes everything."""
    wanted = selector.get("matchLabels") or {}
    return wanted.items() <= labels.items() and all(
        _is_true(expression, labels) for expression in selector.get("matchExpressions") or ()
    )


def _is_true(expression: Object, labels: Object) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values") or ()
    return {
        "In": value is not None and value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }[expression["operator"]]


def _within(block: Object, address: str) -> bool:
    found = ipaddress.ip_address(address)
    return found in ipaddress.ip_network(block["cidr"]) and not any(
        found in ipaddress.ip_network(hole) for hole in block.get("except") or ()
    )


def _is_nodes_own(one: Party, other: Party) -> bool:
    """A node always reaches the pods on it: probes and port-forwards come from there."""
    return not one.namespace and bool(one.node) and one.node == other.node
