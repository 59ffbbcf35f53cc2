"""The public face and the promises that hold the parts together."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import dask_kubernetes_helm
from dask_kubernetes_helm import HelmCluster, errors
from dask_kubernetes_helm.rights import permissions
from tests import versions

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "dask_kubernetes_helm"
NEEDED = list(dict.fromkeys(permissions.installing({}, outside=True)))


def test_public_names() -> None:
    """What the package gives is what it lists, in order."""
    assert dask_kubernetes_helm.__all__ == sorted(dask_kubernetes_helm.__all__)
    for name in dask_kubernetes_helm.__all__:
        assert hasattr(dask_kubernetes_helm, name)


def test_one_tree_of_errors() -> None:
    """Every error of ours has the common base, is drawn in the tree, and is documented."""
    for name, item in inspect.getmembers(errors, inspect.isclass):
        if issubclass(item, Exception) and item.__module__ == errors.__name__:
            assert issubclass(item, errors.HelmClusterError | Warning)
            assert name in (errors.__doc__ or "").split()
            assert item.__doc__


FOLDERS = sorted(path.parent for path in PACKAGE.glob("*/__init__.py"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_folder_says_what_it_is_for(folder: Path) -> None:
    """Each folder of the package opens with what belongs to it, what never does, and each of its modules by name."""
    said = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
    assert "Belongs here: " in said
    assert "Never here: " in said
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert modules <= set(re.findall(r"`(\w+)`", said))


@pytest.mark.parametrize("verb", ["scale", "upgrade", "wait_for_workers", "get_logs", "diagnose", "lost_workers"])
def test_a_verb_and_its_coroutine_have_the_same_parameters(verb: str) -> None:
    """The public verb only chooses between blocking and awaiting."""
    public = list(inspect.signature(getattr(HelmCluster, verb)).parameters)
    assert public == list(inspect.signature(getattr(HelmCluster, f"_{verb}")).parameters)


def test_versions_agree() -> None:
    """Package, chart, changelog and installed metadata have one version."""
    assert len(set(versions.versions().values())) == 1, versions.versions()


def test_importing_is_cheap() -> None:
    """Importing the package imports neither Kubernetes, Helm nor the progress display."""
    script = "import sys, dask_kubernetes_helm; print(sorted({name.split('.')[0] for name in sys.modules}))"
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    for name in ("kubernetes", "pyhelm3", "pydantic", "aiohttp", "rich", "jsonschema"):
        assert f"'{name}'" not in printed


def test_the_wheel_has_chart_and_values(tmp_path: Path) -> None:
    """What is installed from PyPI can install the chart."""
    build = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    data = "dask_kubernetes_helm/_data"
    for folder in ("chart", "values"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file():
                assert f"{data}/{folder}/{path.relative_to(ROOT / folder)}" in packed
    assert {f"{data}/roles/{path.name}" for path in (ROOT / "docs/roles").iterdir()} <= packed
    assert {"dask_kubernetes_helm/py.typed", "dask_kubernetes_helm/kubernetes.yaml"} <= packed


def test_the_documented_role_is_enough() -> None:
    """docs/roles/helm.yaml grants all that the preflight asks for."""
    import yaml

    rules = yaml.safe_load((ROOT / "docs/roles/helm.yaml").read_text())["rules"]
    assert permissions.missing(rules, NEEDED) == []


@pytest.mark.parametrize("dropped", NEEDED, ids=str)
def test_each_missing_permission_is_noticed(dropped: permissions.Permission) -> None:
    """Taking away one verb of one kind is told as that."""
    rules = [
        {"verbs": [item.verb], "apiGroups": [item.group], "resources": [item.resource]}
        for item in NEEDED
        if item != dropped
    ]
    assert [dropped] == permissions.missing(rules, NEEDED)
    assert permissions.missing([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}], NEEDED) == []
