"""The Gateway API's kinds, as its Go module has them.

Belongs here: having the files. Never here: giving them to a cluster, which only tests do.

Source: https://gateway-api.sigs.k8s.io/concepts/versioning/
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from .artifacts import artifact
from .shell import run

VERSION = "1.4.0"
_MODULE = "sigs.k8s.io/gateway-api"


def http_routes() -> Path:
    """The definition of HTTPRoute."""

    def build(folder: Path) -> None:
        environment = {**os.environ, "GOFLAGS": "-mod=mod"}
        told = run(["go", "mod", "download", "-json", f"{_MODULE}@v{VERSION}"], environment=environment, folder=folder)
        name = "gateway.networking.k8s.io_httproutes.yaml"
        shutil.copyfile(Path(json.loads(told)["Dir"]) / "config/crd/standard" / name, folder / "httproutes.yaml")

    return artifact("gateway-api", [VERSION, Path(__file__)], build) / "httproutes.yaml"
