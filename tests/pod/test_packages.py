"""Packages that pip installs before Dask starts: beside the image's own, found by Dask, and told when they fail."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import pytest

from dask_kubernetes_helm_pod import packages
from tests.wheels import wheel

DASK = [f"dask=={importlib.metadata.version('dask')}", f"distributed=={importlib.metadata.version('distributed')}"]


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all that pip looks into."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def started(folder: Path, *command: str) -> str:
    """What a command prints that is started with the packages."""
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": "/image"}
    packages.enter(environment, folder)
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def test_what_is_installed_is_found(wheels: Path, tmp_path: Path) -> None:
    """Modules and programs are there for whatever is started; the image's own programs come first."""
    wheel(wheels, "lacking")
    wheel(wheels, "asked")
    folder = tmp_path / "packages"
    assert packages.install(["lacking"], ["asked"], folder) == 0
    assert started(folder, "lacking") == started(folder, "asked") == "1.0\n"
    script = "import asked, json, sys; print(json.dumps(sys.path))"
    found = json.loads(started(folder, sys.executable, "-c", script))
    assert found.index(str(packages.site_packages(folder))) < found.index("/image")
    assert "/usr/bin" in started(folder, "sh", "-c", "command -v sh")


def test_installing_again_begins_anew(wheels: Path, tmp_path: Path) -> None:
    """A container that is started again, perhaps after half an installation, has what it was told and no more."""
    wheel(wheels, "lacking")
    wheel(wheels, "asked")
    folder = tmp_path / "packages"
    packages.install(["lacking"], [], folder)
    packages.install(["asked"], [], folder)
    assert not (packages.site_packages(folder) / "lacking.py").exists()
    assert started(folder, "asked") == "1.0\n"


def test_the_images_dask_stays(wheels: Path, tmp_path: Path) -> None:
    """A package that needs Dask has the image's; one that needs a newer one is refused by pip."""
    wheel(wheels, "distributed", "9999.0")
    wheel(wheels, "content", requires="distributed>=2024")
    wheel(wheels, "demanding", requires="distributed>=9999")
    folder = tmp_path / "packages"
    assert packages.install(["content"], [], folder) == 0
    assert not list(packages.site_packages(folder).glob("distributed*"))
    assert packages.install(["demanding"], [], folder) == 1


def test_a_dask_that_is_asked_for(wheels: Path, tmp_path: Path) -> None:
    """Who names Dask itself means another one than the image's."""
    wheel(wheels, "distributed", "9999.0")
    folder = tmp_path / "packages"
    assert packages.install([], ["distributed==9999.0"], folder) == 0
    assert (packages.site_packages(folder) / "distributed-9999.0.dist-info").is_dir()


def test_the_users_own_constraints(wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What PIP_CONSTRAINT names holds beside the image's Dask."""
    wheel(wheels, "lacking", "1.0")
    wheel(wheels, "lacking", "2.0")
    (tmp_path / "own.txt").write_text("lacking<2\n")
    monkeypatch.setenv("PIP_CONSTRAINT", str(tmp_path / "own.txt"))
    folder = tmp_path / "packages"
    assert packages.install(["lacking"], [], folder) == 0
    assert started(folder, "lacking") == "1.0\n"


@pytest.mark.parametrize(
    ("requirement", "name"),
    [
        ("s3fs", "s3fs"),
        ("Dask_ML[all]>=2,<3", "dask-ml"),
        ("distributed @ https://example.com/a.whl", "distributed"),
        ("git+https://github.com/dask/distributed", "distributed"),
        ("git+ssh://git@github.com/dask/distributed.git@main#egg=x", "distributed"),
        ("https://github.com/dask/dask/", "dask"),
        ("--pre", ""),
    ],
)
def test_what_a_requirement_names(requirement: str, name: str) -> None:
    """The project is told from a requirement or an address."""
    assert packages.named(requirement) == name


def test_pins() -> None:
    """Dask's parts are held together: either both or none."""
    assert packages.pins(["s3fs", "dask-ml"]) == DASK
    assert packages.pins(["s3fs", "dask"]) == packages.pins(["git+https://github.com/dask/distributed"]) == []


def test_no_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without pip what the values ask for fails, and what only a variable asks the image for is told."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert packages.install(["s3fs"], [], tmp_path) == 1
    assert packages.install([], ["s3fs"], tmp_path) == 0
    assert capsys.readouterr().err.count("has no pip: s3fs can't be installed") == 2
    assert packages.install([], [], tmp_path) == 0


def test_a_failure_is_told(wheels: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What pip can't find ends with its exit code and a last line that names the packages."""
    assert packages.install(["nowhere"], [], tmp_path / "packages") == 1
    said = capfd.readouterr().err
    assert "No matching distribution found for nowhere" in said
    assert said.splitlines()[-1].startswith("pip could not install nowhere: exit code 1.")


def test_running(tmp_path: Path) -> None:
    """`run` takes the place of itself by the command, and says which it can't find."""
    file = packages.__file__
    told = [sys.executable, file, "run", "sh", "-c", "echo $PYTHONPATH"]
    assert str(packages.FOLDER) in subprocess.run(told, capture_output=True, text=True, check=True).stdout
    gone = subprocess.run([sys.executable, file, "run", "nowhere"], capture_output=True, text=True, check=False)
    assert (gone.returncode, gone.stderr) == (127, "Can't start nowhere: No such file or directory\n")
