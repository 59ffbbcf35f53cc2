"""The least Roles: a classic cluster's whole life under exactly them, from a pod and from outside; none is too wide."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.rig import audit
from tests.rig.settings import Settings

from . import inside
from .conftest import KINDS, Namespace, run, small_pod

LIFE = """
import json, os, time
from distributed import Client
from dask_kubernetes_helm import KubeAuth, KubeCluster

def until(reached):
    deadline = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.1)

mode, auth = os.environ["MODE"], None
if "TOKEN" in os.environ:
    auth = KubeAuth(os.environ["SERVER"], token=os.environ["TOKEN"], ssl_ca_cert=os.environ["CA"])
local = {"dashboard_address": ":0"} if mode == "local" else {}
spec = json.loads(os.environ["SPEC"])
with KubeCluster(
    spec, n_workers=2, deploy_mode=mode, namespace=os.environ["IN"], auth=auth, quiet=True, **local
) as cluster, Client(cluster) as client:
    client.wait_for_workers(2, timeout=90)
    assert client.submit(sum, [1, 2]).result() == 3
    assert len(cluster.pods()) == 2
    assert all(cluster.get_logs(cluster=False).values())
    assert cluster.diagnose().unread == ()
    cluster.scale(1)
    until(lambda: len(cluster.observed) == 1)
    cluster.scale(2)
    cluster.adapt(minimum=0, maximum=1)
    until(lambda: len(cluster.observed) <= 1)
    print("ROUTE", cluster.connection.route)
print("LEFT")
"""
EVERYTHING = f"{KINDS},roles,rolebindings,poddisruptionbudgets"
#: What the log can't show: an apply that creates is logged as a patch, and needs the right to create as well.
#: For others: what the agent's Role passes on; a load balancer's address; Helm 3, which updates its records; pods that
#: take longer than a moment.
UNSEEN = {
    ("get", "apps", "deployments/scale"),
    ("watch", "", "services"),
    ("update", "", "secrets"),
    ("watch", "", "events"),
}
#: Requests that need no right of one's own, or that ask whether there is one.
FREE = {"selfsubjectrulesreviews", "nodes", "namespaces"}


def _used(namespace: Namespace) -> set[tuple[str, str, str]]:
    """What the account has asked for and was given: verb, API group, resource."""
    who = f"system:serviceaccount:{namespace.name}:notebook"
    found = set()
    for entry in audit.events(Settings.from_environment()):
        what = entry.get("objectRef", {})
        code = entry.get("responseStatus", {}).get("code", 200)
        mine = entry.get("user", {}).get("username") == who
        if mine and what.get("resource") and what["resource"] not in FREE and code in (*range(400), 404):
            resource = "/".join(filter(None, [what["resource"], what.get("subresource")]))
            found.add((entry["verb"], what.get("apiGroup", ""), resource))
    return found


def _outside(namespace: Namespace, tmp_path: Path, mode: str, image: str) -> str:
    """The life in a process outside of the cluster, by host and token."""
    config = yaml.safe_load(run("kubectl", "config", "view", "--raw", "--minify", "-o", "json"))
    cluster = config["clusters"][0]["cluster"]
    (tmp_path / "ca.crt").write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    settings = {
        "MODE": mode,
        "IN": namespace.name,
        "SERVER": cluster["server"],
        "CA": str(tmp_path / "ca.crt"),
        "TOKEN": namespace.kubectl("create", "token", "notebook").strip(),
        "SPEC": json.dumps(small_pod(image)),
        "KUBECONFIG": "/nowhere",
    }
    process = subprocess.run(
        [sys.executable, "-c", LIFE], env={**os.environ, **settings}, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.mark.parametrize("mode", ["remote", "local"])
def test_the_life_under_the_least_role(namespace: Namespace, image: str, tmp_path: Path, mode: str) -> None:
    """All goes under the mode's Role, from both sides of the cluster, and each of its rules is needed for that."""
    inside.account(namespace, mode)
    log = _outside(namespace, tmp_path, mode, image)
    assert log.split() == ["ROUTE", *{"remote": ["port-forward"], "local": ["this", "process"]}[mode], "LEFT"]
    namespace.empties(60, EVERYTHING)
    inside.start(namespace, image, LIFE, MODE=mode, IN=namespace.name, SPEC=json.dumps(small_pod(image)))
    log = inside.log_at_end(namespace)
    assert log.split()[-1] == "LEFT", log
    assert {"remote": "ROUTE in-cluster DNS", "local": "ROUTE this process"}[mode] in log
    namespace.empties(60, EVERYTHING)
    rules = yaml.safe_load(run(sys.executable, "-m", "dask_kubernetes_helm", "rbac", "--mode", mode))["rules"]
    granted = {
        (verb, group, resource)
        for rule in rules
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert granted - _used(namespace) <= {item for item in granted if item[0] == "create"} | UNSEEN
