"""What `make package` builds: the same each time and anywhere, and whole."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

from tests.chart.helm import CHART, ROOT, VALUES, render, run
from tests.publishing import changelog, sbom


def _build(root: Path, folder: Path, epoch: int) -> dict[str, bytes]:
    """All that a checkout's `make package` builds, by name."""
    environment = {**os.environ, "PYTHONPATH": str(root), "SOURCE_DATE_EPOCH": str(epoch)}
    command = [sys.executable, "-m", "tests.publishing.package", str(folder)]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _copy(folder: Path) -> Path:
    """Another checkout: the same files, written at another time, for nobody else to read."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        target = folder / name
        if (ROOT / name).is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target)
            target.chmod(0o700 if os.access(ROOT / name, os.X_OK) else 0o600)
    (folder / "chart/files/dask_kubernetes_helm_pod/__pycache__").mkdir()
    (folder / "chart/files/dask_kubernetes_helm_pod/__pycache__/agent.cpython-311.pyc").write_bytes(b"left by a test")
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """What the checkout builds, and where it lies."""
    folder = tmp_path_factory.mktemp("built")
    return folder, _build(ROOT, folder, 1_700_000_000)


def test_two_builds_are_the_same(built, tmp_path: Path) -> None:
    """A second build, in another folder, of files with other times and modes, is the same byte for byte."""
    _, first = built
    second = _build(_copy(tmp_path / "checkout"), tmp_path / "dist", 1_700_000_000)
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_the_time_is_the_commits(built, tmp_path: Path) -> None:
    """Every file of wheel, sdist and chart has the time that SOURCE_DATE_EPOCH says."""
    folder, _ = built
    for pattern in ("*.tgz", "*.tar.gz"):
        with tarfile.open(next(folder.glob(pattern))) as archive:
            assert {(member.mtime, member.uid, member.uname) for member in archive.getmembers()} == {
                (1_700_000_000, 0, "")
            }
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        assert {entry.date_time for entry in wheel.infolist()} == {(2023, 11, 14, 22, 13, 20)}


def test_what_is_built(built) -> None:
    """There is a wheel, an sdist, a chart and a recipe of the changelog's version, and the sums of all of them."""
    _, files = built
    version = changelog.newest().version
    name = f"dask_kubernetes_helm-{version}"
    made = {f"{name}-py3-none-any.whl", f"{name}.tar.gz", f"dask-{version}.tgz", "recipe.yaml"}
    assert files.keys() == {*made, "SHA256SUMS"}
    sums = dict(reversed(line.split()) for line in files["SHA256SUMS"].decode().splitlines())
    assert sums == {name: hashlib.sha256(files[name]).hexdigest() for name in made}
    recipe = yaml.safe_load(files["recipe.yaml"])
    assert recipe["source"]["sha256"] == sums[f"{name}.tar.gz"]


def test_the_packed_chart(built) -> None:
    """It has README, licence and schema, nothing that only its making needs, and renders as the folder does."""
    folder, _ = built
    (packed,) = folder.glob("*.tgz")
    with tarfile.open(packed) as archive:
        names = archive.getnames()
    assert names[0] == "dask/Chart.yaml"
    assert {"dask/README.md", "dask/LICENSE", "dask/values.schema.json"} <= set(names)
    assert [name for name in names if name.endswith((".pyc", ".gotmpl", "/"))] == []
    assert render() == render(chart=packed)


@pytest.mark.parametrize("helm", ["helm", "helm3"])
def test_both_helms_take_the_packed_chart(built, helm: str) -> None:
    """It is without a finding for both."""
    folder, _ = built
    (packed,) = folder.glob("*.tgz")
    said = run("lint", "--strict", str(packed), helm=helm)
    assert said.returncode == 0, said.stdout
    assert "icon is recommended" not in said.stdout
    assert "[WARNING]" not in said.stdout


def test_the_wheel_carries_chart_values_and_roles(built) -> None:
    """Whoever installs from PyPI can install the chart, in every environment, and print the Roles; no bytecode."""
    folder, _ = built
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
        data = "dask_kubernetes_helm/_data"
        for path in [*CHART.rglob("*"), *VALUES.rglob("*")]:
            if path.is_file() and "__pycache__" not in path.parts:
                assert wheel.read(f"{data}/{path.relative_to(ROOT)}") == path.read_bytes()
    assert {f"{data}/roles/{path.name}" for path in (ROOT / "docs/roles").iterdir()} <= names
    assert [name for name in names if name.endswith(".pyc")] == []


def test_the_sbom_of_the_wheel(built, tmp_path: Path) -> None:
    """It has the wheel and all that it requires, each with its version, and no path of this machine."""
    folder, _ = built
    (wheel,) = folder.glob("*.whl")
    made = sbom.of_wheel(wheel, tmp_path)
    found = sbom.components(made)
    assert found["dask-kubernetes-helm"] == changelog.newest().version
    assert {
        "click",
        "dask",
        "distributed",
        "jinja2",
        "jsonschema",
        "kubernetes",
        "pyhelm3",
        "pyyaml",
        "rich",
    } <= found.keys()
    assert [name for name, version in found.items() if not version] == []
    assert [path for path in (folder, ROOT, Path.home()) if str(path) in made.read_text()] == []


def test_the_sdist_builds_the_same_wheel(built, tmp_path: Path) -> None:
    """What conda-forge builds from the sdist is what PyPI has."""
    folder, files = built
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    command = [
        sys.executable,
        "-m",
        "build",
        "--no-isolation",
        "--wheel",
        "--outdir",
        str(tmp_path / "out"),
        str(source),
    ]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    subprocess.run(command, env=environment, capture_output=True, check=True)
    (wheel,) = (tmp_path / "out").iterdir()
    assert files[wheel.name] == wheel.read_bytes()
