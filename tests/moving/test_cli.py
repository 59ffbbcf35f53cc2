"""`dask helm convert` in a terminal: what is printed where, and how it ends."""

from __future__ import annotations

import configparser
import importlib.metadata
import subprocess
import sys
import zipfile
from pathlib import Path

import click
import dask.cli
import pytest
import yaml
from click.testing import CliRunner, Result

from dask_kubernetes_helm import discovery
from dask_kubernetes_helm.cli import main
from dask_kubernetes_helm.moving import conversion, documents
from dask_kubernetes_helm.moving.conversion import KINDS
from tests.moving.convert import FILES

ROOT = Path(__file__).parents[2]


def convert(*arguments: str | Path, text: str | None = None, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["convert", *map(str, arguments)], input=text)
    assert result.exit_code == code, result.output
    return result


def test_values_on_one_side_and_the_report_on_the_other() -> None:
    """Standard output is a values file that says where it is from; standard error has each finding with its line."""
    path = FILES / "helm-chart.yaml"
    result = convert(path)
    assert yaml.safe_load(result.stdout)["fullnameOverride"] == "analytics"
    head = [line for line in result.stdout.splitlines() if line.startswith("#")]
    assert "helm-chart.yaml" in head[1]
    assert str(path.parent) not in result.stdout
    assert f"{path}:32: not carried: worker.readinessProbe (exec.command[0]): " in result.stderr
    assert f"{path}:35: note: additional_worker_groups[0].replicas: " in result.stderr
    assert result.stderr.count(": not carried: ") == int(result.stderr.split(" not carried, ")[0].split()[-1])


def test_no_value_is_in_the_report(tmp_path: Path) -> None:
    """What is not carried may be a secret: the report has its key only."""
    path = tmp_path / "values.yaml"
    path.write_text("jupyter: {password: hunter2, args: [hunter3]}\nworker: {replcias: hunter4}\n")
    assert "hunter" not in convert(path).output.replace("replcias", "")


def test_standard_input() -> None:
    """A dash is standard input, so a release's values can be piped in."""
    result = convert("-", text="worker: {replicas: 2}\n")
    assert yaml.safe_load(result.stdout)["worker"] == {"replicas": 2}
    assert "stdin: values of dask/helm-chart" in result.stderr


def test_an_output_file(tmp_path: Path) -> None:
    """The values are written there, and nothing is printed but the report; never over the file itself."""
    source, output = tmp_path / "old.yaml", tmp_path / "new.yaml"
    source.write_text("worker: {replicas: 2}\n")
    assert not convert(source, "-o", output).stdout
    assert yaml.safe_load(output.read_text())["worker"] == {"replicas": 2}
    assert "would be lost" in convert(source, "-o", source, code=2).output
    assert source.read_text() == "worker: {replicas: 2}\n"


@pytest.mark.parametrize(("text", "code"), [("worker: {bogus: 1}\n", 3), ("jupyter: {enabled: false}\n", 0)])
def test_strict(text: str, code: int) -> None:
    """With --strict a loss is an exit code of its own; the values are there all the same."""
    assert "servicePort" in convert("--strict", "-", text=text, code=code).stdout
    convert("-", text=text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [\n", ["not valid YAML"]),
        ("- 1\n", ["a list"]),
        ("", ["holds nothing"]),
        ("a: 1\n", ["keys are a", "--kind", "daskcluster"]),
        ("spec: {containers: [{image: x, args: [dask-scheduler]}]}\n", ["no pod template of a worker"]),
        ("worker: 1\n---\nworker: 2\n", ["2 documents"]),
        ("worker: &a {b: *a}\n", ["stdin: ", "hold themselves"]),
        ("worker: {a: 1, a: 2}\n", ["given twice"]),
    ],
)
def test_files_that_are_nothing(text: str, words: list[str]) -> None:
    """They end with 1 and a sentence, and nothing is printed that could be installed."""
    result = convert("-", text=text, code=1)
    assert not result.stdout
    for word in words:
        assert word in result.stderr


def test_files_that_are_not_there(tmp_path: Path) -> None:
    """A wrong path or kind is a mistake in the call."""
    assert "does not exist" in convert(tmp_path / "none.yaml", code=2).output
    assert "'operator'" in convert("-", "--kind", "operator", code=2).output
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    assert "not UTF-8" in convert(binary, code=1).output


def test_the_help_names_kinds_and_exit_codes() -> None:
    """The help says what there is to convert, and how it ends."""
    printed = convert("--help").output
    for words in (*KINDS, "3 with --strict", "helm install"):
        assert words in printed
    assert click.Choice(KINDS).choices == main.commands["convert"].params[1].type.choices  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("kind: Pod\nspec: {}\n", "pod"),
        ("spec: {containers: []}\n", "pod"),
        ("apiVersion: kubernetes.dask.org/v1\nkind: DaskCluster\n", "daskcluster"),
        ("dask-gateway: {}\n", "daskhub"),
        ("webUI: {}\n", "helm-chart"),
        ("fullnameOverride: a\n", "helm-chart"),
    ],
)
def test_what_a_file_is(text: str, kind: str) -> None:
    """Its keys tell."""
    assert conversion._guess(documents.read(text, "file"), "file") == kind


@pytest.mark.parametrize(
    "word",
    ["yes", "on", "1e3", "0o17", "12:30", "007", "~", "null", "", " a", "a: b", "#", "-", "=", "a\nb\n", "\ttab"],
)
def test_text_stays_text(word: str) -> None:
    """Whatever Helm would take for something else is quoted."""
    (document,) = documents.read(documents.write({"key": word, word or "x": [word]}), "file")
    assert document.tree == {"key": word, word or "x": [word]}


def test_lines() -> None:
    """Each path has the line on which it is written, through merge keys and lists."""
    (document,) = documents.read("a: &x\n  b: 1\nc:\n  <<: *x\n  d:\n    - 1\n    - e: 2\n", "file")
    assert document.tree == {"a": {"b": 1}, "c": {"b": 1, "d": [1, {"e": 2}]}}
    assert document.lines["c", "d", 1, "e"] == 7
    assert document.lines["c", "b"] == 2


def test_dask_finds_the_commands(tmp_path: Path) -> None:
    """The wheel has the entry point by which `dask helm` comes to be, and it is a command as Dask takes it.

    So has it the one by which dask-ctl finds releases.
    """
    build = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        (name,) = (name for name in packed.namelist() if name.endswith("entry_points.txt"))
        points = configparser.ConfigParser()
        points.read_string(packed.read(name).decode())
    assert dict(points["dask_cli"]) == {"helm": "dask_kubernetes_helm.cli:main"}
    (found,) = points["dask_cluster_discovery"].values()
    assert importlib.metadata.EntryPoint("helmcluster", found, "dask_cluster_discovery").load() is discovery.discover
    point = importlib.metadata.EntryPoint("helm", points["dask_cli"]["helm"], "dask_cli")
    dask.cli._register_command_ep(dask.cli.cli, point)
    result = CliRunner().invoke(dask.cli.cli, ["helm", "convert", "-"], input="worker: {replicas: 2}\n")
    assert yaml.safe_load(result.stdout)["worker"] == {"replicas": 2}


def test_other_dask_commands_stay_quick() -> None:
    """Every `dask` command imports this module: nothing slow comes with it."""
    script = "import sys, dask_kubernetes_helm.cli; print(sorted({name.split('.')[0] for name in sys.modules}))"
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    for name in ("kubernetes", "pyhelm3", "aiohttp", "rich", "jsonschema"):
        assert f"'{name}'" not in printed
