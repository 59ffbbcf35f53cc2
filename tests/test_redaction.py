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

from dask_kubernetes_helm.reports import forms, redaction
from dask_kubernetes_helm.reports.forms import MASK, tells
from dask_kubernetes_helm.reports.redaction import KNOWN_FROM, Redactor

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


#: Characters that end a value somewhere, but not in the middle of a secret.
AWKWARD = st.text(string.ascii_letters + string.digits + "/@,;&(){}[]!$%=+-.", min_size=0, max_size=12)


@given(first=AWKWARD, last=AWKWARD)
def test_a_value_is_masked_to_its_end(first: str, last: str) -> None:
    """Whatever characters are in a secret, nothing of it is left in assignments, YAML, headers and URLs."""
    secret = f"x{first}S3CRET{last}x"
    for text in (
        f"PASSWORD={secret}",
        f"export DB_PASSWORD={secret} and S3CRET; run",
        f"password: {secret} S3CRET",
        f"db:\n  - password: {secret}\n    port: 1",
        f"run with password={secret} on",
        f"Authorization: token {secret}",
        f"INFO Authorization: {secret}",
        f"AccountName=x;AccountKey={secret};EndpointSuffix=y",
        f"connects to postgres://someone:{secret}@host:5432/db",
    ):
        found = Redactor().text(text)
        assert "S3CRET" not in found
        assert MASK in found
        assert Redactor().text(found) == found


def test_all_names_begin_with_letters_that_are_looked_for() -> None:
    """The letters in front of the pattern of names, which are there for speed, leave no name out."""
    for name in ("token", "password", "passphrase", "secret", "credential", "client-key-data", "SharedAccessSignature"):
        assert Redactor().text(f"with {name}=S3CRET on") == f"with {name}=(left out) on"
    for kind in ("api", "access", "private", "secret", "signing", "encryption", "account", "storage", "shared", "ssh"):
        assert Redactor().text(f"with {kind}_key=S3CRET on") == f"with {kind}_key=(left out) on"


@given(secret=SECRETS, levels=st.integers(0, 3))
def test_json_within_json(secret: str, levels: int) -> None:
    """A value is masked to its end however often its quotes are escaped, and what comes after it stays."""
    secret = f"S3CRET{secret}S3CRET"
    text = json.dumps({"password": secret, "port": 4711})
    for _ in range(levels):
        text = json.dumps({"msg": text, "tail": 1})
    found = Redactor().text(text)
    assert "S3CRET" not in found
    assert "4711" in found
    json.loads(found)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Authorization: S3CRET", "Authorization: (left out)"),
        ("{'Authorization': 'token S3CRET', 'x': 1}", "{'Authorization': '(left out)', 'x': 1}"),
        ('curl -H "Authorization: token S3CRET" http://x', 'curl -H "Authorization: (left out)" http://x'),
        ('Authorization: Digest username="u", response="S3CRET"', "Authorization: (left out)"),
        ("to postgres://u:pa/S3CRET@h/db now", "to postgres://(left out)@h/db now"),
        ("to 'https://u:p@S3CRET@h/x', bob@x", "to 'https://(left out)@h/x', bob@x"),
        ("redis://:12/S3CRET@h/0", "redis://(left out)@h/0"),
        ("{'account_key': 'S3CRET'}", "{'account_key': '(left out)'}"),
        ("with storage_key=S3CRET done", "with storage_key=(left out) done"),
        ("shared_key: S3CRET", "shared_key: (left out)"),
        ("https://h/x?sv=1&sig=S3CRET&se=2", "https://h/x?sv=1&sig=(left out)&se=2"),
        ("https://h/?X-Amz-Signature=S3CRET", "https://h/?X-Amz-Signature=(left out)"),
        ("https://h/?X-Goog-Signature=S3CRET", "https://h/?X-Goog-Signature=(left out)"),
        ("https://h/?password=S3CRET&y=z", "https://h/?password=(left out)&y=z"),
        ("db:\n  password: |\n    x\n\n    S3CRET\n  port: 1", "db:\n  password: |\n    (left out)\n  port: 1"),
        ("password: >-\n  S3CRET\nafter: 1", "password: >-\n  (left out)\nafter: 1"),
        ("password:\n  S3CRET\nafter: 1", "password:\n  (left out)\nafter: 1"),
        ("password: x\n  S3CRET\nafter: 1", "password: (left out)\n  (left out)\nafter: 1"),
        ("tokens:\n- S3CRET\n- S3CRET\nafter: 1", "tokens:\n(left out)\nafter: 1"),
        ("PASSWORD='' other", "PASSWORD='' other"),
        ("password: 'it''s S3CRET'", "password: '(left out)'"),
        ('password: "cut S3CRET', 'password: "(left out)'),
        ("DB_PASSWORD='ab'\\''S3CRET'", "DB_PASSWORD='(left out)"),
        ("INFO password: two S3CRET", "INFO password: (left out)"),
        ("""{"msg": "{'password': 'x\\\\'S3CRET', 'a': 1}"}""", """{"msg": "{'password': '(left out)', 'a': 1}"}"""),
        ('run --password "a S3CRET" --port 1', 'run --password "(left out)" --port 1'),
    ],
)
def test_where_a_value_ends(text: str, found: str) -> None:
    """A value is masked to the end that its notation gives it; what was masked once stays as it is."""
    assert Redactor().text(text) == found
    assert Redactor().text(found) == found


