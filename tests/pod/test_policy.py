"""Who leaves a worker group: the cheapest, whole units, and never more than the others have room for."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_kubernetes_helm_pod.policy import Pod, choose, surplus

SIZES = st.integers(min_value=0, max_value=100)


@st.composite
def groups(draw: st.DrawFn) -> list[Pod]:
    """A worker group: some pods hold much, some are busy, some can't leave, some leave together."""
    return [
        Pod(
            name=f"pod-{index}",
            processing=draw(st.sampled_from([0, 0, 1, 5])),
            long_running=draw(st.sampled_from([0, 0, 0, 1])),
            nbytes=draw(SIZES),
            memory_limit=draw(st.sampled_from([0, 50, 100])),
            fixed=draw(st.sampled_from(["", "", "", "it holds an actor"])),
            together=draw(st.sampled_from([None, None, "node-1", "node-2"])),
        )
        for index in range(draw(st.integers(min_value=0, max_value=12)))
    ]


COUNTS = st.integers(min_value=0, max_value=14)


@given(groups(), COUNTS, SIZES)
def test_nobody_leaves_who_must_not(pods: list[Pod], count: int, elsewhere: int) -> None:
    """No more leave than asked for, nobody twice, nobody who can't, and everybody is one of the group."""
    leave = choose(pods, count, elsewhere).leave
    assert len(leave) <= count
    assert len({pod.name for pod in leave}) == len(leave)
    assert not [pod for pod in leave if pod.fixed or pod not in pods]


@given(groups(), COUNTS, SIZES)
def test_results_fit(pods: list[Pod], count: int, elsewhere: int) -> None:
    """What the leaving hold fits into what the others have left, here and outside of the group."""
    leave = choose(pods, count, elsewhere).leave
    room = elsewhere + sum(pod.room for pod in pods if pod not in leave)
    assert sum(pod.nbytes for pod in leave) <= room


@given(groups(), COUNTS, SIZES)
def test_units_are_whole(pods: list[Pod], count: int, elsewhere: int) -> None:
    """Pods that belong together leave together or stay together."""
    leaving = Counter(pod.together for pod in choose(pods, count, elsewhere).leave if pod.together)
    able = Counter(pod.together for pod in pods if pod.together and not pod.fixed)
    assert all(able[unit] == number for unit, number in leaving.items())


@given(groups(), COUNTS)
def test_the_cheapest_leave(pods: list[Pod], count: int) -> None:
    """With room enough, and nobody bound to others, nobody stays who would have been cheaper than one who leaves."""
    free = [Pod(pod.name, (), pod.processing, pod.long_running, pod.nbytes, fixed=pod.fixed) for pod in pods]
    leave = choose(free, count, float("inf")).leave
    able = [pod for pod in free if not pod.fixed]
    assert len(leave) == min(count, len(able))
    assert sorted(able, key=lambda pod: pod.cost)[: len(leave)] == sorted(leave, key=lambda pod: pod.cost)


@given(groups(), COUNTS, SIZES)
def test_who_stays_is_told(pods: list[Pod], count: int, elsewhere: int) -> None:
    """Everybody who was wanted and stays is named with bytes and a reason, unless a unit was too large."""
    alone = [Pod(pod.name, (), 0, 0, pod.nbytes, pod.memory_limit, pod.fixed) for pod in pods]
    choice = choose(alone, count, elsewhere)
    assert len(choice.leave) + len(choice.kept) == min(count, len(alone))
    sizes = {pod.name: pod.nbytes for pod in alone}
    assert all(kept.why and sizes[kept.pod] == kept.nbytes for kept in choice.kept)
    assert not {kept.pod for kept in choice.kept} & {pod.name for pod in choice.leave}


@pytest.mark.parametrize(("in_service", "target", "expected"), [(10, 2, 8), (2, 10, 0), (0, 0, 0), (3, 0, 3)])
def test_surplus(in_service: int, target: int, expected: int) -> None:
    """Only pods in service have to be emptied: Kubernetes deletes the others first by itself."""
    assert expected == surplus(in_service, target)


def test_idle_ones_leave_before_busy_ones() -> None:
    """A worker that waits for its own tasks leaves last, one with tasks before it, an idle one first."""
    pods = [Pod("waits", long_running=1), Pod("busy", processing=1), Pod("full", nbytes=9), Pod("idle")]
    assert [pod.name for pod in choose(pods, 4, float("inf")).leave] == ["idle", "full", "busy", "waits"]
