"""Wheels made for tests, and an index of them that pods reach.

Belongs here: what pip installs in tests. Never here: what must be true of it.
"""

from __future__ import annotations

import contextlib
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def wheel(folder: Path, name: str, version: str = "1.0", requires: str = "") -> None:
    """A wheel of one module that says its version, with a program of the same name."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files = {
        f"{name}.py": f"def main():\n    print({version!r})\n",
        f"{info}/METADATA": metadata + (f"Requires-Dist: {requires}\n" if requires else ""),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr(f"{info}/RECORD", "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"]))


@contextlib.contextmanager
def index(folder: Path, host: str) -> Iterator[dict[str, str]]:
    """An index of the wheels in a folder; the variables by which pip asks there and nowhere else."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.strip("/").rpartition("/")[2]
            if self.path.endswith("/"):
                links = [f'<a href="/{path.name}">{path.name}</a>' for path in folder.glob(f"{name}-*.whl")]
                self._answer(200 if links else 404, "text/html", "".join(links).encode())
            else:
                self._answer(200, "application/zip", (folder / name).read_bytes())

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer((host, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://{host}:{server.server_port}/simple"
        yield {"PIP_INDEX_URL": address, "PIP_TRUSTED_HOST": host, "PIP_RETRIES": "0"}
        server.shutdown()
