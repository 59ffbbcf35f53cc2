"""What is said of a release: changelog, annotations, versions, workflows, conda-forge's recipe."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import rattler_build
import yaml

from tests import versions
from tests.publishing import annotations, changelog, recipe
from tests.publishing.archive import repack

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yaml"))
CHART = {"home": "https://example.com/x", "appVersion": "1"}
VALUES = {"image": {"repository": "r/dask", "tag": ""}}
LOG = """# Changelog

## [1.1.0] - 2026-01-31

### Added

- One thing
  over two lines, see [here](docs/here.md).

### Security

- Another: `thing`.

## [1.0.0] - 2025-12-31

### Fixed

- Old.
"""


def test_the_newest_section() -> None:
    """The changelog's newest section has its version, its date and its changes by kind, and nothing of older ones."""
    found = changelog.newest(LOG)
    assert (found.version, found.date) == ("1.1.0", "2026-01-31")
    assert found.changes == (
        ("added", "One thing over two lines, see [here](docs/here.md)."),
        ("security", "Another: `thing`."),
    )
    assert "Old" not in found.text


@pytest.mark.parametrize(
    ("text", "words"), [("# Changelog\n", "no heading like"), (LOG.replace("Added", "Adde"), "1.1.0 has '### Adde'")]
)
def test_a_changelog_that_cannot_be_read(text: str, words: str) -> None:
    """What is wrong with a changelog is told."""
    with pytest.raises(ValueError, match=re.escape(words)):
        changelog.newest(text)


def test_annotations() -> None:
    """Artifact Hub is told the changes in plain words, whether they concern security, and the image's version."""
    made = annotations.annotations(CHART, VALUES, changelog.newest(LOG))
    assert yaml.safe_load(made["artifacthub.io/changes"]) == [
        {"kind": "added", "description": "One thing over two lines, see here."},
        {"kind": "security", "description": "Another: thing."},
    ]
    assert made["artifacthub.io/containsSecurityUpdates"] == "true"
    assert made["artifacthub.io/prerelease"] == "false"
    assert yaml.safe_load(made["artifacthub.io/images"]) == [{"name": "dask", "image": "r/dask:1"}]
    before = changelog.newest(LOG.replace("Security", "Changed").replace("1.1.0", "1.1.0-rc.1"))
    made = annotations.annotations(CHART, VALUES, before)
    assert made["artifacthub.io/containsSecurityUpdates"] == "false"
    assert made["artifacthub.io/prerelease"] == "true"


def test_annotations_are_fresh() -> None:
    """Chart.yaml and the chart's licence are what `make generate` writes, and all annotations are texts."""
    for path, text in annotations.generate().items():
        assert text == path.read_text()
    chart = yaml.safe_load((ROOT / "chart/Chart.yaml").read_text())
    assert {type(value) for value in chart["annotations"].values()} == {str}
    assert chart["icon"].startswith("https://")


@pytest.mark.parametrize(
    ("tag", "date", "words"),
    [
        (None, "unreleased", ""),
        ("v1.0.0", "2026-01-31", ""),
        ("1.0.0", "2026-01-31", "tag v1.0.0"),
        ("v1.0.0", "unreleased", "write the day"),
    ],
)
def test_a_tag_is_checked(tag: str | None, date: str, words: str) -> None:
    """A tag must be the version's, and a released version has its day in the changelog."""
    assert words in versions.wrong({"a": "1.0.0", "b": "1.0.0"}, tag, date)
    assert bool(words) == bool(versions.wrong({"a": "1.0.0", "b": "1.0.0"}, tag, date))
    assert "a 1.0.0, b 2.0.0" in versions.wrong({"a": "1.0.0", "b": "2.0.0"}, tag, date)


