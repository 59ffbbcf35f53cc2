"""Jupyter: what there is of it, how its token is kept, and what its notebooks may do."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.helm import Object, container, one, pod, refusal, render, run, text

ROLES = Path(__file__).parents[2] / "docs/roles"
TOKEN = {"token": {"secretName": "mine"}}


def _on(**jupyter: Any) -> Object:
    return {"jupyter": {"enabled": True, **TOKEN, **jupyter}}


def _kinds(values: Object) -> set[str]:
    found = render(values)
    return {item["kind"] for item in found if item["metadata"]["labels"]["app.kubernetes.io/component"] == "jupyter"}


def _granted(rules: list[Object]) -> set[tuple[str, str, str]]:
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_only_where_it_is_asked_for() -> None:
    """Without jupyter.enabled there is nothing of it."""
    assert _kinds({}) == set()
    kinds = {"ConfigMap", "Deployment", "Role", "RoleBinding", "Service", "ServiceAccount"}
    assert kinds <= _kinds(_on())
    assert _kinds({"jupyter": {"enabled": True}}) == _kinds(_on()) | {"Secret"}
    kept = _on(persistence={"enabled": True}, ingress={"enabled": True})
    assert _kinds(kept) == _kinds(_on()) | {"PersistentVolumeClaim", "Ingress"}
    assert _kinds(_on(persistence={"enabled": True, "existingClaim": "c"})) == _kinds(_on())


def test_its_image() -> None:
    """By default it is Dask's own for notebooks, of the tag that scheduler and workers have."""
    assert container("jupyter", _on())["image"] == "ghcr.io/dask/dask-notebook:2026.8.0"
    values = {**_on(), "image": {"tag": "2026.8.0-py3.12", "digest": f"sha256:{'0' * 64}"}}
    assert container("jupyter", values)["image"] == "ghcr.io/dask/dask-notebook:2026.8.0-py3.12"


def test_a_token_of_the_charts_own() -> None:
    """It is long, in a Secret and nowhere else: no variable, argument or configuration has it."""
    said = text({"jupyter": {"enabled": True}})
    secret = one(list(filter(None, yaml.safe_load_all(said))), "Secret", "jupyter")
    token = base64.b64decode(secret["data"]["token"]).decode()
    assert len(token) >= 40
    assert said.count(secret["data"]["token"]) == 1
    assert token not in said


def test_a_token_of_the_charts_own_needs_a_cluster() -> None:
    """Where nothing tells which token there is, one is not made anew each time without being told to."""
    values = {"jupyter": {"enabled": True}, "tls": {"enabled": False, "generated": {"offline": False}}}
    said = refusal(values)
    assert "jupyter.token.secretName" in said
    assert "offline" in said


def test_a_token_of_the_users_own() -> None:
    """An existing Secret takes its place, under its own key."""
    values = {"jupyter": {"enabled": True, "token": {"secretName": "mine", "key": "password"}}}
    (volume,) = (item for item in pod("jupyter", values)["volumes"] if item["name"] == "dask-jupyter")
    (source,) = (item["secret"] for item in volume["projected"]["sources"] if "secret" in item)
    assert source == {"name": "mine", "items": [{"key": "password", "path": "token"}]}


def test_notes_tell_where_the_token_is_and_not_what_it_is() -> None:
    """NOTES name the way to the server and a command for the token, which itself is not there."""
    command = (
        "install",
        "demo",
        str(Path(__file__).parents[2] / "chart"),
        "-n",
        "ns",
        "--dry-run=client",
        "--output=json",
    )
    values = {
        "tls": {"generated": {"offline": True}},
        **_on(ingress={"enabled": True, "hosts": ["j.org"]}, baseUrl="lab"),
    }
    result = run(*command, "--values", "-", text=json.dumps(values))
    assert result.returncode == 0, result.stderr
    said = str(json.loads(result.stdout)["info"]["notes"])
    assert "http://j.org/lab" in said
    assert "kubectl get secret --namespace ns mine" in said
    forwarded = run(*command, "--values", "-", text=json.dumps({**values, **_on()}))
    assert "service/demo-dask-jupyter 8888:8888" in json.loads(forwarded.stdout)["info"]["notes"]


def test_configuration() -> None:
    """The server listens under its path; notebooks know release, namespace, and what workers are like."""
    values = {
        **_on(baseUrl="lab", home="/home/ada"),
        "worker": {"image": {"tag": "7"}, "resources": {"limits": {"cpu": 2}}},
    }
    told = one(render(values), "ConfigMap", "jupyter")["data"]
    server = told["jupyter_server_config.py"]
    compile(server, "jupyter_server_config.py", "exec")
    assert 'c.ServerApp.base_url = "/lab/"' in server
    assert 'c.ServerApp.root_dir = "/home/ada"' in server
    notebooks = yaml.safe_load(told["dask.yaml"])["kubernetes"]
    assert (notebooks["release"], notebooks["namespace"]) == ("demo", "ns")
    (worker,) = notebooks["worker-template"]["spec"]["containers"]
    assert (worker["image"], worker["resources"]) == ("ghcr.io/dask/dask:7", {"limits": {"cpu": 2}})
    main = container("jupyter", values)
    mounted = {item["mountPath"]: item for item in main["volumeMounts"]}
    assert mounted["/etc/dask/kubernetes-helm.yaml"]["subPath"] == "dask.yaml"
    assert {"name": "HOME", "value": "/home/ada"} in main["env"]
    assert main["readinessProbe"]["httpGet"]["path"] == "/lab/api"


