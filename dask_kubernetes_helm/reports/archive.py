"""One file that holds many: a zip or a tar.gz, written whole or not at all.

Belongs here: its name and its form. Never here: what is in it (collecting.py).
"""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from dask_kubernetes_helm.errors import InvalidArgumentError

_SUFFIXES = (".zip", ".tar.gz", ".tgz")
#: Zip's times begin in 1980, and know no zone.
_MODE = 0o600


def place(path: str | os.PathLike[str], release: str, when: datetime) -> Path:
    """Where an archive is to be: the path itself, or in the folder that it names.

    Parameters
    ----------
    path : str or path
        A file with a suffix that is known, or a folder.
    release : str
        What to name the file after.
    when : datetime
        Likewise.

    Raises
    ------
    InvalidArgumentError

    Examples
    --------
    >>> place("reports", "demo", datetime(2026, 11, 26, 21, 30)).name
    'demo-20261126-213000.zip'
    """
    found = Path(path).expanduser()
    if found.name.endswith(_SUFFIXES) and not found.is_dir():
        return found
    if found.suffix and not found.is_dir():
        raise InvalidArgumentError(
            f"path is {str(path)!r}, which is no kind of archive",
            cure=f"Give a folder, or a file that ends with {', '.join(_SUFFIXES)}.",
        )
    return found / f"{release}-{when:%Y%m%d-%H%M%S}.zip"


def stem(path: Path) -> str:
    """An archive's name without its suffix."""
    return next(path.name.removesuffix(suffix) for suffix in _SUFFIXES if path.name.endswith(suffix))


def write(path: Path, files: Mapping[str, str], when: datetime) -> None:
    """Write an archive that only its owner may read; all files are in one folder, which is called as it is.

    Parameters
    ----------
    path : Path
        Where; see `place`.
    files : mapping
        Texts by their path in it.
    when : datetime
        The time that they are given.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            packed = {f"{stem(path)}/{inner}": text.encode(errors="replace") for inner, text in sorted(files.items())}
            (_zip if path.suffix == ".zip" else _tar)(file, packed, when)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _zip(file: io.BufferedWriter, packed: Mapping[str, bytes], when: datetime) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in packed.items():
            entry = zipfile.ZipInfo(name, when.timetuple()[:6])
            entry.external_attr, entry.compress_type = _MODE << 16, zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)


def _tar(file: io.BufferedWriter, packed: Mapping[str, bytes], when: datetime) -> None:
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, data in packed.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(data), int(when.timestamp()), _MODE
            archive.addfile(entry, io.BytesIO(data))