def test_repacking_loses_nothing(tmp_path: Path) -> None:
    """Files and contents stay, whatever the order, times, owners and modes that they were packed with."""
    import io
    import tarfile

    archives = []
    for order, mtime in ((("dask/values.yaml", "dask/Chart.yaml"), 1), (("dask/Chart.yaml", "dask/values.yaml"), 2)):
        archives.append(tmp_path / f"{mtime}.tgz")
        with tarfile.open(archives[-1], "w:gz") as archive:
            for name in order:
                member = tarfile.TarInfo(name)
                member.size, member.mtime, member.uid, member.mode = len(name), mtime, mtime, 0o600 + mtime
                archive.addfile(member, io.BytesIO(name.encode()))
        repack(archives[-1], 1_700_000_000)
    first, second = (path.read_bytes() for path in archives)
    assert first == second
    with tarfile.open(archives[0]) as archive:
        assert archive.getnames() == ["dask/Chart.yaml", "dask/values.yaml"]
        assert archive.extractfile("dask/values.yaml").read() == b"dask/values.yaml"  # type: ignore[union-attr]


#: What jobs may do beyond reading the sources, by workflow.
WRITES = {
    "ci.yaml": set(),
    "release.yaml": {
        ("contents", "read"),
        ("contents", "write"),
        ("id-token", "write"),
        ("attestations", "write"),
        ("packages", "write"),
    },
}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_keep_to_the_schema(path: Path) -> None:
    """GitHub knows every key of a workflow."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(path)]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_may_do_little(path: Path) -> None:
    """A workflow reads and nothing else, but for jobs that say what they write; every action's version is pinned."""
    flow = yaml.safe_load(path.read_text())
    assert flow["permissions"] == {"contents": "read"}
    for job in flow["jobs"].values():
        assert job["timeout-minutes"] <= 120
        assert set(job.get("permissions", {}).items()) <= WRITES[path.name]
        for step in job["steps"]:
            assert "uses" not in step or re.search(r"@(v\d+|release/v\d+|[0-9a-f]{40})$", step["uses"])
            # What a workflow is told by others must not become a part of a script.
            assert "${{" not in step.get("run", "")


def test_what_builds_may_not_write() -> None:
    """No job that runs the project's own build may write anything."""
    jobs = yaml.safe_load((ROOT / ".github/workflows/release.yaml").read_text())["jobs"]
    assert "permissions" not in jobs["build"]
    for name, job in jobs.items():
        if "permissions" in job:
            assert not any("make" in step.get("run", "") for step in job["steps"]), name


def _released(text: str) -> set[str]:
    return set(re.findall(r"(?:make|python -m) ([\w.-]+)", text))


def test_workflows_call_what_there_is() -> None:
    """Every chore and module that a workflow calls is there."""
    chores = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    called = set().union(*(_released(path.read_text()) for path in WORKFLOWS))
    missing = [name for name in called - chores if not (ROOT / f"{name.replace('.', '/')}.py").exists()]
    assert missing == []
    assert {"package", "sbom", "tests.versions"} <= called


@pytest.fixture(scope="module")
def rendered() -> dict[str, Any]:
    """The recipe as rattler-build, which builds conda-forge's packages, understands it."""
    read = rattler_build.Stage0Recipe.from_yaml(recipe.RECIPE.read_text())
    (variant,) = read.render(rattler_build.VariantConfig({}))
    return dict(variant.recipe.to_dict())


def test_the_recipe_is_understood(rendered: dict[str, Any]) -> None:
    """rattler-build parses and renders the recipe, with the version filled in."""
    version = changelog.newest().version
    assert rendered["package"]["version"] == version
    assert rendered["build"]["noarch"] == "python"
    assert f"dask_kubernetes_helm-{version}.tar.gz" in str(rendered["source"])


#: What conda-forge calls otherwise than PyPI.
CONDA = {"dask": "dask-core", "kubernetes": "python-kubernetes"}


def test_the_recipe_needs_what_the_package_needs() -> None:
    """The recipe's dependencies are pyproject.toml's, by conda-forge's names, and so is the oldest Python."""
    project = (ROOT / "pyproject.toml").read_text()
    listed = project.partition("\ndependencies = [")[2].partition("\n]")[0]
    needed = dict(re.findall(r'^  "([\w-]+)(.*)",$', listed, re.MULTILINE))
    expected = {f"{CONDA.get(name, name).lower()} {bound}" for name, bound in needed.items()}
    told = yaml.safe_load(recipe.RECIPE.read_text())
    python, *others = told["requirements"]["run"]
    assert set(others) == expected
    assert python == "python >=${{ python_min }}"
    assert f'requires-python = ">={told["context"]["python_min"]}"' in project
    assert f'license = "{told["about"]["license"]}"' in project
