"""A thousand worker pods, on nodes that don't exist: what a change costs, and who leaves.

The pods run nothing: bench/many has what stands in for their workers and kubelets.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.common import namespace
from bench.many.experiment import Experiment, experiment
from tests.rig import kwok
from tests.rig.settings import Settings

pytestmark = [pytest.mark.kwok, pytest.mark.timeout(900)]
PODS = 1000


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Experiment]:
    """A worker group of a thousand pods that hold two results each."""
    cluster, logs = Settings.from_environment(), tmp_path_factory.mktemp("logs")
    with kwok.nodes(cluster, 4), namespace() as name, experiment(cluster, name, logs) as many:
        many.begin(PODS)
        many.compute(2 * PODS)
        yield many


def test_half_of_a_thousand(group: Experiment) -> None:
    """Kubernetes deletes exactly those that were emptied, by one write, and no result is lost."""
    shrunk = group.scale(PODS // 2)
    assert (shrunk.wrong, shrunk.lost) == (0, 0)
    assert shrunk.calls == {"list": 2, "watch": 1, "patch": 1}


def test_to_a_thousand_and_to_ten(group: Experiment) -> None:
    """Growing is one write; leaving ten a few calls, half a minute of our part, and no more memory than for a few."""
    assert group.scale(PODS).calls == {"patch": 1}
    shrunk = group.scale(10)
    assert (shrunk.wrong, shrunk.lost) == (0, 0)
    assert shrunk.calls == {"list": 2, "watch": 1, "patch": 1}
    assert shrunk.ours <= 30
    assert shrunk.memory < 300 << 20
