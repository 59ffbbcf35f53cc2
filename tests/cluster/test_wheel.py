"""The built wheel, in an environment of its own, away from the checkout."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from .conftest import Namespace, run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def python(tmp_path: Path) -> str:
    """The interpreter of an empty environment with the wheel and what its demo computes with."""
    run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(tmp_path), str(ROOT))
    (wheel,) = tmp_path.glob("*.whl")
    uv = (sys.executable, "-m", "uv")
    run(*uv, "venv", "--quiet", "--python", sys.executable, str(tmp_path / "venv"))
    interpreter = str(tmp_path / "venv/bin/python")
    run(*uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", interpreter, f"{wheel}[demo]")
    return interpreter


def test_the_wheel_does_the_demo(
    python: str, namespace: Namespace, image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It computes 1.0 on worker pods, scales 2 -> 4 -> 1, names the dashboard, and leaves nothing of the release."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("DASK_", "PYTHONPATH"))]:
        monkeypatch.delenv(name)
    demo = ("-m", "dask_kubernetes_helm.demo", "--environment", "ci", "--namespace", namespace.name, "--image", image)
    told = run(python, "-W", "error::ResourceWarning", *demo)
    for words in ("result: 1.0", "scaled 2 -> 4", "scaled 4 -> 1", "done, nothing left"):
        assert words in told
    assert re.search(r"dashboard: http://127\.0\.0\.1:\d+/status", told)
    namespace.empties()
    assert str(ROOT) not in run(python, "-c", "import dask_kubernetes_helm; print(dask_kubernetes_helm.__file__)")
