"""The agent's requests, against a server that is one over TLS, with a token that changes."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from dask_kubernetes_helm_pod.api import USER_AGENT, Api, ApiError
from tests.rig.pki import Authority


class Answers:
    """What the server says next, and what it was asked."""

    def __init__(self) -> None:
        self.next: list[tuple[int, Any]] = []
        self.asked: list[dict[str, Any]] = []


def _handler(answers: Answers) -> type[RequestHandler]:
    class Handler(RequestHandler):
        def _answer(self) -> None:
            request = self.request
            body = json.loads(request.body) if request.body else None
            answers.asked.append(
                {"method": request.method, "path": request.path, "headers": request.headers, "body": body}
            )
            status, said = answers.next.pop(0)
            self.set_status(status)
            self.write(said if isinstance(said, str) else json.dumps(said))

        get = patch = delete = _answer

    return Handler


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("pki"))
    made.create()
    made.issue("server", "/CN=server", "IP:127.0.0.1")
    return made


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def folder(authority: Authority, tmp_path: Path) -> Path:
    for name, text in (("token", "first\n"), ("namespace", "lab"), ("ca.crt", authority.certificate.read_text())):
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
async def api(authority: Authority, folder: Path, answers: Answers) -> Any:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority.folder / "server.crt", authority.folder / "server.key")
    server = HTTPServer(Application([(".*", _handler(answers))]), ssl_options=context)
    socket, port = bind_unused_port()
    server.add_socket(socket)
    it = Api(folder, {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(port)})
    yield it
    it.close()
    server.stop()
    await server.close_all_connections()


SCALE = "/apis/apps/v1/namespaces/lab/deployments/w/scale"


async def test_the_number_is_read(api: Api, answers: Answers, folder: Path) -> None:
    """A scale without a number is one of zero; the token is read anew for each request."""
    answers.next = [(200, {"spec": {"replicas": 3}}), (200, {"spec": {}})]
    assert await api.replicas("w") == 3
    (folder / "token").write_text("second")
    assert await api.replicas("w") == 0
    assert [item["headers"]["Authorization"] for item in answers.asked] == ["Bearer first", "Bearer second"]
    assert {(item["path"], item["headers"]["User-Agent"]) for item in answers.asked} == {(SCALE, USER_AGENT)}
    assert api.calls == 2


@pytest.mark.parametrize(("seen", "tested"), [(3, 3), (0, None)])
async def test_a_number_is_set_only_if_it_is_what_was_seen(
    api: Api, answers: Answers, seen: int, tested: int | None
) -> None:
    """The patch tests the number; zero is not in the object that Kubernetes applies it to."""
    answers.next = [(200, {})]
    assert await api.scale("w", 5, seen)
    (asked,) = answers.asked
    assert asked["headers"]["Content-Type"] == "application/json-patch+json"
    assert asked["body"] == [
        {"op": "test", "path": "/spec/replicas", "value": tested},
        {"op": "add", "path": "/spec/replicas", "value": 5},
    ]


@pytest.mark.parametrize("status", [409, 422])
async def test_another_number_is_no_error(api: Api, answers: Answers, status: int) -> None:
    """Where somebody else was quicker, nothing is set."""
    answers.next = [(status, {"message": "the test failed"})]
    assert not await api.scale("w", 5, 3)


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
@pytest.mark.parametrize("said", [{"message": "not now"}, "not now", ""])
async def test_refusals(api: Api, answers: Answers, status: int, said: Any) -> None:
    """Any other answer is an error that names status, request and what the server said."""
    for request in (
        lambda: api.replicas("w"),
        lambda: api.scale("w", 1, 2),
        lambda: api.delete("mine", "1"),
        lambda: api.created("mine"),
    ):
        answers.next = [(status, said)]
        with pytest.raises(ApiError) as caught:
            await request()
        assert caught.value.errno == status
        assert "namespaces/lab/" in str(caught.value)
        assert not said or "not now" in str(caught.value) or isinstance(said, str)


@pytest.mark.parametrize("status", [200, 404, 409])
async def test_the_owner_is_deleted_if_it_is_the_one(api: Api, answers: Answers, status: int) -> None:
    """Its uid is a precondition, and one that is gone, or another of its name, is no error."""
    answers.next = [(status, {})]
    await api.delete("mine", "u-1")
    (asked,) = answers.asked
    assert (asked["method"], asked["path"]) == ("DELETE", "/api/v1/namespaces/lab/configmaps/mine")
    assert asked["body"]["preconditions"] == {"uid": "u-1"}


async def test_the_owners_age(api: Api, answers: Answers) -> None:
    """Kubernetes tells when it was made."""
    answers.next = [(200, {"metadata": {"creationTimestamp": "1970-01-01T00:01:00Z"}})]
    assert await api.created("mine") == 60


async def test_a_stranger_in_its_place(api: Api, answers: Answers, folder: Path, tmp_path: Path) -> None:
    """A server of another authority gets no token."""
    other = Authority(tmp_path / "other")
    other.create()
    (folder / "ca.crt").write_text(other.certificate.read_text())
    with pytest.raises(ApiError, match="certificate"):
        await api.replicas("w")
    assert answers.asked == []


@pytest.fixture
def nowhere(folder: Path) -> Iterator[Api]:
    it = Api(folder, {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "1"})
    yield it
    it.close()


async def test_nobody_there(nowhere: Api) -> None:
    """A server that can't be reached is an error like any other."""
    with pytest.raises(ApiError, match="deployments/w/scale"):
        await nowhere.replicas("w")
