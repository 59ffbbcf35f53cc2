"""Packages that an image lacks: who installs them, with which rights, and how Dask finds them."""

from __future__ import annotations

from typing import Any

import pytest

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.chartvalues.values import merge
from tests.chart.helm import Object, container, deployment, pod, refusal, render

ROLES = ("scheduler", "worker")
every_role = pytest.mark.parametrize("role", ROLES)
FILE = "/etc/dask-kubernetes-helm/dask_kubernetes_helm_pod/packages.py"
RELAXED: Object = {
    "securityContext": {"runAsNonRoot": False, "runAsUser": 0},
    "containerSecurityContext": {"readOnlyRootFilesystem": False, "capabilities": None},
}


def _env(name: str, value: str = "x") -> Object:
    return {"env": [{"name": name, "value": value}]}


def _pip(role: str, values: Object) -> Object:
    """The init container that is there for pip."""
    (found,) = (item for item in pod(role, {role: values})["initContainers"] if item["name"] == contract.PACKAGES)
    return dict(found)


@every_role
def test_none_by_default(role: str) -> None:
    """Without packages there is no init container, no volume, and the program starts as it stands."""
    assert "initContainers" not in pod(role)
    assert not [volume for volume in pod(role)["volumes"] if volume["name"] == "dask-packages"]
    assert container(role)["args"][:2] == ["dask", role]
    assert "initContainers" not in pod(role, {role: _env("EXTRA_PIP_PACKAGES", "")})


@every_role
def test_pip_in_an_init_container(role: str) -> None:
    """It is Dask's image with Dask's restrictions, and Dask finds in a read-only folder what pip wrote there."""
    values = {"extraPackages": {"pip": ["s3fs", "xgboost>=2"]}}
    init, main = _pip(role, values), container(role, {role: values})
    assert init["args"] == ["python", FILE, "install", "s3fs", "xgboost>=2"]
    assert main["args"][:5] == ["python", FILE, "run", "dask", role]
    assert main["args"][5:] == container(role)["args"][2:]
    for key in ("image", "imagePullPolicy", "securityContext"):
        assert init[key] == main[key] == container(role)[key]
    places = {name: item for name, one in (("init", init), ("main", main)) for item in one["volumeMounts"]
              if item["name"] == "dask-packages"}  # fmt: skip
    assert places["init"] | {"readOnly": True} == places["main"]
    assert [places["init"]["readOnly"], places["init"]["mountPath"]] == [False, "/opt/dask-packages"]
    assert {"name": "dask-packages", "emptyDir": {}} in pod(role, {role: values})["volumes"]
    assert init["terminationMessagePolicy"] == "FallbackToLogsOnError"


@every_role
@pytest.mark.parametrize("source", [{"value": "a b"}, {"valueFrom": {"configMapKeyRef": {"name": "m", "key": "k"}}}])
def test_the_variable_for_pip_is_the_init_containers(role: str, source: Object) -> None:
    """EXTRA_PIP_PACKAGES goes there under a name that no entrypoint knows, and the main container has none."""
    values = {"env": [{"name": "EXTRA_PIP_PACKAGES", **source}, {"name": "A", "value": "b"}]}
    init, main = _pip(role, values), container(role, {role: values})
    assert {"name": "DASKHELM_PIP_PACKAGES", **source} in init["env"]
    assert {"name": "A", "value": "b"} in init["env"]
    assert main["env"][-1] == {"name": "A", "value": "b"}
    assert not {"EXTRA_PIP_PACKAGES", "DASKHELM_PIP_PACKAGES"} & {item["name"] for item in main["env"]}
    assert "EXTRA_PIP_PACKAGES" not in {item["name"] for item in init["env"]}
    assert init["args"] == ["python", FILE, "install"]


