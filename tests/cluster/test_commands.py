"""`dask helm ...` through a real terminal: every command against one release, from create to delete."""

from __future__ import annotations

import json
import os
import re
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import pytest
from click.testing import CliRunner
from distributed import Client

from dask_kubernetes_helm import HelmCluster, contract, discovery
from dask_kubernetes_helm.cli import main
from dask_kubernetes_helm.releases import ownership

from .conftest import Namespace, fresh_namespace, run, until
from .terminal import CTRL_C, shown, terminal

CHART = Path(__file__).parents[2] / "chart"
LASTING = "deployments,services,configmaps,secrets,serviceaccounts,networkpolicies,poddisruptionbudgets"
HIDDEN_CURSOR, CURSOR = "\x1b[?25l", "\x1b[?25h"


@pytest.fixture(scope="module")
def lab() -> Iterator[Namespace]:
    """A namespace that the module's tests share."""
    with fresh_namespace() as made:
        yield made


@pytest.fixture(scope="module")
def release(lab: Namespace, image: str) -> str:
    """A release that was made in a terminal, as its user sees it."""
    with terminal("create", "dask", "-n", lab.name, "-e", "ci", "--image", image, "-w", "1") as made:
        assert made.end() == 0, made.text
    assert f"Release dask is ready in namespace {lab.name}." in made.text
    assert f'HelmCluster.from_name("dask", namespace="{lab.name}")' in made.text
    assert made.raw.rfind(CURSOR) > made.raw.rfind(HIDDEN_CURSOR), "the cursor is hidden"
    return "dask"


def ran(*arguments: str, code: int = 0) -> str:
    """Standard output of a command that is run in this process, which is quicker than a terminal."""
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == code, result.output
    return result.stdout


def told(lab: Namespace, *arguments: str, code: int = 0) -> Any:
    """What a command tells programs."""
    return json.loads(ran(*arguments, "-n", lab.name, "-o", "json", code=code))


def test_list_and_status(lab: Namespace, release: str) -> None:
    """The release is ready, with a scheduler and a worker, and is found in all namespaces."""
    assert re.search(rf"dask +{lab.name} +ready +ready +1/1 +dask-\d", shown("list", "-n", lab.name))
    assert lab.name in ran("list", "-A")
    printed = shown("status", release, "-n", lab.name)
    for pod in lab.get("pods"):
        assert pod["metadata"]["name"] in printed
    assert told(lab, "status", release)["status"] == "ready"
    shown("status", "dsk", "-n", lab.name, code=1)


def test_it_outlives_its_command(lab: Namespace, release: str) -> None:
    """Nobody is a client of it, and it has no limit for that; it computes for whoever attaches."""
    (owner,) = lab.get("configmaps", f"{contract.COMPONENT_LABEL}={contract.OWNER}")
    assert "ownerReferences" not in owner["metadata"]
    (settings,) = lab.get("configmaps", f"{contract.COMPONENT_LABEL}={contract.AGENT}")
    assert not json.loads(settings["data"][contract.SETTINGS])["lifecycle"].get("noClientTimeout")
    with HelmCluster.from_name(release, lab.name, quiet=True) as cluster, Client(cluster) as client:
        assert client.submit(sum, [1, 2]).result(timeout=60) == 3


def test_logs(lab: Namespace, release: str) -> None:
    """The scheduler's has its address; of all pods each line has its pod."""
    assert "Scheduler at" in ran("logs", release, "-n", lab.name, "--scheduler")
    lines = shown("logs", release, "-n", lab.name, "--tail", "2").split("\n")
    pods = {line.split(" | ")[0] for line in lines if " | " in line}
    assert pods == {pod["metadata"]["name"] for pod in lab.get("pods")}


def test_following_logs(lab: Namespace, release: str) -> None:
    """Lines come as they are written, until Ctrl-C is typed, which ends it well."""
    with terminal("logs", release, "-n", lab.name, "-f", "--scheduler") as made:
        made.until("Scheduler at")
        made.type(CTRL_C)
        assert made.end(30) == 0, made.text
    assert "Traceback" not in made.text


def test_scale(lab: Namespace, release: str) -> None:
    """Up and, without the loss of a result, down again; the command's end is not the workers'."""
    with HelmCluster.from_name(release, lab.name, quiet=True) as cluster, Client(cluster) as client:
        assert "default of release dask: 1 -> 2 workers." in shown("scale", release, "2", "-n", lab.name)
        client.wait_for_workers(2, timeout=60)
        held = client.scatter(list(range(8)), broadcast=False)
        scaled = told(lab, "scale", release, "1")
        assert scaled == {"name": release, "namespace": lab.name, "group": "default", "before": 2, "after": 1}
        assert client.gather(held) == list(range(8))
    until(lambda: told(lab, "status", release)["workers"] == {"desired": 1, "ready": 1})


