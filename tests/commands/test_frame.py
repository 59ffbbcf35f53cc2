"""What all commands have in common: help with an example, mistakes told with what would be right, no traceback."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.chartvalues import schema
from dask_kubernetes_helm.cli import main, settings
from dask_kubernetes_helm.errors import ValuesSchemaError

from .conftest import Namespace, deployment, invoke

ALL = {
    *("create", "list", "status", "scale", "adapt", "logs", "diagnose", "dashboard", "upgrade", "delete", "gc"),
    *("convert", "rbac", "values"),
}


def commands(group: click.Group = main, *above: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        yield (*above, name), command
        if isinstance(command, click.Group):
            yield from commands(command, *above, name)


def test_the_commands() -> None:
    """They are those that are documented, in the order of a release's life."""
    assert set(main.commands) == ALL
    assert main.list_commands(click.Context(main)) == list(main.commands)


@pytest.mark.parametrize(("path", "command"), [pytest.param(*found, id=" ".join(found[0])) for found in commands()])
def test_help(path: tuple[str, ...], command: click.Command) -> None:
    """Each has a sentence, an example that names it, and a word on each option; its line in the list is not cut."""
    printed = invoke(*path, "--help").output
    first = printed.split("\n\n")[1].strip()
    assert first.endswith(".")
    assert re.search(rf"Examples?.*:\n( .*\n)*?.*dask helm {' '.join(path)}", printed), printed
    for option in command.params:
        assert isinstance(option, click.Argument) or option.help, option.name  # type: ignore[attr-defined]
    above = invoke(*path[:-1], "--help").output
    (line,) = (line for line in above.splitlines() if line.split()[:1] == [path[-1]])
    assert not line.endswith("...")


@pytest.mark.parametrize(("path", "command"), [pytest.param(*found, id=" ".join(found[0])) for found in commands()])
def test_unknown_options(path: tuple[str, ...], command: click.Command) -> None:
    """An option that there is not ends with 2."""
    assert "--no-such" in invoke(*path, "--no-such", code=2).output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["stauts"], ["'stauts'", "did you mean 'status'?", "create, list"]),
        (["values", "shema"], ["did you mean 'schema'?"]),
        (["status"], ["Missing argument 'NAME'"]),
        (["status", "dask", "-n", "No_Namespace"], ["'No_Namespace'", "lower-case"]),
        (["scale", "dask", "-1"], ["-1"]),
        (["scale", "dask", "many"], ["'many'"]),
        (["adapt", "dask"], ["--minimum", "--off"]),
        (["adapt", "dask", "--minimum", "3", "--maximum", "2"], ["--minimum is 3", "above --maximum, 2"]),
        (["adapt", "dask", "--off", "--maximum", "2"], ["--off goes without"]),
        (["list", "-A", "-n", "lab"], ["goes without"]),
        (["logs", "dask", "-f", "-o", "json"], ["--follow goes without"]),
        (["logs", "dask", "--tail", "-1"], ["-1"]),
        (["create", "My_Release"], ["'My_Release'", "\nTry 'my-release'."]),
        (["create", "x", "--image", "a b"], ["--image", "names no image", "\nGive repository"]),
        (["upgrade", "dask", "--image", "a b"], ["--image", "names no image"]),
        (["create", "x", "--timeout", "soon"], ["--timeout is 'soon'", "\nGive seconds"]),
        (["upgrade", "dask", "--timeout", "0"], ["--timeout is '0'", "more than 0 seconds"]),
        (["scale", "dask", "3", "--timeout", "nan"], ["--timeout is 'nan'"]),
        (["logs", "dask", "--since", "x"], ["--since is 'x'"]),
        (["gc", "--unused", "x"], ["--unused is 'x'"]),
        (["gc", "--unused", "0"], ["--unused is '0'"]),
        (["create", "dask", "--set", "worker"], ["--set", "'worker' is no setting", "worker.replicas=3"]),
        (["create", "dask", "--set", "worker.env[0]=1"], ["worker.env='[a, b]'"]),
        (["create", "dask", "--set", "worker.env={"], ["not YAML"]),
        (["list", "-o", "yaml"], ["'yaml'", "json"]),
    ],
)
def test_wrong_usage(lab: Namespace, arguments: list[str], words: list[str]) -> None:
    """It ends with 2 and what would be right; nothing is asked of a cluster."""
    printed = invoke(*arguments, code=2).output
    for word in words:
        assert word in printed


