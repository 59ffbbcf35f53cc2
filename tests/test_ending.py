"""On the way out: what is told, and what is raised."""

from __future__ import annotations

import logging

import pytest

from dask_kubernetes_helm.errors import ApiUnreachableError
from dask_kubernetes_helm.fronts import ending


@pytest.mark.parametrize("cause", [KeyboardInterrupt, ValueError])
def test_what_fails_on_the_way_out_takes_nobodys_place(
    cause: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    """Ctrl-C stays Ctrl-C, an error that error; what could not be tidied up is in the log, with the command for it."""

    def fail(error: BaseException) -> None:
        raise error

    def start() -> None:
        try:
            fail(cause())
        except BaseException:
            with ending.told_only("demo", "lab"):
                fail(ApiUnreachableError("No Kubernetes API answers"))
            raise

    with caplog.at_level(logging.WARNING), pytest.raises(cause):
        start()
    (record,) = caplog.records
    assert "dask helm delete demo --namespace lab" in record.getMessage()
    assert "No Kubernetes API answers" in record.getMessage()
