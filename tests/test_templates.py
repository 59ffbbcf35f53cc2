"""Where pod templates come from: what is looked at in which order, and what is said where nothing can be used."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import dask.config
import pytest
import yaml
from kubernetes import client

from dask_kubernetes_helm import errors
from dask_kubernetes_helm.classic import templates
from dask_kubernetes_helm.podtemplates import podspec

PLACES = ("argument", "template", "path")
every_role = pytest.mark.parametrize("role", ["worker", "scheduler"])


def pod(image: str = "r/i:1", **more: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"image": image, **more}]}}


def look(role: str, given: Any = None) -> Any:
    return {"worker": templates.worker, "scheduler": templates.scheduler}[role](given)


def image(found: Any) -> str:
    return str(found["spec"]["containers"][0]["image"])


def written(path: Path, template: Any) -> Path:
    path.write_text(template if isinstance(template, str) else yaml.safe_dump(template))
    return path


@pytest.fixture(autouse=True)
def _unconfigured() -> Iterator[None]:
    """Nothing is configured but what a test configures."""
    empty = {f"kubernetes.{role}-template": {} for role in ("worker", "scheduler")}
    paths = {f"kubernetes.{role}-template-path": None for role in ("worker", "scheduler")}
    with dask.config.set({**empty, **paths}):
        yield


# In which order -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", range(3), ids=PLACES)
@every_role
def test_the_order(role: str, first: int, tmp_path: Path) -> None:
    """The argument comes before the configured template, and that before the configured path."""
    written(tmp_path / "spec.yml", pod("from/path"))
    configured: dict[str, Any] = {f"kubernetes.{role}-template-path": str(tmp_path / "spec.yml")}
    if first < 2:
        configured[f"kubernetes.{role}-template"] = pod("from/template")
    with dask.config.set(configured):
        found = look(role, pod("from/argument") if first == 0 else None)
    assert image(found) == f"from/{PLACES[first]}"


def test_each_role_has_its_own_places() -> None:
    """What is configured for one role is no template of the other's."""
    with dask.config.set({"kubernetes.scheduler-template": pod()}):
        assert templates.scheduler(None) is not None
        with pytest.raises(errors.PodTemplateError, match="not provided"):
            templates.worker(None)
    with dask.config.set({"kubernetes.worker-template": pod()}):
        assert templates.scheduler(None) is None


def test_no_template_of_a_worker() -> None:
    """Without any the error is a ValueError in classic's words, names all places, and tells how to make one."""
    with pytest.raises(ValueError, match=r"^Worker pod specification not provided\. See KubeCluster") as caught:
        templates.worker(None)
    said = str(caught.value)
    for word in ("pod_template", "kubernetes.worker-template,", "kubernetes.worker-template-path", "from_yaml"):
        assert word in said
    assert isinstance(caught.value, errors.PodTemplateError)


def test_the_folders_of_the_configuration_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who believes to have configured a template sees where Dask has looked."""
    monkeypatch.setattr(dask.config, "paths", [str(tmp_path), str(tmp_path / "nowhere")])
    with pytest.raises(errors.PodTemplateError) as caught:
        templates.worker(None)
    assert f"(files in {tmp_path})" in str(caught.value)


# What is expanded ---------------------------------------------------------------------------------------


@pytest.fixture
def team(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEAM", "geo")
    monkeypatch.delenv("NOBODY_HAS_THIS", raising=False)


EXPANDED: dict[str, Any] = {
    "metadata": {"labels": {"team": "${TEAM}"}},
    "spec": {"containers": [{"image": "r/$TEAM:1", "args": ["dask-worker", "--name=${TEAM}", "$NOBODY_HAS_THIS"]}]},
}


def _is_expanded(found: Any) -> bool:
    args = found["spec"]["containers"][0]["args"]
    assert args[2] == "$NOBODY_HAS_THIS"
    return (found["metadata"]["labels"]["team"], image(found), args[1]) == ("geo", "r/geo:1", "--name=geo")


@every_role
def test_variables_are_expanded(role: str, team: None, tmp_path: Path) -> None:
    """In files and in the configuration environment variables are expanded; one that is not set stays for the shell."""
    path = written(tmp_path / "spec.yml", EXPANDED)
    assert _is_expanded(look(role, str(path)))
    with dask.config.set({f"kubernetes.{role}-template": copy.deepcopy(EXPANDED)}):
        assert _is_expanded(look(role))
    with dask.config.set({f"kubernetes.{role}-template-path": str(path)}):
        assert _is_expanded(look(role))


def test_what_python_gives_is_not_expanded(team: None) -> None:
    """A mapping that a program gives is meant as it is: $(NAME) and $NAME are the pod's."""
    assert templates.worker(EXPANDED) == EXPANDED


