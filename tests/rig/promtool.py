"""promtool, which judges and tries Prometheus' rules; nothing of the cluster needs it.

Belongs here: how it is had. Never here: calling it.
"""

from __future__ import annotations

import platform
import shutil
import tempfile
from pathlib import Path

from .artifacts import artifact
from .shell import run, step

_PACKAGE = "prometheus"


def promtool() -> Path:
    """The program, from Debian's package, unpacked rather than installed: nothing of it starts by itself."""

    def build(folder: Path) -> None:
        with step("fetching promtool (20 MB, once)"), tempfile.TemporaryDirectory() as temporary:
            # The user whom apt-get fetches as has to write here.
            Path(temporary).chmod(0o777)
            run(["apt-get", "update", "-qq"])
            run(["apt-get", "download", "-qq", _PACKAGE], folder=Path(temporary))
            run(["dpkg-deb", "--extract", next(Path(temporary).glob("*.deb")), Path(temporary) / "root"])
            shutil.copy(Path(temporary) / "root/usr/bin/promtool", folder)

    return artifact("promtool", [_PACKAGE, platform.machine()], build) / "promtool"
