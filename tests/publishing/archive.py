"""Packed files of which two builds are the same, byte for byte.

Belongs here: tar and gzip without what a build leaves in them: times, owners, the order of a folder. Never here: what
is packed.
"""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path


def repack(archive: Path, epoch: int) -> None:
    """Write a .tgz anew: sorted, each file of the same time and of nobody in particular.

    Parameters
    ----------
    archive : path
        Replaced.
    epoch : int
        The time, in seconds since 1970.
    """
    with tarfile.open(archive) as old:
        files = {member.name: _content(old, member) for member in old.getmembers() if member.isfile()}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as new:
        # Helm reads Chart.yaml first where it comes first.
        for name in sorted(files, key=lambda name: (not name.endswith("/Chart.yaml"), name)):
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = len(files[name]), epoch, 0o644
            new.addfile(member, io.BytesIO(files[name]))
    with archive.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=epoch) as zipped:
        zipped.write(packed.getvalue())


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    assert file
    return file.read()
