"""Kubeconfig files and plugins: read as by kubectl, and told where they can't be used, without their secrets."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio.config import kube_config

from dask_kubernetes_helm.auth import ClusterAuth, Credentials, InCluster, KubeConfig
from dask_kubernetes_helm.errors import KubeConfigError

SECRET = "s3cr3t-t0k3n"
Write = Callable[..., Path]


def config(user: Any = None, **changed: Any) -> dict[str, Any]:
    """A kubeconfig with one context."""
    return {
        "clusters": [{"name": "there", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "ada", "user": {"token": SECRET} if user is None else user}],
        "contexts": [{"name": "lab", "context": {"cluster": "there", "user": "ada", "namespace": "team"}}],
        "current-context": "lab",
        **changed,
    }


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a kubeconfig."""

    def written(content: Any, name: str = "config") -> Path:
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return written


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def plugin(command: str, **more: Any) -> dict[str, Any]:
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": command, **more}}


def given(**status: Any) -> str:
    return json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status})


async def token(way: ClusterAuth | Credentials) -> str | None:
    credentials = way if isinstance(way, Credentials) else await ClusterAuth.load_first(way)
    return (await credentials.headers()).get("authorization")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(f"token: {SECRET}: [", ["not valid YAML (line 1)"], id="no YAML"),
        pytest.param(f"- {SECRET}", ["holds a list, not a mapping"], id="no mapping"),
        pytest.param("", ["it is empty"], id="empty"),
        pytest.param("clusters: []", ["names no current-context", "it has: none"], id="no current-context"),
        pytest.param({**config(), "current-context": ""}, ["no current-context", "it has: lab"], id="empty context"),
        pytest.param({**config(), "current-context": "x"}, ["no context 'x'", "current", "lab"], id="missing context"),
        pytest.param(config(clusters=[]), ["'lab' names the cluster 'there'", "it has: none"], id="missing cluster"),
        pytest.param(config(users=[]), ["'lab' names the user 'ada'", "it has: none"], id="missing user"),
        pytest.param(config(users=[{"name": "ada", "token": SECRET}]), ["its users are no list"], id="no user in it"),
        pytest.param(config(users={"ada": SECRET}), ["its users are no list"], id="users no list"),
        pytest.param(config(clusters=[{"name": "there", "cluster": {}}]), ["'there' has no server"], id="no server"),
        pytest.param(config({"tokenFile": "/no/token"}), ["No such file", "/no/token"], id="no token file"),
        pytest.param(
            config({"auth-provider": {"name": "oidc", "config": {"refresh-token": SECRET}}}),
            ["the key 'client-id' is missing"],
            id="half a provider",
        ),
        pytest.param(config({**plugin(""), "token": SECRET}), ["its plugin  failed"], id="no command"),
    ],
)
async def test_unusable_kubeconfig(write: Write, content: Any, words: list[str]) -> None:
    """A kubeconfig that can't be used: its path and the cause, and nothing of what it holds."""
    path = write(content)
    with pytest.raises(KubeConfigError) as caught:
        await ClusterAuth.load_first(KubeConfig(path))
    for word in (str(path), *words):
        assert word in str(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


async def test_a_kubeconfig_that_is_no_file(tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder, a pipe, text that is none, or a file that may not be read: which it is."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    closed = write(config(), "closed")
    read = Path.read_text

    def refuse(path: Path, **how: Any) -> str:
        if path == closed:  # for root, a file's mode is no hindrance
            raise PermissionError(13, "Permission denied", str(path))
        return read(path, **how)

    monkeypatch.setattr(Path, "read_text", refuse)
    expected = {"": "is a directory", "pipe": "no regular file", "binary": "not UTF-8", "closed": "Permission denied"}
    for name, words in expected.items():
        with pytest.raises(KubeConfigError, match=words) as caught:
            await ClusterAuth.load_first(KubeConfig(tmp_path / name))
        assert str(tmp_path / name) in str(caught.value)


async def test_several_files(write: Write, tmp_path: Path) -> None:
    """Files are merged as by kubectl: what comes first counts, what is missing or empty is passed over."""
    first = write(config({"token": "one"}))
    other = {"name": "other", "context": {"cluster": "there", "user": "ada"}}
    second = write(config({"token": "two"}, contexts=[other], **{"current-context": "other"}), "second")
    paths = os.pathsep.join(map(str, [tmp_path / "missing", write("", "empty"), first, second]))
    credentials = await ClusterAuth.load_first(KubeConfig(paths))
    assert (credentials.namespace, await token(credentials)) == ("team", "Bearer one")
    assert credentials.environment == {"KUBECONFIG": paths, "HELM_KUBECONTEXT": "lab"}
    assert (await ClusterAuth.load_first(KubeConfig(paths, "other"))).namespace is None


async def test_a_context_that_is_given_needs_no_current_one(write: Write) -> None:
    """Naming a context does without the file's."""
    content = config()
    del content["current-context"]
    assert await token(KubeConfig(write(content), "lab")) == f"Bearer {SECRET}"


async def test_a_context_without_a_user(write: Write) -> None:
    """Who is nobody sends no credentials; the server judges that."""
    context = {"name": "lab", "context": {"cluster": "there"}}
    cluster = {"name": "there", "cluster": {"server": "https://127.0.0.1:1", "insecure-skip-tls-verify": True}}
    assert await token(KubeConfig(write(config(contexts=[context], clusters=[cluster])))) is None


async def test_renewal_keeps_to_the_context(write: Write) -> None:
    """Credentials are read anew from the rewritten file, and not from what it calls its current context by then."""
    path = write(config({"token": "old"}))
    credentials = await ClusterAuth.load_first([InCluster(), KubeConfig(path)])
    changed = config({"token": "new"})
    changed["users"].append({"name": "bob", "user": {"token": "bob's"}})
    changed["contexts"].append({"name": "prod", "context": {"cluster": "there", "user": "bob"}})
    write({**changed, "current-context": "prod"})
    for _ in range(2):
        assert credentials.renew
        credentials = await credentials.renew()
        assert await token(credentials) == "Bearer new"


async def test_token_file(write: Write, tmp_path: Path) -> None:
    """A token's file is found beside the kubeconfig, its line's end is none of the token, and it is read anew."""
    (tmp_path / "token").write_text("old\n")
    credentials = await ClusterAuth.load_first(KubeConfig(write(config({"tokenFile": "token"}))))
    assert await token(credentials) == "Bearer old"
    (tmp_path / "token").write_text("new\n")
    assert credentials.renew
    assert await token(await credentials.renew()) == "Bearer new"


@pytest.mark.parametrize("persist", [True, False])
async def test_refreshed_tokens_are_written_back(
    write: Write, monkeypatch: pytest.MonkeyPatch, *, persist: bool
) -> None:
    """What a provider gave for the last refresh token is kept, unless that is not wanted."""

    class Provider:
        def __init__(self, *_: Any) -> None:
            pass

        async def refresh_token(self, token: str) -> dict[str, str]:
            return {"id_token": f"id for {token}", "refresh_token": "second"}

    monkeypatch.setattr(kube_config, "OpenIDRequestor", Provider)
    settings = {"client-id": "us", "client-secret": "", "idp-issuer-url": "https://idp", "refresh-token": "first"}
    path = write(config({"auth-provider": {"name": "oidc", "config": settings}}))
    assert await token(KubeConfig(path, persist_config=persist)) == "Bearer id for first"
    assert ("refresh-token: second" in path.read_text()) is persist


# Plugins ------------------------------------------------------------------------------------------------


async def test_plugin(write: Write, tmp_path: Path) -> None:
    """A plugin is found beside the kubeconfig, with its arguments and variables; it is told when its token ends."""
    path = script(tmp_path / "plugin", f"echo '{given(token='TOKEN', expirationTimestamp='2100-01-01T00:00:00Z')}'")
    path.write_text(path.read_text().replace("TOKEN", "'\"$1-$WHO\"'"))
    user = plugin("./plugin", args=["for"], env=[{"name": "WHO", "value": "ada"}])
    credentials = await ClusterAuth.load_first(KubeConfig(write(config(user))))
    assert await token(credentials) == "Bearer for-ada"
    assert credentials.expires is not None
    assert (credentials.expires.year, credentials.expired) == (2100, False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("echo 'please log in' >&2; exit 3", ["returned 3. please log in", "; run: get it"]),
        ("echo nothing", ["decode"]),
        (f"echo '{given(user=SECRET)}'", ["neither a token nor a certificate"]),
        (f"echo '{given(clientCertificateData=SECRET)}'", ["neither a token nor a certificate"]),
        (None, ["No such file"]),
    ],
)
async def test_plugin_that_fails(write: Write, tmp_path: Path, text: str | None, words: list[str]) -> None:
    """A plugin that fails is told, with its last words and how to get it, rather than going on as nobody."""
    if text is not None:
        script(tmp_path / "plugin", text)
    path = write(config(plugin("./plugin", installHint="run: get it")))
    with pytest.raises(KubeConfigError) as caught:
        await ClusterAuth.load_first(KubeConfig(path))
    for word in (str(path), "its plugin ./plugin", *words):
        assert word in str(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


async def test_a_token_that_is_over_when_it_comes(write: Write, tmp_path: Path) -> None:
    """Where clocks differ, the server judges: there is no asking a plugin again before each request."""
    script(tmp_path / "plugin", f"echo '{given(token='t', expirationTimestamp='2000-01-01T00:00:00Z')}'")
    credentials = await ClusterAuth.load_first(KubeConfig(write(config(plugin("./plugin")))))
    assert not credentials.expired
