"""Folders of built things, keyed by what they are built from.

Belongs here: the cache's one rule: a folder is there whole or not at all. Never here: how anything is built.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from .settings import cache_root


def key(parts: Iterable[str | Path]) -> str:
    """A short name for texts and files' contents."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.read_bytes() if isinstance(part, Path) else part.encode())
        digest.update(b"\0")
    return digest.hexdigest()[:12]


def artifact(name: str, parts: Iterable[str | Path], build: Callable[[Path], None]) -> Path:
    """The folder of something built; builds it where it is not there yet.

    Parameters
    ----------
    name : str
        What it is.
    parts : iterable of str or path
        All that it is built from.
    build : callable
        Fills the empty folder that it is given.
    """
    folder = cache_root() / "artifacts" / f"{name}-{key(parts)}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder.parent))
    try:
        build(work)
        work.chmod(0o755)
        work.rename(folder)
    except OSError:
        if not folder.is_dir():  # else somebody else built it at the same time
            raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder
