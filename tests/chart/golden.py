"""Renders that are committed, so that a review sees what a change does: `python -m tests.chart.golden [--check]`.

One file per environment of values/, with the chart's own defaults beside them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.chart.helm import ENVIRONMENTS, VALUES, text

GOLDEN = Path(__file__).parent / "golden"


def renders() -> dict[Path, str]:
    """What each file must hold."""
    files = {"default": (), **{name: (VALUES / f"{name}.yaml",) for name in ENVIRONMENTS}}
    return {GOLDEN / f"{name}.yaml": _without_code(text({}, *paths)) for name, paths in files.items()}


def _without_code(render: str) -> str:
    """A render without the files that run in the pods: those are read where they are."""
    documents = render.split("\n---\n")
    return "\n---\n".join(
        item.partition("\ndata:\n")[0] if "-pod-files\n" in item[:300] else item for item in documents
    )


def stale() -> list[Path]:
    """Files that don't hold what they must, and files that must not be."""
    expected = renders()
    wrong = [path for path, render in expected.items() if not path.exists() or path.read_text() != render]
    return wrong + [path for path in GOLDEN.glob("*") if path not in expected]


def main() -> int:
    """Write the files, or name those that are stale."""
    if "--check" in sys.argv:
        for path in stale():
            print(f"{path.name} is stale: run `make generate` and read the difference", file=sys.stderr)
        return 1 if stale() else 0
    GOLDEN.mkdir(exist_ok=True)
    for path in stale():
        path.unlink(missing_ok=True)
    for path, render in renders().items():
        path.write_text(render)
    return 0


if __name__ == "__main__":
    sys.exit(main())
