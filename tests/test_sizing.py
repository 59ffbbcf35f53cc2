"""Quantities, what a pod asks for, and whether a node has it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_kubernetes_helm import errors, sizing
from dask_kubernetes_helm.sizing import canonical, quantity, requests, too_large, written

SUFFIXES = {
    "": Fraction(1), "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "k": 10**3, "M": 10**6,
    "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50,
    "Ei": 2**60,
}  # fmt: skip


@given(st.integers(0, 10**9), st.integers(0, 6), st.sampled_from(sorted(SUFFIXES)))
def test_quantities_are_exact(number: int, places: int, suffix: str) -> None:
    """A decimal number and its unit are exactly what they are, however many places they have."""
    digits = str(number).rjust(places + 1, "0")
    text = f"{digits[: len(digits) - places]}.{digits[len(digits) - places :]}" if places else digits
    assert quantity(text + suffix) == Fraction(number, 10**places) * SUFFIXES[suffix]


@given(st.integers(0, 10**6), st.sampled_from(sorted(SUFFIXES)))
def test_the_canonical_spelling_means_the_same(number: int, suffix: str) -> None:
    """What the chart is given is the same amount in a spelling that it takes."""
    spelled = canonical(f"{number}{suffix}")
    assert quantity(spelled) == quantity(f"{number}{suffix}")
    assert sizing._CANONICAL.fullmatch(spelled)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1E", 10**18), ("1E3", 1000), ("1e3", 1000), ("129e6", 129 * 10**6), ("1e-3", Fraction(1, 1000)), (2, 2),
        (0.5, Fraction(1, 2)), ("+1", 1), (".5", Fraction(1, 2)), ("1.", 1), ("-1", -1), ("0", 0),
    ],
)  # fmt: skip
def test_spellings(text: object, amount: Fraction) -> None:
    """All of Kubernetes' spellings are read, an exponent and the suffix E told apart."""
    assert quantity(text) == amount


@pytest.mark.parametrize("text", ["", "x", "6GB", "6 G", "1K", "Gi", "1e", "--1", True, None, "1e999999999", "9" * 50])
def test_what_is_no_quantity(text: object) -> None:
    """Dask's GB is no unit of Kubernetes, and a number beyond all bounds is a mistake."""
    with pytest.raises(errors.PodTemplateError, match="no quantity"):
        quantity(text)


def test_written_for_people() -> None:
    """Memory is told in its unit, cores in thousandths where they are no whole ones."""
    assert written(quantity("61.5Gi")) == "61.5Gi"
    assert written(quantity("1023Gi")) == "1023Gi"
    assert written(quantity("250m"), "cpu") == "250m"
    assert written(quantity("64"), "cpu") == "64"
    assert written(quantity("2"), "nvidia.com/gpu") == "2"
    assert written(Fraction(0)) == "0"


def asks(limits: dict[str, Any] | None = None, **asked: Any) -> dict[str, Any]:
    return {"resources": {"requests": asked, "limits": limits or {}}}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"containers": [{}]}, {}),
        ({"containers": [asks(cpu=1)]}, {"cpu": 1}),
        ({"containers": [asks({"cpu": 2, "memory": 8})]}, {"cpu": 2, "memory": 8}),
        ({"containers": [asks({"cpu": 2}, cpu=1)]}, {"cpu": 1}),
        ({"containers": [asks(cpu=1), asks(cpu=2, memory=3)]}, {"cpu": 3, "memory": 3}),
        # An init container runs alone, before the others.
        ({"containers": [asks(cpu=1)], "initContainers": [asks(cpu=4), asks(cpu=2)]}, {"cpu": 4}),
        ({"containers": [asks(cpu=3)], "initContainers": [asks(cpu=2)]}, {"cpu": 3}),
        # A native sidecar goes on beside what comes after it.
        ({"containers": [asks(cpu=3)], "initContainers": [{**asks(cpu=2), "restartPolicy": "Always"}]}, {"cpu": 5}),
        (
            {
                "containers": [asks(cpu=1)],
                "initContainers": [asks(cpu=5), {**asks(cpu=2), "restartPolicy": "Always"}, asks(cpu=4)],
            },
            {"cpu": 6},
        ),
        ({"containers": [asks(cpu=1)], "overhead": {"cpu": 1, "memory": 2}}, {"cpu": 2, "memory": 2}),
        # What is said of the whole pod counts instead.
        ({"containers": [asks(cpu=1, memory=1)], **asks(cpu=8)}, {"cpu": 8, "memory": 1}),
    ],
)
def test_what_a_pod_asks_for(spec: dict[str, Any], expected: dict[str, int]) -> None:
    """Kubernetes' own rule tells what a node must have left for a pod."""
    assert requests({"spec": spec}) == expected


def node(name: str, **allocatable: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": {"allocatable": allocatable}}


SMALL, BIG = node("small", cpu="4", memory="16Gi"), node("big", cpu="15910m", memory="61.5Gi")
ASKED = {"cpu": Fraction(64), "memory": quantity("512Gi")}


def test_no_node_is_large_enough() -> None:
    """The sentence has the pod's figures, and the largest node with its own."""
    assert too_large(ASKED, [SMALL, BIG, node("none")]) == (
        "A pod asks for cpu 64, memory 512Gi, but the largest node, big, has cpu 15910m, memory 61.5Gi to give"
    )


@pytest.mark.parametrize(
    ("asked", "nodes"),
    [
        ({"cpu": quantity(15), "memory": quantity("60Gi")}, [SMALL, BIG]),
        ({"cpu": quantity("15910m"), "memory": quantity("61.5Gi")}, [BIG]),
        ({"cpu": Fraction(1), "nvidia.com/gpu": Fraction(0)}, [SMALL]),
        ({}, [SMALL]),
        (ASKED, []),  # nodes that can't be seen, or are made when they are needed, are not too small
    ],
)
def test_a_node_is_large_enough(asked: dict[str, Fraction], nodes: list[dict[str, Any]]) -> None:
    """One node that has enough of each is enough."""
    assert too_large(asked, nodes) == ""


def test_one_node_has_to_have_all_of_it() -> None:
    """Much memory here and a GPU there is no node for a pod that needs both; the one that comes nearest is named."""
    gpu = node("gpu", cpu="8", memory="32Gi", **{"nvidia.com/gpu": "1"})
    asked = {"cpu": Fraction(10), "memory": quantity("40Gi"), "nvidia.com/gpu": Fraction(1)}
    assert "the largest node, gpu, has cpu 8, memory 32Gi, nvidia.com/gpu 1" in too_large(asked, [BIG, gpu])
