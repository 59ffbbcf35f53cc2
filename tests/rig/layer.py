"""One more layer on an image, without unpacking what is below: seconds where buildah takes half a minute.

Belongs here: the form of an OCI archive. Never here: what goes into an image.

Source: https://github.com/opencontainers/image-spec/blob/main/manifest.md
"""

from __future__ import annotations

import hashlib
import json
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_LAYER = "application/vnd.oci.image.layer.v1.tar"
_CHUNK = 1 << 20


def add(base: Path, folders: Sequence[Path], variables: Mapping[str, str], name: str, target: Path) -> None:
    """Write an archive of an image that has what an image has and a layer more.

    Parameters
    ----------
    base : path
        Archive of the image below.
    folders : sequence of path
        What the layer holds, as root's.
    variables : mapping
        Environment variables that are set anew.
    name : str
        What the image is called.
    target : path
        The archive to write.
    """
    with tempfile.TemporaryDirectory(dir=target.parent) as temporary:
        layout = Path(temporary)
        with tarfile.open(base) as archive:
            archive.extractall(layout, filter="data")
        index = json.loads((layout / "index.json").read_text())
        manifest = _read(layout, index["manifests"][0])
        config = _read(layout, manifest["config"])
        layer = _keep(layout, _tar(folders, layout / "layer"))
        config["rootfs"]["diff_ids"].append(layer["digest"])
        config.setdefault("history", []).append({"created_by": "tests.rig"})
        given = dict(one.split("=", 1) for one in config["config"].get("Env", [])) | dict(variables)
        config["config"]["Env"] = [f"{variable}={text}" for variable, text in given.items()]
        manifest["layers"].append({"mediaType": _LAYER, **layer})
        manifest["config"] |= _write(layout, config)
        index["manifests"][0] |= _write(layout, manifest)
        index["manifests"][0]["annotations"] = {"org.opencontainers.image.ref.name": name}
        (layout / "index.json").write_text(json.dumps(index))
        with tarfile.open(target, "w") as archive:
            archive.add(layout, arcname="")


def _tar(folders: Sequence[Path], path: Path) -> Path:
    def as_roots(item: tarfile.TarInfo) -> tarfile.TarInfo:
        item.uid = item.gid = 0
        item.uname = item.gname = ""
        return item

    with tarfile.open(path, "w") as archive:
        for folder in folders:
            for item in sorted(folder.iterdir()):
                archive.add(item, arcname=item.name, filter=as_roots)
    return path


def _blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / digest.replace(":", "/")


def _read(layout: Path, reference: Mapping[str, Any]) -> Any:
    return json.loads(_blob(layout, reference["digest"]).read_text())


def _write(layout: Path, content: Any) -> dict[str, Any]:
    path = layout / "new"
    path.write_text(json.dumps(content))
    return _keep(layout, path)


def _keep(layout: Path, path: Path) -> dict[str, Any]:
    """Have a file among the blobs; how it is referred to."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(_CHUNK):
            digest.update(data)
    name, size = f"sha256:{digest.hexdigest()}", path.stat().st_size
    path.rename(_blob(layout, name))
    return {"digest": name, "size": size}
