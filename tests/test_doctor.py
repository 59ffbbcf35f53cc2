"""The permission doctor: each feature's verbs, what is lacking by name, and a Role that is enough."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.releases import doctor
from dask_kubernetes_helm.rights import features, permissions
from dask_kubernetes_helm.rights.permissions import Permission

ROOT = Path(__file__).parents[1]
NAMES = [feature.name for feature in features.table()]
EVERYTHING = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]


class Asked:
    """An API that has rules, and an authorizer beside them."""

    namespace, credentials = "lab", SimpleNamespace(origin="context 'lab'")

    def __init__(self, rules: list[dict[str, Any]], *, complete: bool = True, besides: tuple[str, ...] = ()) -> None:
        self.rules, self.complete, self.besides = rules, complete, besides
        self.asked: list[str] = []

    async def allowed(self) -> tuple[list[dict[str, Any]], bool]:
        return self.rules, self.complete

    async def may(self, wanted: Permission) -> bool:
        self.asked.append(str(wanted))
        return str(wanted) in self.besides


def documented() -> list[dict[str, Any]]:
    return list(yaml.safe_load((ROOT / "docs/roles/helm.yaml").read_text())["rules"])


async def examined(kube: Asked, certificates: str = "") -> doctor.Permissions:
    return await doctor.examine(kube, certificates)  # type: ignore[arg-type]


async def test_an_administrator_lacks_nothing() -> None:
    """Who may do everything may use every feature, and there is no Role to add."""
    report = await examined(Asked(EVERYTHING))
    assert report.ok
    assert report.role == ""
    assert "NO" not in str(report).replace("NOT", "")
    assert all(report.may(name) for name in NAMES)


@pytest.mark.parametrize("name", [feature.name for feature in features.table() if not feature.optional])
async def test_the_role_that_it_names_is_enough(name: str) -> None:
    """Without one feature's verbs that feature is named with them; with the Role that is printed it has them."""
    (feature,) = (feature for feature in features.table("dask-tls") if feature.name == name)
    others = [Permission("list", "", "bindings")]
    rules = list(yaml.safe_load(features.role(others, "x", "lab"))["rules"])
    report = await examined(Asked(rules), "dask-tls")
    assert not report.may(name)
    more = yaml.safe_load(report.role)
    assert more["metadata"] == {"name": "dask-helm-more", "namespace": "lab"}
    after = await examined(Asked(rules + more["rules"]), "dask-tls")
    assert after.may(name)
    assert after.ok
    assert permissions.missing(more["rules"], feature.needed) == []


async def test_the_documented_role() -> None:
    """docs/roles/helm.yaml is enough for all that every release takes, but for events."""
    report = await examined(Asked(documented()))
    lacking = {feature.name for feature, some in report.lacking.items() if some and not feature.optional}
    assert lacking <= {"events"}


async def test_what_it_says() -> None:
    """A feature that lacks verbs says which, on what, and how to do without; as text, HTML and plain data."""
    rules = [rule for rule in documented() if rule["resources"] != ["pods/log"]]
    report = await examined(Asked(rules))
    (line,) = (line for line in str(report).splitlines() if " logs " in line)
    assert line.split()[:5] == ["NO", "logs", "lacks", "get", "pods/log."]
    assert "pods/log" in report.role
    assert "context 'lab' in namespace lab" in str(report)
    assert "get pods/log" in report._repr_html_()
    told = json.loads(json.dumps(report.to_dict()))
    (logs,) = (item for item in told["features"] if item["feature"] == "logs")
    assert (logs["allowed"], logs["lacks"]) == (False, ["get pods/log"])


async def test_another_authorizer() -> None:
    """Where the rules are not complete, each verb that they lack is asked for by itself, once."""
    known = [str(item) for feature in features.table() for item in feature.needed]
    kube = Asked([], complete=False, besides=tuple(item for item in known if "secrets" not in item))
    report = await examined(kube)
    assert len(kube.asked) == len(set(kube.asked)) == len(set(known))
    assert report.may("scale")
    assert not report.may("encryption")
    assert not report.may("install, upgrade, remove")


async def test_a_role_that_names_the_secret() -> None:
    """The right to get one Secret is enough for a release whose certificates are in it, and for no other."""
    rules = [{"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["dask-tls"]}]
    assert (await examined(Asked(rules), "dask-tls")).may("encryption")
    assert not (await examined(Asked(rules), "other-tls")).may("encryption")


def test_all_that_the_chart_creates_is_somebodys() -> None:
    """Each kind that the chart can create has a feature."""
    kinds = {(item.group, item.resource) for feature in features.table() for item in feature.needed}
    assert {*contract.INSTALLED, *contract.MONITORS.values(), *contract.ROUTES.values(), contract.CLAIMS} <= kinds
