"""Values: read as Helm reads them, merged by Helm's rules, judged by the chart's schema."""

from __future__ import annotations

import json
from pathlib import Path

import dask
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_kubernetes_helm import contract, errors
from dask_kubernetes_helm.chartvalues import schema, values, yamltext
from dask_kubernetes_helm.chartvalues.values import Layer, layers, merge, plain, read
from tests.chart.helm import VALUES

scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
mappings = st.recursive(
    st.dictionaries(st.sampled_from("abc"), scalars, max_size=3),
    lambda children: st.dictionaries(st.sampled_from("abc"), scalars | children | st.lists(scalars), max_size=3),
    max_leaves=8,
)


@given(mappings, mappings, mappings)
def test_layers_merge_from_the_left(a: dict, b: dict, c: dict) -> None:
    """Many layers merge as Helm merges files: each over all before it; what the last says outright is what counts."""
    merged = merge(a, b, c)
    assert merge(merge(a, b), c) == merged
    assert all(merged[key] == value for key, value in c.items() if not isinstance(value, dict))
    assert set(merged) == {*a, *b, *c}


@given(mappings)
def test_merging_with_nothing(a: dict) -> None:
    """An empty layer changes nothing."""
    assert a == merge(a) == merge({}, a) == merge(a, {})


def test_lists_replace_and_null_stays() -> None:
    """A later list takes the place of an earlier one, and null survives so that Helm deletes the default."""
    assert merge({"a": [1], "b": 1, "c": {"d": 1}}, {"a": [2], "b": None, "c": {"e": 2}}) == {
        "a": [2],
        "b": None,
        "c": {"d": 1, "e": 2},
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0o17", 15), ("0777", 511), ("0x1f", 31), ("1_000", 1000), ("1e3", 1000), ("-.5", -0.5), ("+12", 12),
        ("12:30:45", "12:30:45"), ("2020-01-01", "2020-01-01"), ("1.2.3", "1.2.3"), ("'1'", "1"), ("0b101", 5),
        ("y", True), ("off", False), ("~", None), ("", None), ("2026.10", 2026.1),
    ],
)  # fmt: skip
def test_scalars_are_read_as_helm_reads_them(tmp_path: Path, text: str, value: object) -> None:
    """YAML's plain scalars mean what Helm's parser takes them for, not what PyYAML does."""
    path = tmp_path / "values.yaml"
    path.write_text(f"a: {text}\n")
    assert {"a": value} == read(path).mapping


def test_layers_apply_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment first, then the caller's in their order; templates see the environment variables."""
    (tmp_path / "mine.yaml").write_text("worker: {replicas: 7}\n")
    (tmp_path / "tag.yaml.j2").write_text("image: {tag: '{{ TAG }}'}\n")
    monkeypatch.setenv("TAG", "1.2")
    with dask.config.set({"kubernetes.environments": str(tmp_path)}):
        found = layers([tmp_path / "tag.yaml.j2", {"worker": {"replicas": 8}}], environment="mine")
        assert values.environments() == sorted({"mine", "tag"} | {path.stem for path in VALUES.glob("*.yaml")})
    assert merge(*(layer.mapping for layer in found)) == {"worker": {"replicas": 8}, "image": {"tag": "1.2"}}


@pytest.mark.parametrize("given", [3, [3], object()])
def test_other_types_are_refused(given: object) -> None:
    """Values are a path, a mapping or a list of them."""
    with pytest.raises(errors.InvalidTypeError, match="path"):
        layers(given)


def test_plain() -> None:
    """NumPy's numbers and paths become JSON's types; what can't is refused by its key."""
    numpy = pytest.importorskip("numpy")
    assert plain({"a": (numpy.int64(1), numpy.float64(2.5)), "b": Path("x/y")}) == {"a": [1, 2.5], "b": "x/y"}
    with pytest.raises(errors.InvalidTypeError, match=r"worker.x\[1\] is of type set"):
        plain({"worker": {"x": [1, {2}]}})


@given(st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=5), max_size=4))
def test_json_is_yaml(mapping: dict) -> None:
    """Every mapping comes back from the form in which it travels to helm."""
    import yaml

    from dask_kubernetes_helm.helmcli.helm import join_surrogates

    assert mapping == yaml.load(join_surrogates(json.dumps(mapping)), yamltext._HelmLoader)


@pytest.mark.parametrize("environment", ["ci", "local", "production"])
def test_environments_satisfy_the_schema(environment: str) -> None:
    """Each packaged environment is valid."""
    schema.check(layers(environment=environment), contract.chart_path())


def test_the_last_layer_that_says_it_is_named() -> None:
    """An error names the source that holds the key, though others come after it."""
    given = [Layer("first", {"worker": {"nany": True}}), Layer("second", {"worker": {"nanny": True}})]
    with pytest.raises(errors.ValuesSchemaError, match=r"first: there is no key 'worker.nany'; did you mean 'nanny'\?"):
        schema.check(given, contract.chart_path())


def test_null_deletes_a_default_before_the_schema_is_asked() -> None:
    """As Helm does, so that a probe can be taken away by null."""
    schema.check(
        [Layer("x", {"worker": {"readinessProbe": None}, "scheduler": {"resources": None}})], contract.chart_path()
    )


@given(st.text(alphabet="abcdefgh", min_size=1, max_size=8))
def test_no_unknown_key_passes(key: str) -> None:
    """Whatever key is made up at the top is refused, unless the chart has it."""
    known = json.loads((contract.chart_path() / "values.schema.json").read_text())["properties"]
    if key not in known:
        with pytest.raises(errors.ValuesSchemaError, match=key):
            schema.check([Layer("x", {key: 1})], contract.chart_path())
