"""The tools, run over renders of the chart.

Belongs here: how each tool is had, called and read. Never here: which findings stay (explained.yaml).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

from tests.rig import binaries
from tests.rig.artifacts import artifact
from tests.rig.shell import run, step

from .findings import Finding

#: Not in the project's environment, whose libraries it would take back to older versions.
CHECKOV = "checkov==3.3.30"
#: The oldest Kubernetes that Chart.yaml admits, and the one of the tests.
KUBERNETES = ("1.27", "1.34")
#: kube-score's grades: 1 is critical, 5 a warning, 10 all well.
_WELL = 10

Renders = Mapping[str, Path]


def kubernetes_schemas(renders: Renders) -> Iterator[Finding]:
    """kubernetes-validate: Kubernetes' own schemas, unknown fields refused."""
    for name, path in renders.items():
        for item in filter(None, yaml.safe_load_all(path.read_text())):
            where = f"{item['kind']}/{item['metadata']['name']}"
            for version in KUBERNETES:
                try:
                    kubernetes_validate.validate(item, version, strict=True)
                except kubernetes_validate.SchemaNotFoundError as error:
                    yield Finding("kubernetes-validate", "no schema", name, where, str(error))
                except kubernetes_validate.ValidationError as error:
                    yield Finding("kubernetes-validate", version, name, where, f"{list(error.path)}: {error.message}")


def kube_score(renders: Renders) -> Iterator[Finding]:
    """kube-score: critical findings and warnings."""
    program = binaries.kube_score() / "kube-score"
    for name, path in renders.items():
        for item in _verdict([program, "score", "--output-format", "json", path]):
            where = f"{item['type_meta']['kind']}/{item['object_meta']['name']}"
            for check in item["checks"]:
                if not check["skipped"] and check["grade"] < _WELL:
                    comments = "; ".join(comment["summary"] for comment in check["comments"] or ())
                    yield Finding("kube-score", check["check"]["id"], name, where, comments)


def checkov(renders: Renders) -> Iterator[Finding]:
    """checkov: what fails of its rules for Kubernetes."""
    folder = artifact("checkov", [CHECKOV, sys.version], _install_checkov)
    files = [word for path in renders.values() for word in ("--file", str(path))]
    flags = ["--framework", "kubernetes", "--skip-download", "--quiet", "--compact", "--output", "json"]
    said = _verdict([folder / "venv/bin/python", "-m", "checkov.main", *files, *flags])
    names = {path.name: name for name, path in renders.items()}
    for failed in said.get("results", {}).get("failed_checks", ()):
        kind, _, name = failed["resource"].partition(".default.")
        render = names[Path(failed["file_path"]).name]
        yield Finding("checkov", failed["check_id"], render, f"{kind}/{name}", failed["check_name"])


def _install_checkov(folder: Path) -> None:
    with step(f"installing {CHECKOV} (about half a minute the first time)"):
        uv = Path(sys.executable).parent / "uv"
        run([uv, "venv", "--quiet", "--python", sys.executable, folder / "venv"])
        run([uv, "pip", "install", "--quiet", "--python", folder / "venv/bin/python", CHECKOV])


def _verdict(command: Sequence[str | Path]) -> Any:
    """What a tool prints; it fails where it finds something."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stderr
    return json.loads(done.stdout)


JUDGES = (kubernetes_schemas, kube_score, checkov)
