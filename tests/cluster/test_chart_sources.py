"""Where a chart may come from: a packed file, a repository; test_published.py has the registry."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Namespace, run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """The packed chart, in a folder of its own."""
    run("helm", "package", str(ROOT / "chart"), "--destination", str(tmp_path / "charts"))
    (found,) = (tmp_path / "charts").glob("*.tgz")
    return found


@contextlib.contextmanager
def served(pages: dict[str, tuple[str, bytes]]) -> Iterator[str]:
    """A web server for fixed pages; its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            kind, body = pages.get(self.path.partition("?")[0], ("", b""))
            self.send_response(200 if kind else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - the name that http.server calls

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def own_helm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Helm's own folders are the test's."""
    for name in ("CONFIG", "CACHE", "DATA"):
        monkeypatch.setenv(f"HELM_{name}_HOME", str(tmp_path / name))


def check(make_cluster, namespace: Namespace, chart: str) -> None:
    with make_cluster(chart=chart, n_workers=1) as cluster:
        cluster.wait_for_workers(1, timeout=60)
        assert cluster._release.chart.startswith("dask-0.")
    namespace.empties()


def test_a_packed_chart(make_cluster, namespace: Namespace, archive: Path) -> None:
    """A .tgz is unpacked, installed and removed."""
    check(make_cluster, namespace, str(archive))


def test_a_repositorys_chart(make_cluster, namespace: Namespace, archive: Path) -> None:
    """A repo/chart that helm knows is fetched, installed and removed."""
    run("helm", "repo", "index", str(archive.parent))
    pages = {f"/{path.name}": ("application/octet-stream", path.read_bytes()) for path in archive.parent.iterdir()}
    with served(pages) as address:
        run("helm", "repo", "add", "team", f"http://{address}")
        check(make_cluster, namespace, "team/dask")
