"""Release names: from a template to a name that Helm and Kubernetes accept.

Belongs here: expanding `dask-{user}-{uuid}`, judging names, and making any text one, or a label's value. Never here:
names of Kubernetes objects, which the chart computes.

Sources: https://helm.sh/docs/chart_template_guide/builtin_objects/ (53 characters) and
https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ (RFC 1123 labels, as a release's name
becomes part of the name of a Service), and
https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import re
import string
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from dask_kubernetes_helm.errors import InvalidNameError, InvalidTypeError

#: Helm's limit: what is left of Kubernetes' 63 characters for the suffixes of objects.
MAX_LENGTH = 53
_NO_DOTS = "; no dots, as the name becomes part of a Service's, which takes none"
_FIELD_LENGTH = 20
#: A label's value may be as long as any name of Kubernetes.
_LABEL_LENGTH = 63
_VALID = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
#: A Service's name begins with a letter.
_STRICT = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_LABEL = re.compile(r"([A-Za-z0-9]([-\w.]*[A-Za-z0-9])?)?", re.ASCII)


def slug(text: str, length: int = _FIELD_LENGTH) -> str:
    """Any text as part of a name; texts that differ never become the same part.

    What is lost by lower-casing, replacing or cutting is made up for by six digits of the text's hash.

    Examples
    --------
    >>> slug("ada"), slug("Jo.Doe_1@x")
    ('ada', 'jo-doe-1-x-9dd4ed')
    """
    part = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if part == text and len(part) <= length:
        return part
    return _marked(part, text, length, digits=6)


def _marked(part: str, text: str, length: int, digits: int) -> str:
    """What is left of a text, made distinct by digits of the whole text's hash."""
    # Variables that are no UTF-8 hold surrogates.
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:digits]
    return f"{part[: length - digits - 1].rstrip('-._')}-{digest}".lstrip("-")


def label(text: str) -> str:
    """Any text as a label's value; texts that differ never become the same value.

    Examples
    --------
    >>> label("Jo.Doe_1"), label("jo@x")
    ('Jo.Doe_1', 'jo-x-81d8ab')
    """
    if _LABEL.fullmatch(text) and len(text) <= _LABEL_LENGTH:
        return text
    return _marked(re.sub(r"[^A-Za-z0-9_.]+", "-", text).strip("-._"), text, _LABEL_LENGTH, digits=6)


def user() -> str:
    """The user's name; in a container whose user has none, the user's number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # from Python 3.13 on it is the latter
        return str(os.getuid())


def expand(template: str, environ: Mapping[str, str]) -> str:
    """A release name from a template.

    Parameters
    ----------
    template : str
        May hold ``{user}``, ``{uuid}`` (ten hexadecimal digits) and names of environment variables.
    environ : mapping
        The environment variables.

    Returns
    -------
    str
        A valid name.

    Raises
    ------
    InvalidNameError
        When a field is unknown, or the name that comes out is not valid.

    Examples
    --------
    >>> expand("dask-{TEAM}", {"TEAM": "ml"})
    'dask-ml'
    """
    return validate(_filled(template, environ, slug))


def lenient(template: str, environ: Mapping[str, str]) -> str:
    """A release name from a template, valid whatever comes out; for who comes from classic dask-kubernetes.

    A name that is valid, and begins with a letter, stays. What is lost of another one is made up for by ten digits of
    its hash: texts that differ never become the same name.

    Parameters
    ----------
    template, environ
        As for `expand`.

    Raises
    ------
    InvalidNameError
        When a field is unknown.

    Examples
    --------
    >>> lenient("dask-{TEAM}", {"TEAM": "ml"}), lenient("Dask_{TEAM}", {"TEAM": "ml"})
    ('dask-ml', 'dask-ml-10476b78fb')
    """
    text = _filled(template, environ, str)
    if _STRICT.fullmatch(text) and len(text) <= MAX_LENGTH:
        return text
    part = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return _marked(part if part[:1].isalpha() else f"dask-{part}", text, MAX_LENGTH, digits=10)


def _filled(template: str, environ: Mapping[str, str], made: Callable[[str], str]) -> str:
    """The template with its fields filled in, each made part of a name."""
    try:
        parts = [_part(literal, field, environ, made) for literal, field, _, _ in string.Formatter().parse(template)]
    except ValueError as error:
        if isinstance(error, InvalidNameError):
            raise
        raise InvalidNameError(
            f"The name template {template!r} can't be read: {error}",
            cure="Use fields such as {user} or {uuid}.",
        ) from error
    return "".join(parts)


def _part(literal: str, field: str | None, environ: Mapping[str, str], made: Callable[[str], str]) -> str:
    if field is None:
        return literal
    if field == "user":
        return literal + made(user())
    if field == "uuid":
        return literal + uuid.uuid4().hex[:10]
    if field in environ:
        return literal + made(environ[field])
    raise InvalidNameError(
        f"The name template uses {{{field}}}, which is neither 'user', 'uuid' nor an environment variable",
        cure=f"Set the variable {field} or name another field.",
    )


def validate(name: str) -> str:
    """The name itself, when Helm and Kubernetes accept it as a release's.

    Raises
    ------
    InvalidNameError
        Says the rule, and a valid name that is near.
    """
    if len(name) > MAX_LENGTH:
        raise InvalidNameError(
            f"The release name {name!r} has {len(name)} characters, {MAX_LENGTH} are allowed: of the 63 that "
            f"Kubernetes takes, {63 - MAX_LENGTH} are for the suffixes of objects, such as -scheduler",
            cure=f"Shorten it, for example to {slug(name, MAX_LENGTH)!r}.",
        )
    if not _VALID.fullmatch(name):
        near = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        raise InvalidNameError(
            f"The release name {name!r} is not valid: lower-case letters, digits and '-' are allowed, "
            f"a letter or digit first and last{_NO_DOTS if '.' in name else ''}",
            cure=f"Try {near!r}." if near else "Choose another.",
        )
    return name


def namespace(name: Any) -> str:
    """The name itself, when Kubernetes accepts it as a namespace's.

    Raises
    ------
    InvalidTypeError, InvalidNameError
    """
    if not isinstance(name, str):
        raise InvalidTypeError(f"namespace is {name!r} ({type(name).__name__}), not text", cure="Give its name.")
    if not _VALID.fullmatch(name) or len(name) > _LABEL_LENGTH:
        near = re.sub(r"[^a-z0-9]+", "-", name.lower())[:_LABEL_LENGTH].strip("-")
        raise InvalidNameError(
            f"{name!r} can't be a namespace's name: up to {_LABEL_LENGTH} lower-case letters, digits and '-' are "
            "allowed, a letter or digit first and last",
            cure=f"Did you mean {near!r}?" if near else "Give the namespace's name.",
        )
    return name
