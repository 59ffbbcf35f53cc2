"""Authorities and certificates for tests, made as the chart makes them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from distributed.security import Security


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


class Authority:
    """One that signs certificates."""

    def __init__(self, name: str) -> None:
        self._name, self._key = _named(name), ec.generate_private_key(ec.SECP256R1())
        self._made = 0
        self.text = self._sign(self._name, self._key.public_key(), is_authority=True)

    def _sign(self, subject: x509.Name, key: Any, *, is_authority: bool = False) -> str:
        now = dt.datetime.now(dt.timezone.utc)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key)
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now)
        builder = builder.not_valid_after(now + dt.timedelta(hours=1))
        builder = builder.add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()

    def certificate(self) -> tuple[str, str]:
        """A certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        self._made += 1
        encoded = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return self._sign(_named(f"certificate {self._made}"), key.public_key()), encoded.decode()


def write(folder: Path, trusted: str, certificate: tuple[str, str]) -> None:
    """Put files where they are mounted."""
    for name, text in zip(("ca.crt", "tls.crt", "tls.key"), (trusted, *certificate), strict=True):
        (folder / name).write_text(text)


def security(folder: Path) -> Security:
    """Dask's Security by files, for all roles."""
    pair = {"cert": str(folder / "tls.crt"), "key": str(folder / "tls.key")}
    roles = {f"tls_{role}_{kind}": path for role in ("scheduler", "worker", "client") for kind, path in pair.items()}
    return Security(tls_ca_file=str(folder / "ca.crt"), require_encryption=True, **roles)


def held(trusted: str, certificate: tuple[str, str]) -> Security:
    """Dask's Security by texts, for a client."""
    return Security(
        tls_ca_file=trusted, tls_client_cert=certificate[0], tls_client_key=certificate[1], require_encryption=True
    )