def test_a_wrong_configuration_is_no_wrong_usage(lab: Namespace) -> None:
    """What the configuration says wrongly is told by its own key, and ends with 1."""
    import dask as dask_package

    with dask_package.config.set({"kubernetes.timeout": "soon"}):
        assert "kubernetes.timeout is 'soon'" in invoke("upgrade", "dask", code=1).stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["status", "dsk"], ["no release 'dsk'", "namespace lab", "did you mean 'dask'?", "\nReleases there: dask."]),
        (["logs", "dsk"], ["no release 'dsk'"]),
        (["delete", "dsk", "--yes"], ["no release 'dsk'"]),
        (["dashboard", "dsk"], ["no release 'dsk'"]),
        (["scale", "dask", "3", "-g", "defualt"], ["'defualt'", "did you mean 'default'?", "\nGroups are: default."]),
        (["adapt", "dask", "--off", "-g", "gpu"], ["'gpu'", "\nGroups are: default."]),
        (["logs", "dask", "-p", "w-3"], ["no pod 'w-3'", "\nPods are: s-1, w-1, w-2."]),
        (["create", "x", "-e", "prodution"], ["did you mean 'production'?", "\nEnvironments are: "]),
        (["create", "x", "-f", "no-such.yaml"], ["no-such.yaml can't be read"]),
        (["upgrade", "dsk"], ["no release 'dsk'"]),
        (["values", "show", "prod"], ["did you mean"]),
        (["values", "defaults", "worker.replica"], ["'replica' under worker", "did you mean 'replicas'?"]),
        (["values", "schema", "image.tag.x"], ["'x' under image.tag", "\nKeys there: none."]),
    ],
)
def test_failures(dask: Namespace, arguments: list[str], words: list[str]) -> None:
    """They end with 1; message and, on a line of its own, cure are on standard error, and nothing is on the other."""
    dask.logs = {"s-1": "", "w-1": "", "w-2": ""}
    result = invoke(*arguments, code=1)
    assert not result.stdout
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr


def test_no_value_of_a_setting_is_told() -> None:
    """What a setting holds may be a secret: errors name its key only."""
    with pytest.raises(ValuesSchemaError) as caught:
        schema.check([settings.layer("jupyter.pasword=hunter2")], contract.chart_path())
    assert "--set jupyter.pasword" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_setting_outranks_files(dask: Namespace, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment, files and settings apply in this order; standard input is a file."""
    from dask_kubernetes_helm.chartvalues.values import merge
    from dask_kubernetes_helm.releases.lifecycle import ManagedRelease

    seen = []

    async def preview(self, plan) -> str:
        seen.append(plan)
        return ""

    monkeypatch.setattr(ManagedRelease, "preview_install", preview)
    path = tmp_path / "values.yaml"
    path.write_text("worker: {replicas: 5, nanny: false}\nimage: {tag: a}\n")
    options = ["-e", "ci", "-f", str(path), "--set", "worker.replicas=7", "--image", "repo/dask:b", "--dry-run"]
    invoke("create", "x", *options)
    (plan,) = seen
    merged = merge(*(layer.mapping for layer in plan.layers))
    assert (merged["worker"]["replicas"], merged["worker"]["nanny"], merged["image"]["tag"]) == (7, False, "b")
    assert merged["scheduler"]["resources"]["limits"] == {"memory": "1Gi"}
    assert (plan.name, plan.bound) == ("x", False)


def test_a_configured_release_needs_no_name(dask: Namespace) -> None:
    """As in a release's own notebooks."""
    import dask as dask_package

    with dask_package.config.set({"kubernetes.release": "dask"}):
        assert json.loads(invoke("status", "-o", "json").stdout)["name"] == "dask"


def test_completion(dask: Namespace) -> None:
    """A shell is offered releases, groups and environments; a cluster that does not answer offers nothing."""
    from click.shell_completion import ShellComplete

    dask.add("deployments", deployment("dask", "worker", group="gpu"), deployment("other"))

    def offered(*line: str) -> list[str]:
        *before, last = line
        return [item.value for item in ShellComplete(main, {}, "dask", "_X").get_completions(before, last)]

    assert offered("status", "") == ["dask", "other"]
    assert offered("delete", "-n", "lab", "da") == ["dask"]
    assert offered("scale", "dask", "3", "--worker-group", "") == ["default", "gpu"]
    assert offered("create", "x", "-e", "pro") == ["production"]
    assert offered("values", "show", "ci") == ["ci"]
    assert offered("dia") == ["diagnose"]
    dask.forbidden.add("deployments")
    assert offered("status", "") == []


def test_other_dask_commands_stay_quick() -> None:
    """Every `dask` command imports the package: nothing slow comes with it."""
    script = "import sys, dask_kubernetes_helm.cli; print(sorted({name.split(chr(46))[0] for name in sys.modules}))"
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    for name in ("kubernetes", "pyhelm3", "aiohttp", "rich", "jsonschema"):
        assert f"'{name}'" not in printed