def test_its_role_is_the_documented_one() -> None:
    """Notebooks may do what docs/roles/remote.yaml says, but for what only a process outside of the cluster needs."""
    documented = _granted(yaml.safe_load((ROLES / "remote.yaml").read_text())["rules"])
    outside = {item for item in documented if item[1] == "pods/portforward"}
    assert _granted(one(render(_on()), "Role", "jupyter")["rules"]) == documented - outside


def test_its_role_without_installing() -> None:
    """Notebooks that may not install may look, and change nothing but this release's number of workers."""
    values = {**_on(rbac={"install": False}), "worker": {"groups": {"gpu": {}}}}
    role = one(render(values), "Role", "jupyter")
    changing = [rule for rule in role["rules"] if not {"get", "list", "watch"}.issuperset(rule["verbs"])]
    (scaling,) = changing
    assert scaling["resources"] == ["deployments/scale"]
    assert scaling["resourceNames"] == ["demo-dask-worker", "demo-dask-worker-gpu"]
    (secrets,) = (rule for rule in role["rules"] if "secrets" in rule["resources"])
    assert (secrets["verbs"], secrets["resourceNames"]) == (["get"], ["demo-dask-tls"])
    bare = one(render({**values, "tls": {"enabled": False}}), "Role", "jupyter")["rules"]
    assert [rule for rule in bare if "secrets" in rule["resources"]] == []


def test_a_role_of_the_users_own() -> None:
    """With rbac.create: false there is none, and an account that is named is used."""
    values = _on(rbac={"create": False}, serviceAccountName="notebooks")
    assert {"Role", "RoleBinding", "ServiceAccount"} & _kinds(values) == set()
    assert pod("jupyter", values)["serviceAccountName"] == "notebooks"


def test_only_the_server_has_the_account() -> None:
    """The account's token is mounted in the server's container, and in none beside it."""
    spec = pod("jupyter", _on(extraContainers=[{"name": "beside", "image": "b"}]))
    assert spec["automountServiceAccountToken"] is False
    mounts = {item["name"]: [mount["name"] for mount in item.get("volumeMounts", [])] for item in spec["containers"]}
    mounting = [name for name, found in mounts.items() if "dask-account" in found]
    assert mounting == ["jupyter"]


def test_a_home_that_is_kept() -> None:
    """A volume keeps the home folder, and by default outlives the release, whoever owns that."""
    owner = {"lifecycle": {"owner": {"name": "o", "uid": "u"}}}
    values = {**_on(persistence={"enabled": True, "size": "1Gi", "storageClassName": "fast"}), **owner}
    claim = one(render(values), "PersistentVolumeClaim", "jupyter")
    assert claim["spec"]["resources"] == {"requests": {"storage": "1Gi"}}
    assert claim["spec"]["storageClassName"] == "fast"
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert "ownerReferences" not in claim["metadata"]
    (home,) = (item for item in pod("jupyter", values)["volumes"] if item["name"] == "dask-home")
    assert home["persistentVolumeClaim"] == {"claimName": claim["metadata"]["name"]}


@pytest.mark.parametrize(
    ("jupyter", "more", "words"),
    [
        ({"service": {"nodePort": 30000}}, {}, ["jupyter.service.nodePort", "jupyter.serviceType is ClusterIP"]),
        ({"httpRoute": {"enabled": True}}, {}, ["jupyter.httpRoute.parentRefs"]),
        (
            {"persistence": {"enabled": True, "existingClaim": "c", "storageClassName": "s"}},
            {},
            ["jupyter.persistence.existingClaim", "Leave one"],
        ),
        (
            {"ingress": {"enabled": True, "hosts": ["a.org"]}},
            {"webUI": {"ingress": {"enabled": True, "hosts": ["a.org"]}}},
            ["webUI.ingress and jupyter.ingress", "jupyter.baseUrl or webUI.prefix"],
        ),
        (
            {"serviceType": "NodePort", "service": {"nodePort": 30001}},
            {"scheduler": {"serviceType": "NodePort", "service": {"nodePort": 30001}}},
            ["scheduler.service.nodePort and jupyter.service.nodePort"],
        ),
        ({"env": [{"name": "A"}, {"name": "A"}]}, {}, ["jupyter.env has A twice"]),
        ({"podLabels": {"app.kubernetes.io/name": "x"}}, {}, ["jupyter.podLabels"]),
        (
            {"mounts": {"volumes": [{"name": "v"}], "volumeMounts": [{"name": "v", "mountPath": "/home/jovyan/"}]}},
            {},
            ["jupyter.mounts.volumeMounts[0].mountPath is /home/jovyan/", "jupyter.persistence"],
        ),
        ({"mounts": {"volumes": [{"name": "dask-home"}]}}, {}, ["jupyter.mounts.volumes[0].name is dask-home"]),
        ({"ports": [{"containerPort": 8888}]}, {}, ["jupyter.ports[0].containerPort is 8888"]),
    ],
    ids=str,
)
def test_refused(jupyter: dict[str, Any], more: dict[str, Any], words: list[str]) -> None:
    """What can't be is refused with the key and the cure."""
    said = refusal({**_on(**jupyter), **more})
    assert [word for word in words if word not in said] == []
