"""How many pods a group should have, and when a release goes: pure decisions."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_kubernetes_helm_pod.adaptive import Demand, Stabilizer, target
from dask_kubernetes_helm_pod.settings import SCALE_TO_ZERO, UNINSTALL, Bounds, Lifecycle, Settings
from dask_kubernetes_helm_pod.tidying import Seen, is_time_to_sleep, reason_to_remove

counts = st.integers(0, 1000)


@pytest.mark.parametrize(
    ("demand", "pods"),
    [
        (Demand(), 0),
        (Demand(work=100, share=200, waits=True), 20),
        (Demand(work=100, share=3, waits=True), 3),
        (Demand(work=0.1, share=1, waits=True), 1),
        (Demand(pods=5, needed=5, work=0.5, share=5), 5),
        (Demand(pods=5, needed=1), 1),
        (Demand(pods=4, nbytes=70, memory_limit=100), 8),
        (Demand(pods=4, nbytes=20, memory_limit=100), 2),
        (Demand(pods=4, held=True), 1),
    ],
)
def test_target(demand: Demand, pods: int) -> None:
    """Work asks for pods, a few long tasks for no more than they are; what is needed or holds results stays."""
    assert target(demand, 5.0) == pods


@given(pods=counts, needed=counts, work=st.floats(0, 1e6), share=st.floats(0, 1e6), nbytes=counts)
def test_nobody_who_is_needed_goes(pods: int, needed: int, work: float, share: float, nbytes: int) -> None:
    """Whatever the work, pods that compute stay, and what stays has room for all that is held."""
    needed = min(pods, needed)
    demand = Demand(pods, needed, work, share, nbytes=min(nbytes, 10 * pods), memory_limit=10 * pods)
    wanted = target(demand, 5.0)
    assert wanted >= needed
    assert wanted >= pods or wanted * 10 >= demand.nbytes


@given(wanted=counts, least=counts, more=counts, cores=counts, threads=st.integers(1, 8))
def test_bounds_hold(wanted: int, least: int, more: int, cores: int, threads: int) -> None:
    """The number is within the bounds, in pods and in cores, and the nearest that is."""
    bounds = Bounds(minimum=least, maximum=least + more, units={"minimum_cores": cores})
    pods = bounds.within(wanted, threads, 0)
    assert pods >= least
    assert pods * threads >= cores
    assert pods == max(min(wanted, least + more), least, math.ceil(cores / threads))


def test_bounds_in_memory() -> None:
    """A bound in bytes is one in pods of that size; without a size it does not count."""
    bounds = Bounds(units={"maximum_memory": 10e9})
    assert (bounds.within(9, 1, 4e9), bounds.within(9, 1, 0)) == (2, 9)


def test_one_comes_first_where_no_size_is_known() -> None:
    """Bounds in cores or bytes hold from zero: a first pod tells how large pods are."""
    bounds = Bounds(units={"maximum_memory": 10e9, "minimum_cores": 4})
    assert bounds.within(1000, 0, 0, unknown=True) == 1
    assert Bounds(units={"minimum_memory": 10e9}).within(0, 1, 0, unknown=True) == 1


@given(st.lists(st.tuples(st.floats(0.1, 2), counts), min_size=1, max_size=60), st.floats(0, 5), st.floats(0, 20))
def test_no_flapping(steps: list[tuple[float, int]], up: float, down: float) -> None:
    """A number falls only below what nobody has wanted more than for `down` seconds, and rises likewise after `up`."""
    follow, now, current = Stabilizer(), 0.0, 5
    history: list[tuple[float, int]] = []
    for pause, wanted in steps:
        now += pause
        history.append((now, wanted))
        settled = follow.settle(now, wanted, current, up, down)
        if settled < current:
            assert settled >= max(number for time, number in history if time >= now - down)
            assert now - history[0][0] >= down
        if settled > current:
            assert settled <= min(number for time, number in history if time >= now - up)
            assert now - history[0][0] >= up
        current = settled


@pytest.mark.parametrize(
    ("lifecycle", "seen", "words"),
    [
        ({"no_client_timeout": 60}, Seen(alone=61), "no client for 60 s"),
        ({"no_client_timeout": 60}, Seen(alone=59), ""),
        ({"idle_timeout": 60, "idle_action": UNINSTALL}, Seen(idle=61), "nothing to do for 60 s"),
        ({"idle_timeout": 60, "idle_action": SCALE_TO_ZERO}, Seen(idle=61), ""),
        ({"ttl": 60}, Seen(age=61), "its time is over after 60 s"),
        ({"ttl": 60}, Seen(age=None), ""),
        ({"no_client_timeout": 60, "owner": ""}, Seen(alone=61), ""),
    ],
)
def test_removal(lifecycle: dict[str, Any], seen: Seen, words: str) -> None:
    """A release is removed when its time is over, and only one that has an owner."""
    assert reason_to_remove(Lifecycle(**{"owner": "mine", **lifecycle}), seen) == words


def test_sleep() -> None:
    """Idleness puts to sleep unless it removes."""
    assert is_time_to_sleep(Lifecycle(idle_timeout=60), Seen(idle=60))
    assert not is_time_to_sleep(Lifecycle(idle_timeout=60), Seen(idle=59))
    assert not is_time_to_sleep(Lifecycle(idle_timeout=60, idle_action=UNINSTALL), Seen(idle=61))
    assert not is_time_to_sleep(Lifecycle(), Seen(idle=math.inf))


def test_the_charts_settings_are_read() -> None:
    """What everything.yaml renders is what the agent understands."""
    text = """{"release": "demo", "groups": {
        "default": {"deployment": "w", "replicas": 2, "threads": 4, "memory": 1024, "resources": {"GPU": 1},
                    "adaptive": {"enabled": true, "minimum": 1, "maximum": null, "interval": "2s",
                                 "targetDuration": 10, "scaleUpStabilization": "1s", "scaleDownStabilization": "1m"}},
        "other": {"deployment": "o", "replicas": 0, "adaptive": {"enabled": false}}},
        "lifecycle": {"idleTimeout": "30 minutes", "owner": {"name": "me", "uid": "1"}, "ttl": null}}"""
    settings = Settings.read(text)
    expected = Bounds(minimum=1, maximum=math.inf, interval=2, target_duration=10, up=1, down=60)
    assert settings.groups["default"].bounds == expected
    assert settings.groups["other"].bounds is None
    assert settings.groups["other"].replicas == 0
    assert settings.lifecycle == Lifecycle(idle_timeout=1800, owner="me", owner_uid="1")
