"""What all tests share: marks by folder, a clean environment, and the demand that cluster tests ran."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

HERE = Path(__file__).parent

# Speed belongs in bench/: an example that is slow on a busy machine is no failure.
hypothesis.settings.register_profile("project", deadline=None)
hypothesis.settings.load_profile("project")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--require-cluster", action="store_true", help="fail unless tests ran on a cluster")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test's folder says what it needs."""
    for item in items:
        folder = item.path.relative_to(HERE).parts[0]
        if not any(map(item.get_closest_marker, ("rig", "kwok"))) and folder in ("chart", "cluster"):
            item.add_marker({"chart": "helm", "cluster": "cluster"}[folder])


class _ClusterTests:
    def __init__(self) -> None:
        self.passed = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed and "cluster" in report.keywords:
            self.passed += 1

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not self.passed and session.exitstatus == 0:
            session.exitstatus = 1

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.write_line(f"{self.passed} tests passed on a cluster")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--require-cluster"):
        config.pluginmanager.register(_ClusterTests())


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The developer's own Dask configuration doesn't reach the tests."""
    for name in list(os.environ):
        if name.startswith("DASK_"):
            monkeypatch.delenv(name)
