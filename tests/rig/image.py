"""The images that the nodes hold: pause, and Dask as the interpreter at hand has it.

Belongs here: what goes into an image. Dask compares the whole Python version and those of a dozen packages between
client, scheduler and workers, so the image carries the very interpreter and the very versions of the environment that
runs this. Never here: giving images to nodes.
"""

from __future__ import annotations

import compileall
import importlib.metadata
import os
import platform
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from . import settings
from .artifacts import artifact, key
from .shell import RigError, run, step

_PACKAGES = ("dask", "distributed", "numpy", "bokeh", "lz4", "prometheus_client")
#: Parts of the standard library that no worker imports.
_LEFT_OUT = shutil.ignore_patterns(
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "turtledemo",
    "ensurepip",
    "site-packages",
    "dist-packages",
    "__pycache__",
    "config-*",
    "lib2to3",
)
_PYTHON, _SITE = "opt/python", "opt/dask"
_LAUNCHER = """#!/opt/python/bin/python
import sys

from dask.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
"""


def pause() -> Path:
    """Archive of the image that holds a pod's namespaces open."""

    def build(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as temporary:
            root = Path(temporary)
            shutil.copy("/usr/bin/catatonit", root / "catatonit")
            config = ["--entrypoint", '["/catatonit", "-P"]']
            _pack(root, config, settings.PAUSE_IMAGE, folder / "image.tar")

    return artifact("pause", [settings.PAUSE_IMAGE, platform.machine()], build) / "image.tar"


def _constraints() -> list[str]:
    """The packages and all that they require, at the versions that the environment at hand has."""
    versions: dict[str, str] = {}
    wanted = list(_PACKAGES)
    while wanted:
        name = wanted.pop()
        if name in versions:
            continue
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            if name in _PACKAGES:
                raise RigError(
                    f"{sys.executable} lacks {name}, whose version the Dask image follows: run `make install` first."
                ) from None
            continue  # required on other platforms only
        versions[name] = found.version
        wanted += [re.split(r"[^\w.-]", line)[0].lower() for line in found.requires or [] if "extra ==" not in line]
    return sorted(f"{name}=={version}" for name, version in versions.items())


def _recipe() -> list[str | Path]:
    interpreter = [sys.version, sysconfig.get_path("stdlib"), platform.machine()]
    return [*interpreter, *_constraints(), Path(__file__)]


def _dask_version() -> str:
    return importlib.metadata.version("distributed")


def dask_name() -> str:
    """The Dask image's name; it changes with anything that it is built from."""
    return f"localhost/dask:{_dask_version()}-{key(_recipe())}"


def dask() -> Path:
    """Archive of the Dask image."""

    def build(folder: Path) -> None:
        title = f"building the Dask image (Python {platform.python_version()}, Dask {_dask_version()})"
        with step(title), tempfile.TemporaryDirectory(dir=settings.cache_root()) as temporary:
            root = Path(temporary)
            root.chmod(0o755)
            _base(root)
            _python(root)
            _packages(root)
            _libraries(root)
            path = f"/{_SITE}/bin:/{_PYTHON}/bin:/usr/bin"
            variables = {"PATH": path, "PYTHONPATH": f"/{_SITE}", "LANG": "C.UTF-8"}
            config = [part for name, text in variables.items() for part in ("--env", f"{name}={text}")]
            _pack(root, config, dask_name(), folder / "image.tar")

    return artifact("dask", _recipe(), build) / "image.tar"


def _base(root: Path) -> None:
    """A shell and its tools, users, certificates, and the folders that programs expect."""
    for folder in ("usr/bin", "usr/lib", "usr/lib64", "etc/ssl/certs", "tmp", "var/tmp", "home/dask"):
        (root / folder).mkdir(parents=True)
    for name in ("bin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    for folder in ("tmp", "var/tmp"):
        (root / folder).chmod(0o1777)
    shutil.copy("/usr/bin/busybox", root / "usr/bin/busybox")
    for applet in run(["/usr/bin/busybox", "--list"]).split():
        if applet != "busybox":
            (root / "usr/bin" / applet).symlink_to("busybox")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\ndask:x:1000:1000:dask:/home/dask:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\ndask:x:1000:\n")
    (root / "etc/nsswitch.conf").write_text("hosts: files dns\n")
    certificates = Path("/etc/ssl/certs/ca-certificates.crt")
    if certificates.exists():
        shutil.copy(certificates, root / "etc/ssl/certs")


def _python(root: Path) -> None:
    """The interpreter, which finds its library beside itself wherever it lies."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    target = root / _PYTHON
    (target / "bin").mkdir(parents=True)
    executable = Path(sys._base_executable).resolve()  # type: ignore[attr-defined]
    shutil.copy(executable, target / "bin" / version)
    for name in ("python", "python3"):
        (target / "bin" / name).symlink_to(version)
    shutil.copytree(sysconfig.get_path("stdlib"), target / "lib" / version, ignore=_LEFT_OUT, symlinks=True)


def _packages(root: Path) -> None:
    target = root / _SITE
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.write("\n".join(_constraints()))
        constraints.flush()
        pip: list[str | Path] = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--target", target]
        run([*pip, "--constraint", constraints.name, *_PACKAGES])
    for folder in [*target.rglob("tests"), *target.rglob("test")]:
        shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(target / "bin", ignore_errors=True)
    (target / "bin").mkdir()
    (target / "bin/dask").write_text(_LAUNCHER)
    (target / "bin/dask").chmod(0o755)
    # Compiled here, as a read-only root file system keeps no bytecode, and importing takes twice as long without.
    for folder in (target, root / _PYTHON / "lib"):
        compileall.compile_dir(
            str(folder),
            quiet=2,
            workers=os.cpu_count() or 1,
            stripdir=str(root),
            prependdir="/",
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )


def _libraries(root: Path) -> None:
    """The shared libraries that the interpreter and its extension modules link, from this machine."""
    programs = [
        *(root / _PYTHON / "bin").glob("python?.*"),
        *(root / _PYTHON).rglob("*.so"),
        *(root / _SITE).rglob("*.so*"),
    ]
    listing = subprocess.run(["ldd", *map(str, programs)], capture_output=True, text=True, check=False).stdout
    # What any Debian has, and wheels that are installed later may want.
    names = r"gcc_s|stdc\+\+|c|m|dl|rt|pthread|util|resolv|nss_dns|nss_files"
    common = re.findall(rf"lib(?:{names})\.so\.\d \(libc6[^)]*\) => (\S+)", run(["/sbin/ldconfig", "-p"]))
    for match in sorted({*re.findall(r"(?:=> )?(/\S+) \(0x", listing), *common}):
        library = Path(match)
        if root in library.parents:
            continue
        target = root / match.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library.resolve(), target)


def _pack(root: Path, config: list[str], name: str, archive: Path) -> None:
    """A file system as an image, by buildah in a store of its own."""
    with tempfile.TemporaryDirectory(dir=settings.cache_root()) as store:
        buildah = ["buildah", "--root", f"{store}/root", "--runroot", f"{store}/run", "--storage-driver", "vfs"]
        container = run([*buildah, "from", "scratch"]).strip()
        run([*buildah, "copy", "--quiet", container, f"{root}/", "/"])
        run([*buildah, "config", *config, container])
        run([*buildah, "commit", "--quiet", "--disable-compression=true", container, name])
        run([*buildah, "push", "--quiet", "--disable-compression", name, f"oci-archive:{archive}:{name}"])
