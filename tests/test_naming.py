"""Release names: valid whatever the user is called, and never the same for different users."""

from __future__ import annotations

import getpass

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dask_kubernetes_helm import arguments, errors, naming


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
