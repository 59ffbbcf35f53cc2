"""Which permissions a release needs by its values; that the documented Roles grant them is test_rbac's."""

from __future__ import annotations

from typing import Any

import pytest

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.rights import permissions
from dask_kubernetes_helm.rights.permissions import Permission, installing

LOCAL: dict[str, Any] = {"scheduler": {"enabled": False}}
NO_BUDGET: dict[str, Any] = {"scheduler": {"podDisruptionBudget": {"enabled": False}}}
NO_POLICIES: dict[str, Any] = {"networkPolicy": {"enabled": False}}
NO_AGENT: dict[str, Any] = {"agent": {"enabled": False}}
RBAC = {"roles.rbac.authorization.k8s.io", "rolebindings.rbac.authorization.k8s.io"}
FORWARD = "get pods/portforward"


def said(values: dict[str, Any], *, outside: bool = True) -> set[str]:
    """What is needed, as people say it."""
    return {str(item) for item in installing(values, outside=outside)}


def resources(needed: set[str]) -> set[str]:
    return {text.partition(" ")[2] for text in needed}


def test_the_least() -> None:
    """All that the chart creates can be created and removed, Helm's records written, and a release be attached to."""
    needed = said({})
    for group, resource in (*contract.INSTALLED, ("", "secrets")):
        for verb in ("create", "get", "delete"):
            assert str(Permission(verb, group, resource)) in needed
    # Helm's records are Secrets; owners that nobody has any more are ConfigMaps.
    assert {"list configmaps", "list secrets", "patch secrets", "update secrets"} <= needed
    assert {str(item) for item in permissions.ATTACH} <= needed
    assert FORWARD in needed


def test_server_side_apply() -> None:
    """Helm 4 patches what it creates, so each kind that the chart creates takes that right as well."""
    more = {str(item) for item in set(installing({}, outside=True, applied=True)) - set(installing({}, outside=True))}
    assert more == {str(Permission("patch", group, resource)) for group, resource in contract.INSTALLED}


def test_inside_nothing_is_forwarded() -> None:
    """A process in the cluster reaches the scheduler by its Service."""
    assert said({}) - said({}, outside=False) == {FORWARD}


@pytest.mark.parametrize(
    ("values", "added"),
    [
        ({"webUI": {"ingress": {"enabled": True}}}, {"ingresses.networking.k8s.io"}),
        ({"webUI": {"httpRoute": {"enabled": True}}}, {"httproutes.gateway.networking.k8s.io"}),
        ({"webUI": {"ingress": {"enabled": True}}, **LOCAL}, set()),
        ({"jupyter": {"ingress": {"enabled": True}, "persistence": {"enabled": True}}}, set()),
        ({"jupyter": {"enabled": True}, "webUI": None}, set()),
        (
            {"jupyter": {"enabled": True, "ingress": {"enabled": True}, "persistence": {"enabled": True}}},
            {"ingresses.networking.k8s.io", "persistentvolumeclaims"},
        ),
        ({"jupyter": {"enabled": True, "persistence": {"enabled": True, "existingClaim": "c"}}}, set()),
    ],
)
def test_ways_in(values: dict[str, Any], added: set[str]) -> None:
    """Routes and volumes are needed only where there are to be some."""
    before = {name: values[name] for name in values if name == "scheduler"}
    assert said(values) - said(before) == {f"{verb} {kind}" for verb in ("create", "get", "delete") for kind in added}


@pytest.mark.parametrize(
    ("worker", "expected"),
    [
        ({}, False),
        ({"groups": {"a": {}, "b": None}}, False),
        ({"podDisruptionBudget": {"enabled": True}}, True),
        ({"podDisruptionBudget": {"minAvailable": 1}}, False),
        ({"groups": {"a": {"podDisruptionBudget": {"enabled": True}}}}, True),
        (
            {"podDisruptionBudget": {"enabled": True}, "groups": {"a": {"podDisruptionBudget": {"enabled": False}}}},
            True,
        ),
    ],
)
def test_a_budget(worker: dict[str, Any], *, expected: bool) -> None:
    """Rights to PodDisruptionBudgets are needed where the scheduler or any group has one; else nothing changes."""
    dropped = said({}) - said({**NO_BUDGET, "worker": worker})
    assert resources(dropped) == (set() if expected else {"poddisruptionbudgets.policy"})
    assert said({"scheduler": {"podDisruptionBudget": {"maxUnavailable": 0}}}) == said({"scheduler": None}) == said({})


def test_policies() -> None:
    """Without NetworkPolicies no right to them is needed, and nothing else changes."""
    assert resources(said({}) - said(NO_POLICIES)) == {"networkpolicies.networking.k8s.io"}
    assert said({"networkPolicy": None}) == said({"networkPolicy": {"egress": {"restricted": True}}}) == said({})


def test_a_local_scheduler() -> None:
    """Without a scheduler there is neither Service, forwarding nor budget, whatever the values say of them."""
    dropped = said({}) - said(LOCAL)
    assert resources(dropped) == {"services", "pods/portforward", "poddisruptionbudgets.policy"}
    assert said(LOCAL) < said({})
    both = {"scheduler": {**LOCAL["scheduler"], "podDisruptionBudget": {"enabled": True}}}
    assert said(both) == said(LOCAL) == said(LOCAL, outside=False)


@pytest.mark.parametrize("values", [{}, LOCAL, NO_BUDGET], ids=["remote", "local", "no budget"])
def test_without_an_agent(values: dict[str, Any]) -> None:
    """Without an agent no Role is made, so no right to roles is needed, and nothing else changes."""
    dropped = said(values) - said({**values, **NO_AGENT})
    assert resources(dropped) == RBAC
    assert resources(said(values)) >= RBAC
    assert said({**values, "agent": None}) == said({**values, "agent": {}}) == said(values)


@pytest.mark.parametrize(
    ("values", "expected"),
    [({}, True), (NO_AGENT, False), ({"agent": {"enabled": True}}, True), ({"agent": None}, True)],
)
def test_whether_there_is_an_agent(values: dict[str, Any], expected: object) -> None:
    """There is one unless the values say otherwise."""
    assert permissions.has_agent(values) is expected


def test_monitors() -> None:
    """Monitors and rules take rights where the values have some here; those elsewhere are not this namespace's."""
    here = {"metrics": {"podMonitor": {"enabled": True}, "prometheusRule": {"enabled": True, "namespace": "other"}}}
    more = set(installing(here, outside=False)) - set(installing({}, outside=False))
    assert {(item.group, item.resource) for item in more} == {("monitoring.coreos.com", "podmonitors")}


@pytest.mark.parametrize("values", [{}, LOCAL, NO_BUDGET, NO_POLICIES, NO_AGENT, {**LOCAL, **NO_AGENT}], ids=str)
@pytest.mark.parametrize("outside", [False, True])
def test_each_of_them_is_missed(values: dict[str, Any], *, outside: bool) -> None:
    """Whatever is needed is told when it is not granted, once, and nothing else is."""
    needed = list(dict.fromkeys(installing(values, outside=outside)))
    rules = [{"verbs": [item.verb], "apiGroups": [item.group], "resources": [item.resource]} for item in needed]
    assert permissions.missing(rules, needed) == []
    for index, item in enumerate(needed):
        assert permissions.missing(rules[:index] + rules[index + 1 :], needed) == [item]


def test_a_right_by_name_is_none() -> None:
    """A rule for single names grants nothing of a kind."""
    rule = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "resourceNames": ["mine"]}
    needed = [Permission("list", "", "pods")]
    assert permissions.missing([rule], needed) == needed