def test_adapt(lab: Namespace, release: str) -> None:
    """The agent goes on when the command has ended, until it is told to stop."""

    def adaptive() -> list[str]:
        with HelmCluster.from_name(release, lab.name, quiet=True) as cluster:
            return [entry["why"] for entry in cluster.scaling_history()]

    assert "follows the work, from 1 workers to 2." in shown(
        "adapt", release, "-n", lab.name, "--minimum", "1", "--maximum", "2"
    )
    assert "adapt(1, 2)" in adaptive()
    assert told(lab, "adapt", release, "--off")["adaptive"] is False


def test_dashboard(lab: Namespace, release: str) -> None:
    """The link leads to the dashboard until Ctrl-C is typed, which ends it well and closes the port."""
    with terminal("dashboard", release, "-n", lab.name) as made:
        printed = made.until("Ctrl-C closes the port.")
        (link,) = re.findall(r"http://127\.0\.0\.1:\d+\S*/status", printed)
        with urllib.request.urlopen(link, timeout=30) as answer:
            assert answer.status == 200
        made.type(CTRL_C)
        assert made.end(30) == 0, made.text
        assert "The port is closed." in made.text
        assert "Traceback" not in made.text
    port = int(link.split(":")[2].split("/")[0])
    with socket.socket() as tried:
        assert tried.connect_ex(("127.0.0.1", port)) != 0


def test_upgrade(lab: Namespace, release: str) -> None:
    """A dry run shows what would change, in colours, and changes nothing; the upgrade then does."""
    change = ("--set", "worker.labels.team=data", "-n", lab.name)

    def team() -> str | None:
        (deployment,) = lab.get("deployments", f"{contract.COMPONENT_LABEL}={contract.WORKER}")
        return deployment["metadata"]["labels"].get("team")

    with terminal("upgrade", release, *change, "--dry-run") as made:
        assert made.end() == 0, made.text
    assert "\x1b[32m+    team: data" in made.raw
    assert re.search(r"Would be: 1 changed, \d+ unchanged\. Nothing was changed\.", made.text)
    assert team() is None
    assert "Release dask is upgraded" in shown("upgrade", release, *change)
    assert team() == "data"


def test_upgrade_to_a_number_of_workers(lab: Namespace, release: str) -> None:
    """Where scaling has set another number, one that is among the values counts."""
    ran("scale", release, "2", "-n", lab.name)
    ran("upgrade", release, "-n", lab.name, "--set", "worker.replicas=1")
    assert told(lab, "status", release)["workers"]["desired"] == 1


def test_an_image_that_does_not_exist(lab: Namespace) -> None:
    """The cause is told at once; the release stays to be looked at, is not well, and can be deleted."""
    options = ("-n", lab.name, "-e", "ci", "--image", "localhost/no-such-image:1", "-w", "0")
    printed = shown("create", "broken", *options, code=1)
    assert "no-such-image:1" in printed
    assert "The release stays" in printed
    assert "no-such-image:1" in ran("status", "broken", "-n", lab.name, code=4)
    # Between two attempts it is not sure that the next one fails.
    until(lambda: told(lab, "status", "broken", code=4)["status"] == "failing")
    assert "no-such-image:1" in ran("diagnose", "broken", "-n", lab.name, code=4)
    found = told(lab, "diagnose", "broken", code=4)
    assert (found["ok"], found["findings"][0]["error"]) == (False, "ImagePullError")
    assert told(lab, "delete", "broken", "--yes")["removed"]
    ran("status", "broken", "-n", lab.name, code=1)


def test_ctrl_c_while_waiting(lab: Namespace, image: str) -> None:
    """The terminal is as it was, and the release stays, which is said."""
    options = ("-n", lab.name, "-e", "ci", "--image", image, "-w", "1", "--set", "worker.nodeSelector={no: such}")
    with terminal("create", "stuck", *options) as made:
        made.until("waiting for a node")
        made.type(CTRL_C)
        assert made.end() == 1, made.text
    assert "The release stays: `dask helm status stuck`" in made.text
    assert "Traceback" not in made.text
    assert made.raw.rfind(CURSOR) > made.raw.rfind(HIDDEN_CURSOR), "the cursor is hidden"
    assert "No node takes pod" in ran("status", "stuck", "-n", lab.name, code=4)
    ran("delete", "stuck", "-n", lab.name, "--yes")


