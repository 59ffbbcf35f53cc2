"""What a worker is told of its threads and memory: Dask and Kubernetes must mean the same number."""

from __future__ import annotations

import re
import shutil
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chart.helm import CHART, container, option, render

FACTORS = {
    "": 1,
    "m": Decimal("0.001"),
    **{unit: 1000**power for power, unit in enumerate(("k", "M", "G", "T", "P", "E"), start=1)},
    **{unit: 1024**power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)},
}

#: Above, Helm's 64-bit floats lose the thousandth of a byte that Kubernetes rounds up for.
EXACT = 2**43


def _bytes(quantity: str) -> int:
    """What Kubernetes takes a quantity for: exact, with fractions of a byte rounded up."""
    number, suffix = re.fullmatch(r"([0-9.]+(?:[eE][0-9]+)?)(.*)", quantity).groups()  # type: ignore[union-attr]
    return int((Decimal(number) * FACTORS[suffix]).to_integral_value(ROUND_CEILING))


def _told(memory_limit: Any) -> str:
    return option("memory-limit", {"worker": {"memory_limit": memory_limit}})


@pytest.mark.parametrize(("cpu", "memory"), [("500m", "6G"), ("2", "6Gi"), (2, 6442450944), (0.5, "129e6")])
def test_limits_are_told_by_kubernetes(cpu: Any, memory: Any) -> None:
    """Whatever the limits are written like, the kubelet tells the worker the very numbers that it enforces."""
    resources = {"limits": {"cpu": cpu, "memory": memory}}
    values = {"worker": {"resources": resources}}
    main = container("worker", values)
    assert resources == main["resources"]
    assert option("nthreads", values) == "$(DASKHELM_CPU_LIMIT)"
    assert option("memory-limit", values) == "$(DASKHELM_MEMORY_LIMIT)"
    fields = {item["name"]: item["valueFrom"]["resourceFieldRef"] for item in main["env"] if "LIMIT" in item["name"]}
    # No divisor: cores, rounded up to whole ones, and bytes.
    assert fields == {
        "DASKHELM_CPU_LIMIT": {"containerName": "worker", "resource": "limits.cpu"},
        "DASKHELM_MEMORY_LIMIT": {"containerName": "worker", "resource": "limits.memory"},
    }


def test_threads_may_be_set() -> None:
    """worker.threads_per_worker comes before the limit, and leaves the memory to it."""
    values = {"worker": {"threads_per_worker": 8, "resources": {"limits": {"cpu": "2"}}}}
    assert option("nthreads", values) == "8"
    assert option("memory-limit", values) == "$(DASKHELM_MEMORY_LIMIT)"


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        ("6G", 6_000_000_000),
        ("6Gi", 6_442_450_944),
        ("1.5Gi", 1_610_612_736),
        ("0.1Gi", 107_374_183),
        ("1.1G", 1_100_000_000),
        ("500Mi", 524_288_000),
        ("128k", 128_000),
        ("128Ki", 131_072),
        ("129e6", 129_000_000),
        ("129E6", 129_000_000),
        ("1E", 10**18),
        ("128974848000m", 128_974_848),
        ("1m", 1),
        ("128974848", 128_974_848),
        (128_974_848, 128_974_848),
        (6_442_450_944, 6_442_450_944),
        (1e9, 1_000_000_000),
    ],
)
def test_memory_may_be_set(quantity: Any, expected: int) -> None:
    """worker.memory_limit reads what Kubernetes reads, and reaches Dask as bytes, which nobody can misread."""
    assert str(expected) == _told(quantity)


@pytest.fixture(scope="module")
def converter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart with one more template, which converts a whole list."""
    chart = tmp_path_factory.mktemp("converter") / "chart"
    shutil.copytree(CHART, chart)
    template = '{{ range .Values.global.quantities }}\n- {{ include "dask.bytes" . | quote }}\n{{- end }}'
    (chart / "templates" / "converted.yaml").write_text("kind: List\nitems:" + template)
    return chart


@settings(max_examples=8, deadline=None)
@given(
    quantities=st.lists(
        st.builds(
            "{0:f}{1}".format,
            st.decimals(min_value=Decimal("0.001"), max_value=4096, places=3),
            st.sampled_from(list(FACTORS)),
        ).filter(lambda quantity: _bytes(quantity) <= EXACT),
        min_size=1,
        max_size=200,
    )
)
def test_any_quantity_is_exact(converter: Path, quantities: list[str]) -> None:
    """The number of bytes is the one that Kubernetes computes, for any number and unit up to 8 TiB."""
    objects = render({"global": {"quantities": quantities}}, chart=converter)
    (converted,) = (item["items"] for item in objects if item["kind"] == "List")
    assert [str(_bytes(quantity)) for quantity in quantities] == converted


def test_nanny() -> None:
    """worker.nanny chooses between a worker under a nanny, which is Dask's default, and a bare one."""
    flags = {"--nanny", "--no-nanny"}
    assert set() == flags & set(container("worker")["args"])
    assert {"--no-nanny"} == flags & set(container("worker", {"worker": {"nanny": False}})["args"])


def test_a_worker_knows_where_it_belongs() -> None:
    """A worker carries its pod's name, gives up after a minute without a scheduler, and writes to its own folder."""
    main = container("worker")
    assert main["args"][2] == "$(DASK_SCHEDULER_ADDRESS)"
    assert main["env"][0] == {"name": "DASK_SCHEDULER_ADDRESS", "value": "tls://demo-dask-scheduler:8786"}
    assert option("name") == "$(DASKHELM_POD_NAME)"
    assert {"name": "DASKHELM_POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}} in main["env"]
    assert option("death-timeout") == "60"
    assert option("local-directory") == "/dask"
    assert option("dashboard-address", {"worker": {"portDashboard": 9000}}) == ":9000"


def test_a_scheduler_elsewhere() -> None:
    """Workers go to this release's scheduler, on the port of its Service, unless they are sent elsewhere."""
    moved = container("worker", {"scheduler": {"servicePort": 9000}})["env"]
    assert moved[0]["value"] == "tls://demo-dask-scheduler:9000"
    elsewhere = container("worker", {"worker": {"custom_scheduler_url": "tls://other:1"}})["env"]
    assert elsewhere[0]["value"] == "tls://other:1"
