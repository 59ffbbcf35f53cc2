"""Release names: valid whatever the user is called, and never the same for different users."""

from __future__ import annotations

import getpass
import os
import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from dask_kubernetes_helm import errors, naming
from dask_kubernetes_helm.fronts import arguments

ANY_TEXT = st.text(st.characters(), max_size=200)  # what a variable that is no UTF-8 holds included
NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,51}[a-z0-9])?", fullmatch=True)


@given(st.text(min_size=1, max_size=200))
def test_any_text_becomes_part_of_a_valid_name(text: str) -> None:
    """A slug is a valid name of bounded length."""
    part = naming.slug(text)
    assert len(part) <= 20
    assert part == naming.validate(part)


@given(st.text(max_size=40), st.text(max_size=40))
def test_slugs_do_not_collide(a: str, b: str) -> None:
    """Texts that differ become parts that differ."""
    assume(a != b)
    assert naming.slug(a) != naming.slug(b)


@pytest.mark.parametrize("user", ["Jo.Doe_1@x", "日本", "x" * 200, "root"])
def test_the_default_template(monkeypatch: pytest.MonkeyPatch, user: str) -> None:
    """The default name is valid and new each time, for any user."""
    monkeypatch.setattr(getpass, "getuser", lambda: user)
    names = {arguments.release_name(None, attach=False) for _ in range(20)}
    assert len(names) == 20
    assert all(name.startswith("dask-") and name == naming.validate(name) for name in names)


def test_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment variables are filled in, made valid; an unset one is named."""
    assert naming.expand("dask-{TEAM}", {"TEAM": "ml"}) == "dask-ml"
    assert f"dask-{naming.slug('ML team')}" == naming.expand("dask-{TEAM}", {"TEAM": "ML team"})
    with pytest.raises(errors.InvalidNameError, match="NO_SUCH"):
        naming.expand("dask-{NO_SUCH}", {})
    with pytest.raises(errors.InvalidNameError, match="can't be read"):
        naming.expand("dask-{", {})


@pytest.mark.parametrize("error", [KeyError("getpwuid(): uid not found: 1234"), OSError("No username set")])
def test_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Where the user's number has no name, as in containers, the number does."""

    def fail() -> str:
        raise error

    monkeypatch.setattr(getpass, "getuser", fail)
    monkeypatch.setattr(os, "getuid", lambda: 1234)
    assert naming.expand("dask-{user}", {}) == "dask-1234"
    assert naming.lenient("dask-{user}", {}) == "dask-1234"


def lenient(text: str) -> str:
    return naming.lenient("{TEXT}", {"TEXT": text})


@given(ANY_TEXT)
@example("")
@example("-")
@example("1")
@example("\u212a")
@example("x" * 200)
@example("a\udcff")
def test_any_text_becomes_a_name(text: str) -> None:
    """Whatever a template comes to, the name is valid, and a Service's as well."""
    name = lenient(text)
    assert name == naming.validate(name)
    assert name[0].isalpha()


@given(NAMES)
def test_a_valid_name_stays(name: str) -> None:
    """A name that is valid stays as it is, so a name that was made valid does, too."""
    assert name == lenient(name)
    made = lenient(name.title() + "_")
    assert made == lenient(made)


@given(ANY_TEXT, ANY_TEXT)
@example("Dask_ada", "dask-ada")
@example("x" * 100, "x" * 101)
@example("1", "dask-1")
def test_lenient_names_do_not_collide(a: str, b: str) -> None:
    """Texts that differ become names that differ."""
    assume(a != b)
    assert lenient(a) != lenient(b)


def test_lenient_templates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Templates that classic took are taken; what names no variable is refused, as ever."""
    monkeypatch.setattr(getpass, "getuser", lambda: "Jo.Doe")
    assert re.fullmatch(r"dask-jo-doe-[0-9a-f]{10}-[0-9a-f]{10}", naming.lenient("Dask_{user}-{uuid}", {}))
    assert naming.lenient("dask-{user}-{uuid}", {}) != naming.lenient("dask-{user}-{uuid}", {})
    long = {naming.lenient("dask-{TEAM}-{uuid}", {"TEAM": "x" * 200}) for _ in range(20)}
    assert len(long) == 20
    for template in ("dask-{NO_SUCH}", "dask-{", "{}"):
        with pytest.raises(errors.InvalidNameError):
            naming.lenient(template, {})


@given(ANY_TEXT)
@example("." * 70)
@example("a\n")
def test_any_text_becomes_a_label(text: str) -> None:
    """A label's value is one that Kubernetes takes."""
    value = naming.label(text)
    assert len(value) <= 63
    assert re.fullmatch(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?", value)
    assert value == naming.label(value)


@given(ANY_TEXT, ANY_TEXT)
def test_labels_do_not_collide(a: str, b: str) -> None:
    """Texts that differ become values that differ."""
    assume(a != b)
    assert naming.label(a) != naming.label(b)


@pytest.mark.parametrize("name", ["", "A", "a_b", "a.b", "-a", "a-", "ä", "a" * 54])
def test_invalid_names(name: str) -> None:
    """What Helm or Kubernetes would refuse is refused here."""
    with pytest.raises(errors.InvalidNameError):
        naming.validate(name)


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("dask", {"repository": "dask"}),
        ("ghcr.io/dask/dask:2026.8.0", {"repository": "ghcr.io/dask/dask", "tag": "2026.8.0"}),
        ("localhost:5000/a/b", {"repository": "localhost:5000/a/b"}),
        ("a:1@sha256:" + "0" * 64, {"repository": "a", "tag": "1", "digest": "sha256:" + "0" * 64}),
    ],
)
def test_images(image: str, parts: dict) -> None:
    """An image's name falls into repository, tag and digest."""
    assert parts == arguments.image_values(image)


@pytest.mark.parametrize("image", ["", "A:1", "a b", "a:", "a@sha256:1", 3])
def test_invalid_images(image: object) -> None:
    """What names no image is refused."""
    with pytest.raises(errors.InvalidArgumentError, match="names no image"):
        arguments.image_values(image)