@every_role
def test_what_pip_is_told_counts(role: str) -> None:
    """Variables, ConfigMaps and mounts of Dask's container are the init container's too; devices are not."""
    mount = {"name": "pip", "mountPath": "/etc/pip.conf", "subPath": "pip.conf"}
    values = {
        "extraPackages": {"pip": ["s3fs"]},
        "env": [{"name": "PIP_INDEX_URL", "value": "https://example.com/simple"}],
        "envFrom": [{"configMapRef": {"name": "settings"}}],
        "mounts": {"volumes": [{"name": "pip", "configMap": {"name": "pip"}}], "volumeMounts": [mount]},
        "resources": {"limits": {"cpu": "1", "memory": "1Gi", "nvidia.com/gpu": 1}, "requests": {"memory": "1Gi"}},
    }
    init = _pip(role, values)
    assert values["env"][0] in init["env"]
    assert init["envFrom"] == values["envFrom"]
    assert mount in init["volumeMounts"]
    assert init["resources"] == {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"memory": "1Gi"}}


@pytest.mark.parametrize(
    ("worker", "install", "run"),
    [
        (
            {"program": ["conda", "run", "-n", "dask", "dask", "worker"]},
            (None, ["conda", "run", "-n", "dask", "python", FILE, "install", "a"]),
            (None, ["conda", "run", "-n", "dask", "python", FILE, "run", "dask", "worker"]),
        ),
        (
            {"program": ["/opt/conda/bin/dask", "worker"], "command": ["tini", "--"]},
            (["tini", "--"], ["/opt/conda/bin/python", FILE, "install", "a"]),
            (["tini", "--"], ["/opt/conda/bin/python", FILE, "run", "/opt/conda/bin/dask", "worker"]),
        ),
        (
            {"command": ["tini", "--", "dask"], "program": ["worker"]},
            (["tini", "--", "python", FILE, "install", "a"], None),
            (["tini", "--", "python", FILE, "run", "dask"], ["worker", "$(DASK_SCHEDULER_ADDRESS)"]),
        ),
        (
            {"program": ["my-worker"]},
            (None, ["python", FILE, "install", "a"]),
            (None, ["python", FILE, "run", "my-worker"]),
        ),
    ],
)
def test_the_python_that_has_dask(worker: Object, install: Any, run: Any) -> None:
    """Pip is that of the Python that Dask runs in, and both are started as the values start Dask."""
    values = {"extraPackages": {"pip": ["a"]}, **worker}
    init, main = _pip("worker", values), container("worker", {"worker": values})
    assert (init.get("command"), init.get("args")) == install
    assert (main.get("command"), main["args"][: len(run[1])]) == run


@every_role
@pytest.mark.parametrize("kind", ["conda", "apt"])
@pytest.mark.parametrize("by", ["extraPackages", "env"])
def test_the_cure_for_packages_works(role: str, kind: str, by: str) -> None:
    """Following one refusal after the other, and nothing else, leads to a render."""
    variable = f"EXTRA_{kind.upper()}_PACKAGES"
    values: Object = {"extraPackages": {kind: ["x"]}} if by == "extraPackages" else _env(variable)
    key = f"{role}.extraPackages.{kind}" if by == "extraPackages" else f"{role}.env, {variable}"
    said = refusal({role: values})
    assert f"{key} installs into" in said
    assert f"{role}.containerSecurityContext.readOnlyRootFilesystem to false" in said
    values["containerSecurityContext"] = {"readOnlyRootFilesystem": False}
    said = refusal({role: values})
    assert f"{key} installs as root. Set {role}.securityContext.runAsNonRoot to false and runAsUser to 0" in said
    values["securityContext"] = {"runAsNonRoot": False, "runAsUser": 0}
    if kind == "apt":
        assert f"{role}.containerSecurityContext.capabilities to null" in refusal({role: values})
        values["containerSecurityContext"]["capabilities"] = None
    assert {"name": variable, "value": "x"} in container(role, {role: values})["env"]


