"""Ctrl-C in the middle of creation, in a real terminal."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest

from .conftest import Namespace

pytestmark = pytest.mark.alone

#: Seconds, twice as many as asked for.
AT_ONCE = 4

SCRIPT = """
import sys
from dask_kubernetes_helm import HelmCluster
try:
    HelmCluster("stopped", namespace=sys.argv[1], environment="ci", image=sys.argv[2])
except KeyboardInterrupt:
    print("INTERRUPTED")
"""

CLASSIC = """
import sys
from dask_kubernetes_helm import KubeCluster
spec = {"spec": {"containers": [{"image": sys.argv[2], "args": ["dask-worker"]}]}}
local = {"dashboard_address": ":0"} if sys.argv[3] == "local" else {}
try:
    KubeCluster(spec, name="stopped", namespace=sys.argv[1], deploy_mode=sys.argv[3], n_workers=1, **local)
except KeyboardInterrupt:
    print("INTERRUPTED")
"""


def watch(terminal: int, text: str, timeout: float = 60) -> str:
    """Read what the terminal shows until a text is among it, or the other side is gone."""
    shown, deadline = "", time.monotonic() + timeout
    while text not in shown:
        assert time.monotonic() < deadline, f"{text!r} was not shown: {shown[-2000:]}"
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                shown += os.read(terminal, 65536).decode(errors="replace")
            except OSError:  # the other side has closed
                assert text in shown, shown[-2000:]
    return shown


@pytest.mark.parametrize(
    ("script", "moment", "told"),
    [
        pytest.param(SCRIPT, "release", [], id="helm"),
        pytest.param(SCRIPT, "scheduler", ["localhost/no-such-image:1"], id="waiting"),
        pytest.param(CLASSIC, "installing", ["", "remote"], id="remote"),
        pytest.param(CLASSIC, "installing", ["", "local"], id="local"),
    ],
)
def test_ctrl_c(namespace: Namespace, image: str, script: str, moment: str, told: list[str]) -> None:
    """In 2 s the terminal is there again, with its cursor; the release goes, and no helm is left."""
    which, *mode = told or [""]
    terminal, other = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"}
    process = subprocess.Popen(
        [sys.executable, "-c", script, namespace.name, which or image, *mode],
        stdin=other,
        stdout=other,
        stderr=other,
        env=environment,
        start_new_session=True,
    )
    os.close(other)
    try:
        shown = watch(terminal, moment)
        process.send_signal(signal.SIGINT)
        interrupted = time.monotonic()
        shown += watch(terminal, "INTERRUPTED")
        took = time.monotonic() - interrupted
        process.wait(60)
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
    assert process.returncode == 0
    assert shown.rfind("\x1b[?25h") > shown.rfind("\x1b[?25l"), "the cursor is hidden"
    assert "Traceback" not in shown
    assert took <= AT_ONCE
    # Pods that were just being made may take their grace period, which is a minute.
    namespace.empties(90)
