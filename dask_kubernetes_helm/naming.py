"""Release names: from a template to a name that Helm and Kubernetes accept.

Belongs here: expanding `dask-{user}-{uuid}` and judging names. Never here: names of Kubernetes objects, which
the chart computes.

Sources: https://helm.sh/docs/chart_template_guide/builtin_objects/ (53 characters) and
https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ (RFC 1123 labels, as a release's name
becomes part of the name of a Service).
"""

from __future__ import annotations

import getpass
import hashlib
import re
import string
import uuid
from collections.abc import Mapping

from dask_kubernetes_helm.errors import InvalidNameError

#: Helm's limit: what is left of Kubernetes' 63 characters for the suffixes of objects.
MAX_LENGTH = 53
_FIELD_LENGTH = 20
_VALID = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


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
    digest = hashlib.sha256(text.encode()).hexdigest()[:6]
    return f"{part[: length - 7].rstrip('-')}-{digest}".lstrip("-")


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
    try:
        parts = [_part(literal, field, environ) for literal, field, _, _ in string.Formatter().parse(template)]
    except ValueError as error:
        raise InvalidNameError(
            f"The name template {template!r} can't be read: {error}",
            cure="Use fields such as {user} or {uuid}.",
        ) from error
    return validate("".join(parts))


def _part(literal: str, field: str | None, environ: Mapping[str, str]) -> str:
    if field is None:
        return literal
    if field == "user":
        return literal + slug(getpass.getuser())
    if field == "uuid":
        return literal + uuid.uuid4().hex[:10]
    if field in environ:
        return literal + slug(environ[field])
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
            f"The release name {name!r} has {len(name)} characters, {MAX_LENGTH} are allowed",
            cure=f"Shorten it, for example to {slug(name, MAX_LENGTH)!r}.",
        )
    if not _VALID.fullmatch(name):
        near = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        raise InvalidNameError(
            f"The release name {name!r} is not valid: lower-case letters, digits and '-' are allowed, "
            "a letter or digit first and last",
            cure=f"Try {near!r}." if near else "Choose another.",
        )
    return name
