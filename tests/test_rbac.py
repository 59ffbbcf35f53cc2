"""The Roles that the package prints: those of docs/roles, enough for each mode and no more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from dask_kubernetes_helm.__main__ import main
from dask_kubernetes_helm.rights import permissions
from dask_kubernetes_helm.rights.permissions import Permission

ROLES = Path(__file__).parents[1] / "docs/roles"
MODES = ("helm", "remote", "local")


def rbac(*options: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, ["rbac", *options])
    assert code == result.exit_code, result.output
    return result.output


def file(mode: str) -> dict[str, Any]:
    return dict(yaml.safe_load((ROLES / f"{mode}.yaml").read_text()))


def permitted(mode: str) -> set[Permission]:
    return {
        Permission(verb, group, resource)
        for rule in file(mode)["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_every_mode_has_its_file() -> None:
    """There is one Role per mode, and no other file."""
    assert sorted(path.stem for path in ROLES.iterdir()) == sorted(MODES)


@pytest.mark.parametrize("mode", MODES)
def test_the_printed_role_is_the_files(mode: str) -> None:
    """What is printed is the file, but for the name that was asked for."""
    assert yaml.safe_load(rbac("--mode", mode)) == file(mode)
    expected = {**file(mode), "metadata": {"name": "team-a.dask"}}
    assert yaml.safe_load(rbac("--mode", mode, "--name", "team-a.dask")) == expected


def test_the_default_is_that_of_helm_cluster() -> None:
    """Without a mode it is HelmCluster's Role."""
    assert rbac() == rbac("--mode", "helm")


@pytest.mark.parametrize("name", ["dask", "123", "null", "1e3", "yes"])
def test_a_binding_for_a_service_account(name: str) -> None:
    """With a service account, Role and RoleBinding fit each other, even where YAML takes a name for something else."""
    options = ("--name", name, "--service-account", "no", "--namespace", "0x1")
    role, binding = yaml.safe_load_all(rbac(*options))
    assert role["metadata"] == binding["metadata"] == {"name": name, "namespace": "0x1"}
    assert binding["kind"] == "RoleBinding"
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "no", "namespace": "0x1"}]


def test_modes_differ_by_what_they_are() -> None:
    """HelmCluster and a remote KubeCluster make the same; local has nothing that is for a scheduler in the cluster."""
    assert permitted("helm") == permitted("remote")
    dropped = permitted("helm") - permitted("local")
    assert {item.resource for item in dropped} == {"services", "pods/portforward", "poddisruptionbudgets"}
    assert permitted("local") < permitted("helm")


@pytest.mark.parametrize(
    ("mode", "scheduler"),
    [("helm", {}), ("remote", {"podDisruptionBudget": {"maxUnavailable": 0}}), ("local", {"enabled": False})],
)
def test_roles_are_enough(mode: str, scheduler: dict[str, Any]) -> None:
    """What the preflight asks for is granted."""
    needed = permissions.installing({"scheduler": scheduler}, outside=True)
    assert permissions.missing(file(mode)["rules"], needed) == []


def test_help() -> None:
    """The help has an example, and says what each mode is."""
    printed = rbac("--help")
    for words in ("--service-account notebook --namespace team | kubectl apply", "KubeCluster", "helm|remote|local"):
        assert words in printed


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--mode", "operator"], ["'operator'", "helm", "remote", "local"]),
        (["--name", "My_Role"], ["'My_Role'", "--name", "lower-case"]),
        (["--name", ""], ["''"]),
        (["--name", "a\nb: c"], ["is no name"]),
        (["--name", "a" * 254], ["253"]),
        (["--service-account", "a/b", "--namespace", "team"], ["'a/b'", "--service-account"]),
        (["--namespace", "a.b"], ["'a.b'", "63"]),
        (["--service-account", "notebook"], ["needs --namespace"]),
    ],
)
def test_bad_input(options: list[str], words: list[str]) -> None:
    """A mistake is told with what would be right, and nothing is printed that could be applied."""
    printed = rbac(*options, code=2)
    assert "kind: Role" not in printed
    for word in words:
        assert word in printed