@every_role
def test_a_path_has_fields(role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """{VARIABLES} in the configured path are filled in."""
    monkeypatch.setenv("FOLDER", str(tmp_path))
    monkeypatch.setenv("TEAM", "geo")
    written(tmp_path / "geo.yml", pod())
    with dask.config.set({f"kubernetes.{role}-template-path": "{FOLDER}/{TEAM}.yml"}):
        assert image(look(role)) == "r/i:1"


def test_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path may begin with the home folder, given or configured."""
    monkeypatch.setenv("HOME", str(tmp_path))
    written(tmp_path / "spec.yml", pod())
    assert image(templates.worker("~/spec.yml")) == "r/i:1"
    with dask.config.set({"kubernetes.worker-template-path": "~/spec.yml"}):
        assert image(templates.worker(None)) == "r/i:1"


# What may be given --------------------------------------------------------------------------------------


@every_role
@pytest.mark.parametrize("kind", ["mapping", "read-only", "model", "text", "path"])
def test_kinds(role: str, kind: str, tmp_path: Path) -> None:
    """A mapping, a V1Pod, and a path as text or as a Path are the same template."""
    path = written(tmp_path / "spec.yml", pod())
    given: Any = {
        "mapping": pod(),
        "read-only": MappingProxyType(pod()),
        "model": podspec.make_pod_from_dict(pod()),
        "text": str(path),
        "path": path,
    }[kind]
    assert isinstance(given, client.V1Pod) is (kind == "model")
    found = look(role, given)
    assert image(found) == "r/i:1"
    assert isinstance(found, dict)


def test_a_model_keeps_all_it_has() -> None:
    """A V1Pod comes in Kubernetes' own spelling, without what is None."""
    made = podspec.make_pod_spec(
        "r/i:1", threads_per_worker=2, memory_limit="4G", extra_pod_config={"hostNetwork": True}
    )
    found = templates.worker(made)
    assert found["spec"]["hostNetwork"] is True
    assert found["spec"]["containers"][0]["resources"]["limits"] == {"memory": "4G"}
    assert "None" not in str(found)


def test_nothing_is_shared() -> None:
    """What comes out may be changed without a change of what was given or configured."""
    given, configured = pod(), pod()
    templates.worker(given)["spec"]["containers"].clear()
    with dask.config.set({"kubernetes.worker-template": configured}):
        templates.worker(None)["spec"]["containers"].clear()
        assert image(templates.worker(None)) == "r/i:1"
    assert given == configured == pod()


def test_json_is_yaml(tmp_path: Path) -> None:
    """A file of JSON is read as well, and so is one with anchors."""
    assert image(templates.read(written(tmp_path / "a.json", '{"spec": {"containers": [{"image": "r/j"}]}}'))) == "r/j"
    text = "x: &i r/a\nspec: {containers: [{image: *i}]}\n"
    with pytest.raises(errors.PodTemplateError, match="x"):
        templates.read(written(tmp_path / "a.yml", text))
    assert (
        image(templates.read(written(tmp_path / "a.yml", text.replace("x: &i r/a\n", "").replace("*i", "&i r/a"))))
        == "r/a"
    )


# What is refused ----------------------------------------------------------------------------------------

WRONG = [
    ("{}", "spec"),
    ("spec: {}", "containers"),
    ("spec: {containers: []}", "containers"),
    ("spec: {containers: [{image: a, imagePullPolice: x}]}", r"did you mean 'imagePullPolicy'"),
    ("spec: {containers: {image: a}}", "a list"),
    ("spec: [a]", "a mapping"),
    ("kind: Pod\nspecs: {}", "did you mean 'spec'"),
]


@pytest.mark.parametrize(("text", "words"), WRONG)
@every_role
def test_what_is_no_pod(role: str, text: str, words: str, tmp_path: Path) -> None:
    """A template that is none is refused with the field, and with the place where it stands."""
    path = written(tmp_path / "spec.yml", text)
    told: list[tuple[dict[str, Any], Any, str]] = [
        ({}, str(path), str(path)),
        ({f"kubernetes.{role}-template-path": str(path)}, None, str(path)),
        ({}, yaml.safe_load(text), "pod_template"),
    ]
    if yaml.safe_load(text):
        told.append(({f"kubernetes.{role}-template": yaml.safe_load(text)}, None, f"kubernetes.{role}-template"))
    for configured, given, place in told:
        with dask.config.set(configured), pytest.raises(errors.PodTemplateError, match=words) as caught:
            look(role, given)
        assert f"(in {place})" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "can't be read: No such file"),
        (b"\xff\xfe\x00", "can't be read: it is not UTF-8"),
        (b"spec: {containers: [", "is not valid YAML"),
        (b"- spec", "holds a list, not a mapping"),
        (b"just words", "holds a str, not a mapping"),
    ],
)
@pytest.mark.parametrize("configured", [False, True])
def test_what_is_no_file(content: bytes | None, words: str, *, configured: bool, tmp_path: Path) -> None:
    """A file that can't be used is called a template file, by its whole path, given or configured."""
    path = tmp_path / "spec.yml"
    if content is not None:
        path.write_bytes(content)
    settings = dask.config.set({"kubernetes.worker-template-path": str(path) if configured else None})
    with settings, pytest.raises(errors.PodTemplateError, match=words) as caught:
        templates.worker(None if configured else path)
    said = str(caught.value)
    assert said.startswith("The pod template file")
    assert "values file" not in said
    assert "environments" not in said
    assert str(path) in said


