"""An image with Jupyter for notebooks, on top of the one with the official contract.

It has Jupyter's server (without JupyterLab's pages), helm and all that the package at hand requires. The package itself
lies beside as a wheel, where pip finds it, so that the entrypoint installs it as it would from PyPI. Belongs here: that
image, and giving it to the nodes, which only tests ask for. Never here: what is common to all images (image.py).
"""

from __future__ import annotations

import compileall
import os
import py_compile
import shutil
import sys
import tempfile
from pathlib import Path

from . import binaries, layer, node, official, settings
from .artifacts import artifact, key
from .settings import Settings
from .shell import run, step

_ROOT = Path(__file__).parents[2]
_PACKAGES = ("jupyter-server", "ipykernel")
_SITE, _WHEELS = "opt/jupyter", "opt/wheels"
#: As pip would write it.
_LAUNCHER = """#!/opt/python/bin/python
import sys

from {module} import main

if __name__ == "__main__":
    sys.exit(main())
"""
_PROGRAMS = {"jupyter": "jupyter_core.command", "jupyter-server": "jupyter_server.serverapp"}


_VARIABLES = {"PYTHONPATH": f"/opt/dask:/{_SITE}", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": f"/{_WHEELS}"}


def _sources() -> list[Path]:
    """What the package's wheel is made of."""
    folders = ("dask_kubernetes_helm", "chart", "docs/roles", "values")
    found = [path for folder in folders for path in (_ROOT / folder).rglob("*") if path.is_file()]
    return [_ROOT / "pyproject.toml", *sorted(path for path in found if "__pycache__" not in path.parts)]


def _recipe() -> list[str | Path]:
    return [official.name(), settings.HELM4_VERSION, *_PACKAGES, *_sources(), Path(__file__)]


def name() -> str:
    """The image's name; it changes with anything that it is built from, the package at hand included."""
    return f"localhost/dask-notebook:{key(_recipe())}"


def archive() -> Path:
    """Archive of the image: what it has beyond the other one is a layer on top of that."""

    def build(folder: Path) -> None:
        with (
            step("building the image with Jupyter"),
            tempfile.TemporaryDirectory(dir=settings.cache_root()) as temporary,
        ):
            root = Path(temporary)
            root.chmod(0o755)
            _fill(root)
            layer.add(official.archive(), [_jupyter(), root], _VARIABLES, name(), folder / "image.tar")

    return artifact("dask-notebook", _recipe(), build) / "image.tar"


def _jupyter() -> Path:
    """Folder of Jupyter and of what the package requires, compiled: the root file system that they get is read-only."""

    def build(folder: Path) -> None:
        target = folder / _SITE
        uv: list[str | Path] = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", sys.executable]
        run([*uv, "--target", target, *_PACKAGES, "--requirements", _ROOT / "pyproject.toml"])
        shutil.rmtree(target / "bin")
        compileall.compile_dir(
            str(target),
            quiet=2,
            workers=os.cpu_count() or 1,
            stripdir=str(folder),
            prependdir="/",
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )

    return artifact("jupyter", [sys.version, *_PACKAGES, _ROOT / "pyproject.toml"], build)


def _fill(root: Path) -> None:
    programs = root / "usr/bin"
    programs.mkdir(parents=True)
    for program, module in _PROGRAMS.items():
        (programs / program).write_text(_LAUNCHER.format(module=module))
        (programs / program).chmod(0o755)
    shutil.copy(binaries.helm4() / "helm", programs / "helm")
    run([sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", root / _WHEELS, _ROOT])


def provide(cluster: Settings) -> tuple[str, str]:
    """See that a node holds the image; its name, and the node's."""
    first = cluster.nodes[0]
    node.provide(first, name(), archive)
    return name(), first.name
