"""Builds what is published, into a folder: `python -m tests.publishing.package [FOLDER]`.

Belongs here: the order of it: the wheel, the sdist, the packed chart, conda-forge's recipe, sums of all. Two builds of
one commit are the same, wherever they are made: each file has the commit's time.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.rig.shell import RigError, run

from . import recipe
from .archive import repack

ROOT = Path(__file__).parents[2]


def epoch() -> int:
    """The time that all files get: SOURCE_DATE_EPOCH, else that of the last commit.

    Raises
    ------
    RigError
        Where neither is there.
    """
    if told := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(told)
    command = ["git", "log", "-1", "--format=%ct"]
    asked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if asked.returncode:
        raise RigError("This folder is no clone of the repository, so no commit tells the time: set SOURCE_DATE_EPOCH.")
    return int(asked.stdout)


def pack_chart(folder: Path, when: int) -> Path:
    """Pack the chart into the folder."""
    run(["helm", "package", ROOT / "chart", "--destination", folder])
    (chart,) = folder.glob("*.tgz")
    repack(chart, when)
    return chart


def build(folder: Path) -> list[Path]:
    """Build all; what is in the folder is removed first."""
    when = epoch()
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(when)}
    shutil.rmtree(folder, ignore_errors=True)
    python = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--sdist", "--outdir", folder, ROOT]
    run(python, environment=environment)
    (source,) = folder.glob("*.tar.gz")
    pack_chart(folder, when)
    (folder / "recipe.yaml").write_text(recipe.with_hash(source))
    files = sorted(path for path in folder.iterdir() if path.is_file())
    sums = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)
    (folder / "SHA256SUMS").write_text(sums)
    return [*files, folder / "SHA256SUMS"]


def main() -> int:
    """Build into the folder that is named, else dist/."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist"
    try:
        built = build(folder)
    except RigError as error:
        print(error, file=sys.stderr)
        return 1
    for path in built:
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
