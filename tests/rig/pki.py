"""Keys and certificates of one cluster, and the kubeconfigs made of them.

Belongs here: openssl. Never here: who needs which certificate.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from .shell import run

_DAYS = "3650"


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.certificate, self._key = folder / "ca.crt", folder / "ca.key"

    def create(self) -> None:
        """Make the authority, and the key pair that signs service account tokens."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self._private_key(self._key)
        subject = ["-subj", "/CN=dask-kubernetes-helm-rig", "-days", _DAYS]
        usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
        run(["openssl", "req", "-x509", "-new", "-key", self._key, *subject, *usage, "-out", self.certificate])
        run(["openssl", "genrsa", "-out", self.folder / "sa.key", "2048"])
        run(["openssl", "rsa", "-in", self.folder / "sa.key", "-pubout", "-out", self.folder / "sa.pub"])

    def issue(self, name: str, subject: str, alternatives: str = "") -> None:
        """Sign a certificate for servers and clients alike."""
        key, request = self.folder / f"{name}.key", self.folder / f"{name}.csr"
        self._private_key(key)
        run(["openssl", "req", "-new", "-key", key, "-subj", subject, "-out", request])
        extension = self.folder / f"{name}.ext"
        extension.write_text(
            f"subjectAltName={alternatives or 'DNS:' + name}\nextendedKeyUsage=serverAuth,clientAuth\n"
            "authorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n"
        )
        signer: list[str | Path] = [
            "-CA",
            self.certificate,
            "-CAkey",
            self._key,
            "-set_serial",
            f"0x{secrets.randbits(63):x}",
        ]
        out: list[str | Path] = ["-days", _DAYS, "-extfile", extension, "-out", self.folder / f"{name}.crt"]
        run(["openssl", "x509", "-req", "-in", request, *signer, *out])

    def kubeconfig(self, path: Path, name: str, server: str) -> None:
        """Write a kubeconfig that carries its certificates inside; readable by root alone."""

        def inline(file: str) -> str:
            return run(["openssl", "base64", "-A", "-in", self.folder / file]).strip()

        cluster = {"server": server, "certificate-authority-data": inline("ca.crt")}
        user = {"client-certificate-data": inline(f"{name}.crt"), "client-key-data": inline(f"{name}.key")}
        path.touch(mode=0o600)
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "embedded", "cluster": cluster}],
                    "users": [{"name": name, "user": user}],
                    "contexts": [{"name": "embedded", "context": {"cluster": "embedded", "user": name}}],
                    "current-context": "embedded",
                },
                indent=1,
            )
        )

    def _private_key(self, path: Path) -> None:
        run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path])
        path.chmod(0o600)