def test_ctrl_c_while_installing(lab: Namespace, release: str, image: str) -> None:
    """Nothing is left, but for pods that were just being made, which may take their grace period."""
    with terminal("create", "cut", "-n", lab.name, "-e", "ci", "--image", image) as made:
        made.until("installing")
        made.type(CTRL_C)
        assert made.end() == 1, made.text
        assert "Traceback" not in made.text
    until(lambda: not [name for name in lab.objects(LASTING) if "/cut-" in name or ".cut." in name])


def test_delete_asks(lab: Namespace, image: str) -> None:
    """An answer of no keeps the release; yes takes it along, with all that it had."""
    before = lab.objects()
    options = ("-n", lab.name, "-e", "ci", "--image", image, "-w", "0", "--no-wait")
    assert "is installed in namespace" in ran("create", "short-lived", *options)
    for answer, code in (("n\n", 1), ("y\n", 0)):
        with terminal("delete", "short-lived", "-n", lab.name) as made:
            made.until("[y/N]")
            made.type(answer)
            assert made.end() == code, made.text
        assert ("short-lived" in ran("list", "-n", lab.name)) == bool(code)
    until(lambda: lab.objects() <= before)


def test_what_helm_installed_is_left_to_helm(lab: Namespace, image: str) -> None:
    """Such a release is listed, and not removed; the error has the command that does it."""
    repository, _, tag = image.rpartition(":")
    settings = f"image.repository={repository},image.tag={tag},worker.replicas=0"
    values = CHART.parent / "values/ci.yaml"
    run("helm", "install", "by-hand", str(CHART), "-n", lab.name, "-f", str(values), "--set", settings)
    printed = shown("delete", "by-hand", "-n", lab.name, "--yes", code=1).replace("\n", " ")
    assert f"helm uninstall by-hand --namespace {lab.name}" in printed
    assert "by-hand" in ran("list", "-n", lab.name)
    run("helm", "uninstall", "by-hand", "-n", lab.name)


def test_gc(lab: Namespace, release: str, image: str) -> None:
    """An install that Helm calls failed is listed, and goes with all that it has; what is in use stays."""
    ran("create", "stale", "-n", lab.name, "-e", "ci", "--image", image, "-w", "0", "--no-wait")
    assert "Nothing is left over." in ran("gc", "-n", lab.name)
    lab.kubectl("label", "secrets", "--selector=owner=helm,name=stale", "status=failed", "--overwrite")
    assert "stale" in shown("gc", "-n", lab.name)
    (found,) = told(lab, "gc", "--yes")
    assert (found["release"], found["removed"]) == ("stale", True)
    until(lambda: [one["name"] for one in told(lab, "list")] == [release])
    assert not lab.get("secrets", f"{ownership.OWNER_LABEL},name=stale")


def test_gc_of_what_nobody_uses(lab: Namespace, release: str) -> None:
    """For how long a release has had no client is what its scheduler tells; listing removes nothing."""
    (found,) = until(lambda: told(lab, "gc", "--unused", "1s"))
    assert (found["release"], found["why"]) == (release, "has had no client")
    assert told(lab, "gc", "--unused", "7 days") == []
    assert told(lab, "status", release)["status"] == "ready"


async def test_discovery(lab: Namespace, release: str) -> None:
    """Dask's control plane finds the release by the configured namespace."""
    with dask.config.set({"kubernetes.namespace": lab.name}):
        assert [found async for found in discovery.discover()] == [(release, HelmCluster)]


def test_completion(lab: Namespace, release: str) -> None:
    """A shell is offered the release."""
    line = {"_DASK_COMPLETE": "bash_complete", "COMP_CWORD": "5"}
    line["COMP_WORDS"] = f"dask helm status -n {lab.name} da"
    assert "dask" in shown(**line)


def test_values_and_files(tmp_path: Path) -> None:
    """What needs no cluster: environments, defaults, schema, a converted file, a Role."""
    nowhere = {"KUBECONFIG": str(tmp_path / "none")}
    assert "production" in shown("values", "environments", **nowhere)
    assert "worker:" in ran("values", "show", "ci")
    assert "scaleDownStabilization" in ran("values", "defaults", "worker.adaptive")
    assert json.loads(ran("values", "schema", "worker.replicas"))["minimum"] == 0
    old = tmp_path / "old.yaml"
    old.write_text("worker: {replicas: 2}\n")
    assert "replicas: 2" in shown("convert", os.fspath(old), **nowhere)
    assert "kind: Role" in shown("rbac", **nowhere)
    assert "none" in shown("list", code=1, **nowhere)
