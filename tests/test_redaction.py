"""Secrets are left out of whatever is given away, wherever they stand and however they are written."""

from __future__ import annotations

import base64
import json
import string
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_kubernetes_helm.reports import redaction
from dask_kubernetes_helm.reports.redaction import KNOWN_FROM, MASK, Redactor, tells

SECRETS = st.text(string.ascii_letters + string.digits + "+/=!$%&?'\"\\<> ü", min_size=10, max_size=40).filter(
    lambda text: len(text.strip()) >= 10 and MASK not in text and text.strip() not in MASK
)
NAMES = st.sampled_from(["DB_PASSWORD", "API_TOKEN", "AWS_SECRET_ACCESS_KEY", "MY_KEY", "CREDENTIALS", "db_key"])
KEYS = st.sampled_from(["password", "adminPassword", "apiToken", "clientSecret", "accessKey", "private_key", "secret"])
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(secret=SECRETS, name=NAMES, key=KEYS, around=PLAIN)
def test_no_secret_survives(secret: str, name: str, key: str, around: Any) -> None:
    """A value under a name that tells is gone from all data and texts, also as JSON, base64 and URLs have it."""
    sources = [
        {"env": [{"name": name, "value": secret}]},
        {"worker": {"env": {name: secret}}},
        {"deep": [{key: secret}]},
    ]
    for source in sources:
        redactor = Redactor(harmless=["demo"])
        redactor.learn_from({"around": around, "it": source})
        places = {
            "as it is": f"log: {secret} <- there",
            "in JSON": json.dumps({"said": secret}),
            "in base64": base64.b64encode(secret.strip().encode()).decode(),
            "in a URL": f"https://example.com/?x={quote(secret.strip(), safe='')}",
        }
        texts = [redactor.text(text) for text in places.values()]
        texts.append(json.dumps(redactor.data({"it": source, "around": around, "list": [secret], secret: 1})))
        for form in (
            secret.strip(),
            json.dumps(secret.strip())[1:-1],
            base64.b64encode(secret.strip().encode()).decode(),
        ):
            for text in texts:
                assert form not in text


@given(PLAIN)
def test_what_is_no_secret_stays(data: Any) -> None:
    """Data without any name or form that tells comes out as plain data of the same shape."""
    once = Redactor().data(data)
    assert Redactor().data(once) == once
    json.dumps(once)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("https://user:hunter2hunter2@example.com/x", "example.com/x"),
        ("GET /lab?token=hunter2hunter2&x=1", "&x=1"),
        ("Authorization: Bearer hunter2hunter2.x", "Authorization:"),
        ("password: hunter2hunter2", "password:"),
        ('{"token": "hunter2hunter2", "port": 1}', '"port": 1'),
        ("export DASK_API_KEY=hunter2hunter2", "DASK_API_KEY"),
        ("client-key-data: hunter2hunter2==", "client-key-data"),
        ("run --password hunter2hunter2 --port 1", "--port 1"),
        ("-----BEGIN RSA PRIVATE KEY-----\nhunter2hunter2\n-----END RSA PRIVATE KEY-----\nafter", "after"),
        ("-----BEGIN PRIVATE KEY-----\\nhunter2hunter2\\n-----END PRIVATE KEY-----, after", "after"),
        ("-----BEGIN EC PRIVATE KEY-----\nhunter2hunter2\n(cut off)", ""),
        ("seen: eyJhbGciOiJSUzI1NiJ9.eyJodW50ZXIyIjoxfQ.hunter2hunter2 end", "end"),
    ],
)
def test_forms_that_tell(text: str, kept: str) -> None:
    """Keys, tokens and passwords are known by their form in any text; what is around them stays."""
    found = Redactor().text(text)
    assert "hunter2hunter2" not in found
    assert MASK in found
    assert kept in found


