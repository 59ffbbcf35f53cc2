"""The recipe for conda-forge, with the hash of what it is built from: `python -m tests.publishing.recipe SDIST`.

Belongs here: the one thing that recipe/recipe.yaml can't know before there is an sdist.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

RECIPE = Path(__file__).parents[2] / "recipe/recipe.yaml"
#: What stands in the recipe until the sdist is built.
UNKNOWN = "0" * 64


def with_hash(source: Path) -> str:
    """The recipe's text."""
    return RECIPE.read_text().replace(UNKNOWN, hashlib.sha256(source.read_bytes()).hexdigest())


if __name__ == "__main__":
    sys.stdout.write(with_hash(Path(sys.argv[1])))
