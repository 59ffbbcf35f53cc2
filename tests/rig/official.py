"""A second Dask image, which keeps to the contract of the official ones (ghcr.io/dask/dask).

Root by default; `tini -g` and a script that installs what EXTRA_APT_PACKAGES, EXTRA_CONDA_PACKAGES and
EXTRA_PIP_PACKAGES name and then runs its arguments. pip is the real one; apt and conda are stand-ins that need what the
real ones do: root, a writable root file system, and for apt the capabilities to change users. Belongs here: that image,
and giving it to the nodes, which only tests ask for. Never here: what is common to all images (image.py).

Source: https://github.com/dask/dask-docker (base/Dockerfile, base/prepare.sh)
"""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
import tempfile
from pathlib import Path

from . import image, node, preflight, settings
from .artifacts import artifact, key
from .settings import Settings
from .shell import run, step

_PREPARE = """#!/bin/sh
# A failure of an installer stops nothing.
if [ -n "$EXTRA_APT_PACKAGES" ]; then
  apt-get update -y
  apt-get install -y $EXTRA_APT_PACKAGES
fi
if [ -n "$EXTRA_CONDA_PACKAGES" ]; then conda install -y $EXTRA_CONDA_PACKAGES; fi
if [ -n "$EXTRA_PIP_PACKAGES" ]; then python -m pip install $EXTRA_PIP_PACKAGES; fi
exec "$@"
"""
_APT = """#!/opt/python/bin/python
import os
import sys
from pathlib import Path

verb, *names = (word for word in sys.argv[1:] if not word.startswith("-"))
lock = Path("/var/lib/dpkg/lock")
lock.parent.mkdir(parents=True, exist_ok=True)
lock.touch()
if not os.fork():
    # apt fetches as a user without rights.
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    os._exit(0)
if os.waitstatus_to_exitcode(os.wait()[1]):
    sys.exit(100)
for name in names if verb == "install" else ():
    Path("/usr/bin", name).write_text(f"#!/bin/sh\\necho {name}\\n")
    Path("/usr/bin", name).chmod(0o755)
"""
_CONDA = """#!/opt/python/bin/python
import sys
from pathlib import Path

for name in (word for word in sys.argv[2:] if not word.startswith("-")):
    Path("/opt/dask", f"{name}.py").write_text("FROM = 'conda'\\n")
"""


def _pip() -> str:
    return f"pip=={importlib.metadata.version('pip')}"


def _recipe() -> list[str | Path]:
    return [image.dask_name(), _pip(), Path(__file__)]


def name() -> str:
    """The image's name; it changes with anything that it is built from."""
    return f"localhost/dask-official:{importlib.metadata.version('distributed')}-{key(_recipe())}"


def archive() -> Path:
    """Archive of the image: what it has beyond the plain one is a layer on top of that."""

    def build(folder: Path) -> None:
        with step("building the Dask image with the official contract"), tempfile.TemporaryDirectory() as temporary:
            root = Path(temporary)
            root.chmod(0o755)
            _fill(root)
            _pack(root, folder / "image.tar")

    preflight.install_packages()
    return artifact("dask-official", _recipe(), build) / "image.tar"


def _fill(root: Path) -> None:
    programs = root / "usr/bin"
    programs.mkdir(parents=True)
    for program, text in {"prepare.sh": _PREPARE, "apt-get": _APT, "conda": _CONDA}.items():
        (programs / program).write_text(text)
        (programs / program).chmod(0o755)
    shutil.copy("/usr/bin/tini", programs / "tini")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    target = root / "opt/python/lib" / version / "site-packages"
    run([sys.executable, "-m", "pip", "install", "--quiet", "--target", target, _pip()])


def _pack(root: Path, target: Path) -> None:
    entrypoint = '["tini", "-g", "--", "/usr/bin/prepare.sh"]'
    with tempfile.TemporaryDirectory(dir=settings.cache_root()) as store:
        buildah = ["buildah", "--root", f"{store}/root", "--runroot", f"{store}/run", "--storage-driver", "vfs"]
        container = run([*buildah, "from", f"oci-archive:{image.dask()}"]).strip()
        run([*buildah, "copy", "--quiet", container, f"{root}/", "/"])
        run([*buildah, "config", "--entrypoint", entrypoint, "--cmd", "[]", container])
        run([*buildah, "commit", "--quiet", "--disable-compression=true", container, name()])
        run([*buildah, "push", "--quiet", "--disable-compression", name(), f"oci-archive:{target}:{name()}"])


def provide(cluster: Settings) -> str:
    """See that the nodes hold the image; its name."""
    for item in cluster.nodes:
        node.provide(item, name(), archive)
    return name()