@pytest.mark.parametrize(
    "text",
    [
        "key: ('sum-abc', 0)",
        "token bucket",
        "distributed.core - INFO - Starting established connection to tcp://10.0.0.1:8786",
        "distributed.scheduler - INFO - Receive client connection: Client-1f3b-11f0",
        "distributed.worker - WARNING - Compute Failed; Key: sum-abc; Function: add; Exception: KeyError('x')",
        "https://host/path@v1",
        "http://host:8787/path@v1",
        "http://[::1]:8787/path@v1",
        "pip install git+https://github.com/dask/dask@main",
        "docker://host:5000/dask@sha256:abc",
        "user@host",
        "received sig=15",
        "the token was refused: it may not list secrets in namespace lab",
        "secret:\n  secretName: demo-tls",
        "existingSecret: demo-tls",
        'secrets: ["get", "list"]',
        "tls://10.0.0.1:33, tcp://10.0.0.2:44 by bob@x",
        '  File "/x/auth.py", line 3, in get_token',
    ],
)
def test_ordinary_lines_stay(text: str) -> None:
    """Lines of ordinary logs are as they were, though words in them are those of secrets' names."""
    redactor = Redactor()
    redactor.learn_from([text])
    assert redactor.text(text) == text


@pytest.mark.parametrize(
    "data",
    [
        {"data": {"dask.yaml": "db:\n  password: S3CRET-9f3kq\n"}},
        {"data": {"dask.yaml": "db:\n  password: |\n    S3CRET-9f3kq\n  port: 1\n"}},
        {"args": ["sh", "-c", "export DB_PASSWORD=S3CRET-9f3kq; exec dask worker"]},
        {"env": [{"name": "SETTINGS", "value": '{"db": {"password": "S3CRET-9f3kq"}}'}]},
        {"env": [{"name": "AZURE_STORAGE_CONNECTION_STRING", "value": "AccountName=x;AccountKey=S3CRET-9f3kq;E=y"}]},
        {"env": [{"name": "SECRET_URL", "value": "postgres://u:S3CRET%2D9f3kq@h/db"}]},
        {"env": [{"name": "HEADERS", "value": "Authorization: token S3CRET-9f3kq"}]},
        '{"msg": "{\\"password\\": \\"S3CRET-9f3kq\\"}"}',
    ],
)
def test_what_a_form_gave_away_is_known(data: Any) -> None:
    """A secret that was found by its form in one text is gone from all others."""
    redactor = Redactor()
    redactor.learn_from(data)
    assert redactor.text("connects as S3CRET-9f3kq today") == f"connects as {MASK} today"
    assert base64.b64encode(b"S3CRET-9f3kq").decode() not in redactor.text(base64.b64encode(b"S3CRET-9f3kq").decode())


@pytest.mark.parametrize(
    "text",
    [
        "password: ${DB_PASSWORD}", "DB_PASSWORD=$(cat /run/x)", "password: 123456789", "password: changeme",
        "password: null",
        "{{ password }}: token=<your token>", "token: expected", "password=self.password,", "MY_TOKEN=required",
        "https://host/?token=unlimited", "basic authentication", "password: short",
    ],
)  # fmt: skip
def test_what_is_no_secret_is_not_looked_for(text: str) -> None:
    """Placeholders, numbers, references and ordinary words are not masked wherever else they are."""
    redactor = Redactor()
    redactor.learn_from([text])
    said = "DB_PASSWORD cat /run/x 123456789 changeme null your token expected self.password required unlimited short"
    assert redactor.text(f"{said} authentication") == f"{said} authentication"


def test_where_one_secret_is_a_part_of_another() -> None:
    """Neither what is known nor what has a form that tells hides the rest of the other."""
    redactor = Redactor()
    redactor.learn("first-half")
    redactor.learn("half-and-more")
    assert redactor.text("first-half-and-more") == MASK
    assert redactor.text("postgres://u:first-half/S3CRET@h") == f"postgres://{MASK}@h"


def test_a_new_secret_in_each_line_is_not_looked_for() -> None:
    """Each secret that is looked for takes a look at all texts, so a log can't make them any number."""
    redactor = Redactor()
    redactor.learn_from("".join(f"GET /?token=t0ken-{number}x&x=1\n" for number in range(10_000)))
    assert redactor.text("t0ken-1x") == MASK
    assert redactor.text("t0ken-9999x") == "t0ken-9999x"


def test_blocks_of_long_texts_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block of YAML is masked whole wherever in a text that is taken piece by piece it begins."""
    monkeypatch.setattr(redaction, "_PIECE", 64)
    for before in range(0, 100, 7):
        text = "x" * before + "\n" + "a line of a log\n" * 20 + "password: |\n" + "  S3CRET\n" * 30 + "after: 1\n"
        found = Redactor().text(text)
        assert "S3CRET" not in found
        assert found.endswith("password: |\n  (left out)\nafter: 1\n")


def test_no_name_takes_long() -> None:
    """A value of many words with underscores takes no longer than any other."""
    assert forms.values("token=" + "a_" * 5000 + "1") is not None
