"""Packages that an image lacks: pip installs them before Dask starts, and Dask finds them, with a read-only root.

Run as a file by the pod's Python, that is the one that has Dask. `packages.py install PACKAGE...` is what the init
container does: into a virtual environment on top of the image's Python, so that what the image has is found and stays
as it is. `packages.py run COMMAND...` is how Dask's own container starts: what was installed is put on PYTHONPATH and
PATH, whatever else the image has there. Belongs here: these two. Never here: Dask, or what needs more than the
standard library.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import site
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterable, MutableMapping
from pathlib import Path

#: Where the chart mounts the folder that both containers share.
FOLDER = Path("/opt/dask-packages")
#: What EXTRA_PIP_PACKAGES held: packages, parted by spaces.
VARIABLE = "DASKHELM_PIP_PACKAGES"
#: Client, scheduler and workers must have the same.
_PINNED = ("dask", "distributed")


def main(arguments: list[str]) -> int:
    """Do what the first argument says."""
    verb, *rest = arguments
    if verb == "install":
        return install(rest, os.environ.get(VARIABLE, "").split(), FOLDER)
    enter(os.environ, FOLDER)
    try:
        os.execvp(rest[0], rest)  # noqa: S606 - there is no shell to be had in every image
    except OSError as error:
        sys.stderr.write(f"Can't start {rest[0]}: {error.strerror}\n")
    return 127


def install(packages: list[str], asked: list[str], folder: Path) -> int:
    """Have pip install packages; its exit code.

    Parameters
    ----------
    packages : list of str
        What the chart's values name.
    asked : list of str
        What EXTRA_PIP_PACKAGES named: a request to the image, and one without pip has never granted it.
    folder : path
        Where to; what is there goes.
    """
    wanted = [*packages, *asked]
    if not wanted:
        return 0
    if importlib.util.find_spec("pip") is None:
        sys.stderr.write(f"This image's Python ({sys.executable}) has no pip: {' '.join(wanted)} can't be installed\n")
        return 1 if packages else 0
    venv.EnvBuilder(system_site_packages=True, symlinks=True, with_pip=False, clear=True).create(folder)
    # An image's Python may be a virtual environment itself, which the new one would look past.
    (site_packages(folder) / "image.pth").write_text("".join(f"{path}\n" for path in site.getsitepackages()))
    constraints = folder / "constraints.txt"
    constraints.write_text("".join(f"{line}\n" for line in pins(wanted)))
    pip = [str(folder / "bin/python"), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    code = subprocess.run([*pip, "--constraint", str(constraints), *wanted], check=False).returncode  # noqa: S603
    if code:
        sys.stderr.write(f"pip could not install {' '.join(wanted)}: exit code {code}. The lines above say why.\n")
    return code


def pins(wanted: Iterable[str]) -> list[str]:
    """What holds the image's Dask, unless it is named itself, as in `git+https://github.com/dask/distributed`."""
    if set(_PINNED) & set(map(named, wanted)):
        return []
    return [f"{name}=={version}" for name in _PINNED if (version := _version(name))]


def named(requirement: str) -> str:
    """The project that a requirement names, as far as it says: of an address, its last part.

    Examples
    --------
    >>> named("Distributed[all]>=2024"), named("git+https://github.com/dask/distributed@main#egg=x")
    ('distributed', 'distributed')
    """
    if "://" in requirement and " @ " not in requirement:
        path = re.split(r"[@#?]", requirement.partition("://")[2].partition("/")[2])[0]
        requirement = path.rstrip("/").rpartition("/")[2].removesuffix(".git")
    match = re.match(r"[A-Za-z0-9]+([-_.]*[A-Za-z0-9]+)*", requirement)
    return re.sub(r"[-_.]+", "-", match[0]).lower() if match else ""


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def site_packages(folder: Path) -> Path:
    """Where a virtual environment of this Python has its packages."""
    return Path(sysconfig.get_path("purelib", "posix_prefix", {"base": str(folder), "platbase": str(folder)}))


def enter(environment: MutableMapping[str, str], folder: Path) -> None:
    """Put what was installed before the image's packages, and its programs behind the image's own."""
    paths = {"PYTHONPATH": [site_packages(folder), None], "PATH": [None, folder / "bin"]}
    for name, around in paths.items():
        parts = [environment.get(name, "") if part is None else str(part) for part in around]
        environment[name] = os.pathsep.join(part for part in parts if part)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
