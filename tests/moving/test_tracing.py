"""The account of a document's leaves."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_kubernetes_helm.moving.tracing import AccountedTwiceError, Fate, Ledger, Tracked, leaves, written

SCALARS = st.none() | st.booleans() | st.integers() | st.text("abc", max_size=3)
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abcd", min_size=1, max_size=2), inner, max_size=3)
    ),
    max_leaves=12,
)
ROOTS = st.dictionaries(st.text("abcd", min_size=1, max_size=2), TREES, max_size=4)


def places(part: Tracked) -> list[Tracked]:
    return [part, *(below for child in part.children() for below in places(child))]


@given(ROOTS, st.data())
def test_whatever_is_done_each_leaf_has_one_fate(tree: dict[str, Any], data: st.DataObject) -> None:
    """Places are taken, silenced and lost in any order: in the end each leaf has one fate, and lost ones are told."""
    ledger = Ledger(tree)
    verbs = [
        lambda part: part.take(),
        lambda part: part.silent(),
        lambda part: part.lost("why"),
        lambda part: part.said(),
    ]
    for part in data.draw(st.lists(st.sampled_from(places(ledger.root)), max_size=6)):
        data.draw(st.sampled_from(verbs))(part)
    ledger.close("unknown", "")
    assert set(ledger.fates) == set(leaves(tree))
    told = [key for finding in ledger.findings for key in finding.keys]
    assert sorted(told) == sorted(written(path) for path, fate in ledger.fates.items() if fate is Fate.LOST)


@given(ROOTS, st.data())
def test_what_is_taken_is_what_was_left(tree: dict[str, Any], data: st.DataObject) -> None:
    """Two takes, one inside of the other, give each leaf once."""
    ledger = Ledger(tree)
    inner = data.draw(st.sampled_from(places(ledger.root)))
    first, rest = inner.take(), ledger.root.take()
    counted = [len(list(leaves(part))) if part is not None else 0 for part in (first, rest)]
    whole, inside = len(list(leaves(tree))), len(list(leaves(inner.value)))
    if None not in (first, rest):
        assert counted == [inside, whole - inside]
    assert all(fate is Fate.CARRIED for fate in ledger.fates.values())


def test_a_second_fate_is_refused() -> None:
    """A table that settles a leaf twice is a mistake, and says which leaf."""
    ledger = Ledger({"a": {"b": 1}})
    ledger.settle(("a", "b"), Fate.CARRIED)
    with pytest.raises(AccountedTwiceError, match=r"a\.b is carried and lost"):
        ledger.settle(("a", "b"), Fate.LOST)


def test_nobody_asked() -> None:
    """What was never looked at is told by the highest key below which that is all."""
    ledger = Ledger({"a": {"b": 1, "c": {"d": 2, "e": 3}}, "f": [1, 2]}, {("a", "c"): 7, ("f",): 9})
    ledger.root.get("a", "b").take()  # type: ignore[union-attr]
    ledger.close("unknown", "")
    assert [(finding.path, finding.line) for finding in ledger.findings] == [(("a", "c"), 7), (("f",), 9)]


def test_revoking() -> None:
    """What was carried and then refused is lost, once."""
    ledger = Ledger({"a": [1, 2]})
    ledger.root.take()
    ledger.revoke(("a", 1), "refused", "")
    assert ledger.fates == {("a", 0): Fate.CARRIED, ("a", 1): Fate.LOST}
    assert [finding.keys for finding in ledger.findings] == [("a[1]",)]


@pytest.mark.parametrize("empty", [None, "", {}, []])
def test_what_is_empty_says_nothing(empty: Any) -> None:
    """An empty value is settled when it is asked for; 0 and false say something."""
    ledger = Ledger({"a": empty, "b": 0, "c": False})
    assert ledger.root.said("a") is None
    assert ledger.fates == {("a",): Fate.SILENT}
    assert [ledger.root.said(key).value for key in ("b", "c")] == [0, False]  # type: ignore[union-attr]
