"""Has the tools judge renders of every environment; fails where a finding has no reason, or a reason no finding."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.chart.helm import ENVIRONMENTS, VALUES, text

from .findings import reasons, stale, unexplained
from .judges import JUDGES


def _renders(folder: Path) -> dict[str, Path]:
    """Files with what the chart makes by default, and for each environment."""
    values = {"default": (), **{name: (VALUES / f"{name}.yaml",) for name in ENVIRONMENTS}}
    paths = {name: folder / f"{name}.yaml" for name in values}
    for name, path in paths.items():
        path.write_text(text({}, *values[name]))
    return paths


def main() -> int:
    """Judge; 0 if nothing is to be said."""
    with tempfile.TemporaryDirectory() as folder:
        renders = _renders(Path(folder))
        findings = [finding for judge in JUDGES for finding in judge(renders)]
    known = reasons()
    wrong = [str(finding) for finding in unexplained(findings, known)]
    wrong += [f"{old.judge} {old.rule}: a reason without a finding" for old in stale(findings, known)]
    for line in wrong:
        print(line, file=sys.stderr)
    if wrong:
        print("Mend the chart, or write the reason into tests/scrutiny/explained.yaml", file=sys.stderr)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
