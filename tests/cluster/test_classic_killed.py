"""Python is killed: nothing of its classic clusters is left, wherever the scheduler was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

from .conftest import KINDS, Namespace, small_pod

SCRIPT = """
import json, sys, time
from distributed import Client
from dask_kubernetes_helm import KubeCluster
spec, mode, namespace = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3]
more = {"dashboard_address": ":0"} if mode == "local" else {}
cluster = KubeCluster(spec, n_workers=1, deploy_mode=mode, namespace=namespace, quiet=True, **more)
client = Client(cluster)
print(client.submit(sum, [1, 2]).result(), flush=True)
time.sleep(1000)
"""
#: What the template's --death-timeout says, and the most that cleaning up may take then.
ABSENCE, CLEANING = 60, 30


def test_five_killed_in_each_mode(namespace: Namespace, image: str) -> None:
    """Ten processes are killed by -9: 60 s of absence and at most 30 s later no object of any of them is left."""
    pod = small_pod(image)
    pod["spec"]["restartPolicy"] = "Never"
    owners = []
    for mode in ["remote", "local"] * 5:
        command = [sys.executable, "-c", SCRIPT, json.dumps(pod), mode, namespace.name]
        owners.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True))
    for owner in owners:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "3\n"
    assert len(namespace.get("pods", "dask.org/component=worker")) == 10
    assert len(namespace.get("pods", "dask.org/component=scheduler")) == 5
    for owner in owners:
        os.kill(owner.pid, signal.SIGKILL)
        owner.communicate()
    killed = time.monotonic()
    namespace.empties(ABSENCE + CLEANING, f"{KINDS},roles,rolebindings")
    assert time.monotonic() - killed > ABSENCE - 10
