"""Certificates of a Security as a Secret: which are taken, from where, and what is said of those that can't be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.config
import pytest
from distributed.security import Security

from dask_kubernetes_helm import errors
from dask_kubernetes_helm.connections import certificates

ROLES = ("scheduler", "worker")
PARTS = ("tls_ca_file", *(f"tls_{role}_{kind}" for role in ROLES for kind in ("cert", "key")))


@pytest.fixture(scope="module")
def whole() -> Security:
    """Certificates for everybody, as texts."""
    return Security.temporary()


def parts(security: Security) -> dict[str, str]:
    return {name: getattr(security, name) for name in PARTS}


@pytest.fixture
def paths(whole: Security, tmp_path: Path) -> dict[str, str]:
    """The same, as paths."""
    for name, text in parts(whole).items():
        (tmp_path / name).write_text(text)
    return {name: str(tmp_path / name) for name in PARTS}


# Whether there are any ----------------------------------------------------------------------------------


@pytest.mark.parametrize("nothing", [None, False])
def test_none(nothing: Any) -> None:
    """Without security there is none."""
    assert certificates.judged(nothing) is None


def test_with_certificates(whole: Security) -> None:
    """A Security that has certificates is taken as it is."""
    assert certificates.judged(whole) is whole


def test_true_makes_them() -> None:
    """True makes certificates, as it does for Dask's LocalCluster."""
    made = certificates.judged(True)
    assert made is not None
    assert made.require_encryption
    assert certificates.of(made, ROLES).data


@pytest.mark.parametrize("given", [{}, {"require_encryption": False}])
def test_without_certificates(given: dict[str, Any]) -> None:
    """A Security without certificates is as good as none."""
    assert certificates.judged(Security(**given)) is None


def test_encryption_without_certificates() -> None:
    """Encryption that can't be is refused rather than left out, and the error says how to get certificates."""
    with pytest.raises(ValueError, match="requires encryption, but has no certificates") as caught:
        certificates.judged(Security(require_encryption=True))
    assert isinstance(caught.value, errors.InvalidArgumentError)
    assert "Security.temporary()" in str(caught.value)


def test_certificates_of_the_configuration(paths: dict[str, str]) -> None:
    """What Dask's configuration has for Security() counts as well."""
    with dask.config.set({"distributed.comm.tls.ca-file": paths["tls_ca_file"]}):
        judged = certificates.judged(Security())
    assert judged is not None
    assert judged.tls_ca_file == paths["tls_ca_file"]


@pytest.mark.parametrize("kind", [RuntimeError, TypeError, errors.InvalidSecurityError])
@pytest.mark.parametrize("given", ["cert.pem", {"tls_ca_file": "x"}, 1, object(), Security])
def test_another_type(given: Any, kind: type[Exception]) -> None:
    """Something else is a RuntimeError in classic's words, and a TypeError; it is not shown, as it may be secret."""
    with pytest.raises(kind, match=r"^Security object is not a valid distributed\.security\.Security object") as caught:
        certificates.judged(given)
    assert "cert.pem" not in str(caught.value)


# What goes into the Secret ------------------------------------------------------------------------------


@pytest.mark.parametrize("roles", [ROLES, ("worker",), ("scheduler",)])
def test_each_role_has_its_own(whole: Security, roles: tuple[str, ...]) -> None:
    """The authority's certificate, and certificate and key of the roles that are asked for, and of no others."""
    found = certificates.of(whole, roles)
    expected = {"ca.crt": whole.tls_ca_file}
    keys = {"ca": "ca.crt"}
    for role in roles:
        expected |= {
            f"{role}.crt": getattr(whole, f"tls_{role}_cert"),
            f"{role}.key": getattr(whole, f"tls_{role}_key"),
        }
        keys |= {f"{role}Cert": f"{role}.crt", f"{role}Key": f"{role}.key"}
    assert found.data == expected
    assert found.keys == keys


def test_keys_are_the_charts() -> None:
    """The chart's values know every key, and its keys name all that a release may need."""
    import yaml

    from dask_kubernetes_helm import contract

    values = yaml.safe_load((contract.chart_path() / "values.yaml").read_text())
    assert certificates.of(Security.temporary(), ROLES).keys.keys() == values["tls"]["keys"].keys()


def test_paths_and_texts(whole: Security, paths: dict[str, str]) -> None:
    """Dask takes paths as well as texts, each on its own."""
    from_texts = certificates.of(whole, ROLES)
    assert certificates.of(Security(**paths), ROLES) == from_texts
    mixed = {name: path if "worker" in name else parts(whole)[name] for name, path in paths.items()}
    assert certificates.of(Security(**mixed), ROLES) == from_texts


def test_secrets_are_not_shown(whole: Security) -> None:
    """What is in the Secret is in no repr."""
    assert "PRIVATE" not in repr(certificates.of(whole, ROLES))
    assert "BEGIN" not in repr(certificates.of(whole, ROLES))


@pytest.mark.parametrize("missing", PARTS)
def test_a_part_that_is_missing(paths: dict[str, str], missing: str) -> None:
    """A part that a role needs and that is not there is named; a role that is not asked for needs none."""
    given = Security(**{name: path for name, path in paths.items() if name != missing})
    with pytest.raises(errors.InvalidArgumentError, match=f"security has no {missing}"):
        certificates.of(given, ROLES)
    others = tuple(role for role in ROLES if role not in missing)
    if missing != "tls_ca_file":
        assert certificates.of(given, others).keys


@pytest.mark.parametrize(("content", "words"), [(None, "No such file"), (b"\xff\xfe", "utf-8")], ids=["gone", "binary"])
@pytest.mark.parametrize("part", PARTS)
def test_a_file_that_can_not_be_read(paths: dict[str, str], part: str, content: bytes | None, words: str) -> None:
    """A file that is not there or is no text is told by its path and by the argument that names it."""
    path = Path(paths[part])
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with pytest.raises(errors.InvalidArgumentError, match=words) as caught:
        certificates.of(Security(**paths), ROLES)
    assert str(path) in str(caught.value)
    assert part in str(caught.value)
    assert "PRIVATE" not in str(caught.value)


def test_a_folder_is_no_file(paths: dict[str, str], tmp_path: Path) -> None:
    """A folder is told as one that can't be read."""
    with pytest.raises(errors.InvalidArgumentError, match="can't be read"):
        certificates.of(Security(**{**paths, "tls_worker_key": str(tmp_path)}), ROLES)
