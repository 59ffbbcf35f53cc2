"""A `distributed.security.Security` as a Secret that the release's pods read, and a Secret as what a client needs.

Belongs here: which certificates pods need, and their text. Never here: creating the Secret (lifecycle.py), or where
pods find it (the chart has it).

Source: https://distributed.dask.org/en/stable/tls.html
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dask_kubernetes_helm.errors import InvalidArgumentError, InvalidSecurityError, TlsSecretError

if TYPE_CHECKING:
    from distributed.security import Security

_CA = "ca.crt"


@dataclass(frozen=True)
class Certificates:
    """What goes into the Secret, and the values by which the chart finds it there.

    Attributes
    ----------
    data : dict
        PEM texts by file name.
    keys : dict
        The chart's `tls.keys`.
    """

    data: dict[str, str] = field(repr=False)
    keys: dict[str, str]


def judged(security: Any) -> Security | None:
    """The Security, if it has certificates; one without any is as good as none.

    Raises
    ------
    InvalidSecurityError
        It is something else.
    InvalidArgumentError
        Encryption is asked for without certificates.
    """
    from distributed.security import Security  # noqa: PLC0415 - keeps this module free of Dask's import

    if security is None or security is False:
        return None
    if security is True:
        return Security.temporary()
    if not isinstance(security, Security):
        raise InvalidSecurityError(
            f"Security object is not a valid distributed.security.Security object, but {type(security).__name__}",
            cure="Give distributed.security.Security(...), for example Security.temporary().",
        )
    if security.tls_ca_file:
        return security
    if security.require_encryption:
        raise InvalidArgumentError(
            "security requires encryption, but has no certificates",
            cure="Give it tls_ca_file and each role's certificate and key, or take Security.temporary().",
        )
    return None


def given(security: Any) -> Security | None:
    """A Security to connect with; none that is made now can go with certificates that a release has.

    Raises
    ------
    InvalidSecurityError
        It is something else.
    """
    if isinstance(security, bool):
        raise InvalidSecurityError(
            f"security is {security}, but the release's values say whether there is encryption",
            cure="Set tls.enabled in the values; security= takes a distributed.security.Security to connect with.",
        )
    return judged(security)


def of(security: Security, roles: tuple[str, ...]) -> Certificates:
    """What the pods of these roles need.

    Parameters
    ----------
    security : distributed.security.Security
        With paths or texts.
    roles : tuple of str
        ``"scheduler"`` and ``"worker"``, as far as they run in the release.

    Raises
    ------
    InvalidArgumentError
        A certificate is missing or can't be read.
    """
    data, keys = {_CA: _text(security.tls_ca_file, "tls_ca_file")}, {"ca": _CA}
    for role in roles:
        for kind, suffix in (("Cert", "crt"), ("Key", "key")):
            name = f"tls_{role}_{kind.lower()}"
            file = f"{role}.{suffix}"
            data[file] = _text(getattr(security, name), name)
            keys[f"{role}{kind}"] = file
    return Certificates(data, keys)


def texts(secret: Mapping[str, Any], told: Mapping[str, str]) -> dict[str, str]:
    """A client's certificates in a Secret, as PEM by `ca`, `cert` and `key`.

    Parameters
    ----------
    secret : mapping
        As Kubernetes has it.
    told : mapping
        Its keys by the same names.

    Raises
    ------
    TlsSecretError
        One is not in it, or not yet.
    """
    data, names = secret.get("data") or {}, ("ca", "cert", "key")
    if lacking := missing(secret, [told[name] for name in names]):
        raise TlsSecretError(f"The Secret {told['secret']} has no {', '.join(lacking)}")
    return {name: base64.b64decode(data[told[name]]).decode() for name in names}


def missing(secret: Mapping[str, Any], keys: Iterable[str]) -> list[str]:
    """Which of its keys a Secret lacks, each once."""
    data = secret.get("data") or {}
    return [key for key in dict.fromkeys(keys) if not data.get(key)]


def _text(given: str | None, name: str) -> str:
    """PEM, of which Dask takes the text as well as a path."""
    if not given:
        raise InvalidArgumentError(f"security has no {name}", cure="Give it, as a path or as PEM.")
    if "\n" in given:
        return given
    try:
        return Path(given).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArgumentError(f"The file {given} of security.{name} can't be read: {error}") from error