def test_a_relative_path_is_told_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a relative path was looked for is said, as it depends on the folder of the process."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.PodTemplateError) as caught:
        templates.worker("worker-spec.yml")
    assert f"Looked at {tmp_path.resolve() / 'worker-spec.yml'}" in str(caught.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """A folder, or no name at all, is no template file."""
    for given in (tmp_path, ""):
        with pytest.raises(errors.PodTemplateError, match="can't be read"):
            templates.worker(given)


@pytest.mark.parametrize("path", ["{NOBODY_HAS_THIS}/spec.yml", "{}/spec.yml", "{0}.yml", "{TEAM"])
@every_role
def test_a_field_of_a_path_that_is_not_set(role: str, path: str, team: None) -> None:
    """A configured path whose field can't be filled in is told by its key, with the path as it was written."""
    refused = pytest.raises(errors.PodTemplateError, match=rf"kubernetes\.{role}-template-path is")
    with dask.config.set({f"kubernetes.{role}-template-path": path}), refused as caught:
        look(role)
    assert repr(path) in str(caught.value)


@pytest.mark.parametrize("given", [3, [pod()], object(), b"spec.yml", True])
@every_role
def test_other_types(role: str, given: Any) -> None:
    """Something else is a TypeError that names what may be given."""
    with pytest.raises(TypeError, match="V1Pod, a mapping, or the path of a YAML file") as caught:
        look(role, given)
    assert isinstance(caught.value, errors.InvalidTypeError)


@pytest.mark.parametrize("configured", ["worker-spec.yml", [pod()]])
def test_a_configured_template_of_another_type(configured: Any) -> None:
    """A configured template that is no mapping, such as a path under the wrong key, is told by its key."""
    refused = pytest.raises(errors.HelmClusterError, match=r"kubernetes\.worker-template")
    with dask.config.set({"kubernetes.worker-template": configured}), refused:
        templates.worker(None)