@pytest.mark.parametrize(
    "text",
    [
        "distributed.scheduler - INFO - Register worker addr: tls://10.0.0.1:33 name: demo-dask-worker-x",
        "key='sum-1234' moved to tcp://10.0.0.1:33",
        '"secretName": "demo-tls"',
        "topologyKey: kubernetes.io/hostname",
        "2026-11-26 12:00:00 started; ports: 8786, 8787",
    ],
)
def test_what_logs_are_read_for_stays(text: str) -> None:
    """Addresses, tasks' keys and names of Secrets are what a report is read for."""
    assert Redactor().text(text) == text


def test_in_data_references_stay() -> None:
    """Where a secret is may be known; what it is may not."""
    data = {
        "tls": {"secretName": "demo-tls", "keys": {"key": "tls.key"}},
        "image": {"pullSecrets": ["registry"]},
        "env": [{"name": "A_TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "t"}}}],
        "automountServiceAccountToken": False,
        "args": ["--token", "hunter2hunter2", "--port", "1"],
        "password": 12345678,
        "tokens": ["aaaaaaaaaa", {"secret": None}],
    }
    found = Redactor().data(data)
    assert {**found, "args": 0, "password": 0, "tokens": 0} == {**data, "args": 0, "password": 0, "tokens": 0}
    assert found["args"] == ["--token", MASK, "--port", "1"]
    assert found["password"] == MASK
    assert found["tokens"] == [MASK, {"secret": None}]


def test_short_and_harmless_values_are_masked_where_they_stand_only() -> None:
    """A password of a few characters does not take all words apart that have them; nor does the release's own name."""
    redactor = Redactor(harmless=["production"])
    redactor.learn_from({"password": "dask", "token": "production"})
    assert len("dask") < KNOWN_FROM
    assert redactor.text("dask in production") == "dask in production"
    assert redactor.data({"password": "dask", "token": "production"}) == {"password": MASK, "token": MASK}


def test_lines_of_a_key_are_masked_one_by_one() -> None:
    """A log that has a piece of a private key has none of it afterwards."""
    redactor, line = Redactor(), "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"
    redactor.learn(f"-----BEGIN PRIVATE KEY-----\n{line}\nxyz\n-----END PRIVATE KEY-----\n")
    assert redactor.text(f"read {line}") == f"read {MASK}"


def test_long_texts_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that is taken piece by piece is the same but for its secrets; a key is gone wherever it begins."""
    key = "-----BEGIN PRIVATE KEY-----\n" + "hunter2hunter2\n" * 3 + "-----END PRIVATE KEY-----\n"
    monkeypatch.setattr(redaction, "_PIECE", 64)
    redactor = Redactor()
    for before in range(0, 100, 7):
        lines = "x" * before + "\n" + "a line of a log\n" * 20
        found = redactor.text(lines + key + lines)
        assert found == lines + MASK + "\n" + lines
        assert "hunter2" not in redactor.text(lines + key.partition("-----END")[0] + "hunter2hunter2\n" * 9)


def test_where_a_secret_is_may_be_known() -> None:
    """A variable that names a file is masked itself, but the file's name stays wherever else it is."""
    redactor = Redactor()
    redactor.learn_from({"env": [{"name": "TLS_KEY", "value": "/etc/dask-tls/tls.key"}]})
    assert redactor.text("read /etc/dask-tls/tls.key") == "read /etc/dask-tls/tls.key"
    assert redactor.data({"client_key": "Client-1234567"}) == {"client_key": "Client-1234567"}


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("existingSecret", False), ("imagePullSecrets", False), ("tokenExpirationSeconds", False), ("key", False),
        ("keys", False), ("authorization", True), ("API_KEY", True), ("apiKey", True), ("monkey", False), ("", False),
        ("db-password", True), ("tokens", True),
    ],
)  # fmt: skip
def test_names_that_tell(name: str, secret: bool) -> None:
    """A name is judged by its words, and by its last one whether it is a reference."""
    assert tells(name) is secret