@every_role
def test_all_kinds_by_the_entrypoint(role: str) -> None:
    """Beside conda's and apt's, pip's packages are left to the entrypoint too, as they may need the others."""
    values = merge(RELAXED, {"extraPackages": {"pip": ["a", "b"], "conda": ["c"], "apt": ["d"]}})
    main = container(role, {role: values})
    found = {item["name"]: item["value"] for item in main["env"] if item["name"].startswith("EXTRA_")}
    assert found == {"EXTRA_PIP_PACKAGES": "a b", "EXTRA_CONDA_PACKAGES": "c", "EXTRA_APT_PACKAGES": "d"}
    assert "initContainers" not in pod(role, {role: values})
    assert main["args"][:2] == ["dask", role]


@every_role
def test_a_relaxation_that_is_laid_over(role: str) -> None:
    """What `container` and `podTemplate` say of security counts for the check, and for the init container."""
    none = {"securityContext": None, "containerSecurityContext": None}
    root = {"runAsUser": 0, "runAsNonRoot": False}
    values = {**none, "container": {"securityContext": root}}
    assert container(role, {role: {**values, "extraPackages": {"apt": ["a"]}}})["securityContext"] == root
    assert _pip(role, {**values, "extraPackages": {"pip": ["a"]}})["securityContext"] == root
    user = {"container": {"securityContext": {"runAsUser": 5}}, **RELAXED, "extraPackages": {"conda": ["a"]}}
    assert "installs as root" in refusal({role: user})
    user = {
        "podTemplate": {"spec": {"securityContext": {"runAsUser": 5}}},
        **RELAXED,
        "extraPackages": {"conda": ["a"]},
    }
    assert "installs as root" in refusal({role: user})


@every_role
def test_arguments_of_the_users_own(role: str) -> None:
    """Where the chart doesn't write the arguments, pip is left to the image's entrypoint."""
    values = {"container": {"args": ["run.sh"]}, "extraPackages": {"pip": ["a"]}}
    main = container(role, {role: values})
    assert main["args"] == ["run.sh"]
    assert {"name": "EXTRA_PIP_PACKAGES", "value": "a"} in main["env"]
    assert "initContainers" not in pod(role, {role: values})


@every_role
def test_one_place_names_packages(role: str) -> None:
    """A kind that both the key and the variable name is refused."""
    said = refusal({role: {"extraPackages": {"pip": ["a"]}, **_env("EXTRA_PIP_PACKAGES")}})
    assert f"{role}.extraPackages.pip and {role}.env, EXTRA_PIP_PACKAGES both name packages" in said


def test_a_groups_own_packages() -> None:
    """A worker group has the workers' packages, or its own."""
    values = {"worker": {"extraPackages": {"pip": ["a"]}, "groups": {"x": {}, "y": {"extraPackages": {"pip": ["b"]}}}}}
    found = {
        item["metadata"]["labels"]["dask.org/worker-group"]: item["spec"]["template"]["spec"]["initContainers"][0][
            "args"
        ]
        for item in render(values)
        if item["kind"] == "Deployment" and "dask.org/worker-group" in item["metadata"]["labels"]
    }
    assert {group: args[-1] for group, args in found.items()} == {"default": "a", "x": "a", "y": "b"}


def test_the_reaper_has_none() -> None:
    """The reaper, which has the scheduler's values, needs no packages."""
    owner = {"owner": {"name": "mine", "uid": "11111111-2222-3333-4444-555555555555"}, "noClientTimeout": 60}
    values = {
        "scheduler": {"enabled": False, "extraPackages": {"pip": ["a"]}},
        "worker": {"custom_scheduler_url": "tcp://192.0.2.1:1"},
        "lifecycle": owner,
    }
    spec = deployment("reaper", values)["spec"]["template"]["spec"]
    assert "initContainers" not in spec
    (main,) = spec["containers"]
    assert not [item for item in main["env"] if "PACKAGES" in item["name"]]
    assert {mount["name"] for mount in main["volumeMounts"]} <= {volume["name"] for volume in spec["volumes"]}
