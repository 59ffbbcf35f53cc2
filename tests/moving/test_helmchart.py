"""Values of dask/helm-chart as values of the chart."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from dask_kubernetes_helm.moving.target import Target
from tests.moving.convert import assert_accounted, bare, file, lost, mapping, notes, target, why

#: What any file has that says nothing of them: the dashboard's port there, and the notebook that is there by default.
ALWAYS = {"webUI": {"servicePort": 80}}


def values(worker: dict[str, Any] | None = None, **top: Any) -> dict[str, Any]:
    """What a few keys become, without what any file has."""
    found = copy.deepcopy(mapping({"worker": worker or {}, **top}, "helm-chart").values)
    assert found.pop("webUI") == ALWAYS["webUI"]
    return found


def test_documented_defaults() -> None:
    """They come to the image's tag and the dashboard's port, and all that is reported is the notebook."""
    converted = file("helm-chart-defaults.yaml")
    assert converted.values == {"image": {"tag": "2025.11.0"}, **ALWAYS}
    assert lost(converted) == ["jupyter"]
    assert notes(converted) == []
    assert "HelmCluster.from_name" in why(converted, "jupyter")
    assert_accounted(converted)


def test_a_file_that_says_nothing_has_the_same_meaning() -> None:
    """The defaults of dask/helm-chart that differ are taken in: the port, the notebook, the chart's own image tag."""
    converted = mapping({"worker": {"replicas": 3}})
    assert converted.values == ALWAYS
    assert lost(converted) == ["jupyter.enabled"]
    assert notes(converted) == [""]


def test_what_users_change() -> None:
    """A file with most keys keeps their meaning; what can't be kept is told with its line."""
    converted = file("helm-chart.yaml")
    assert_accounted(converted)
    worker, scheduler = converted.values["worker"], converted.values["scheduler"]
    assert converted.values["fullnameOverride"] == "analytics"
    assert converted.values["image"] == {"tag": "2025.11"}
    assert worker["image"] == {"pullSecrets": [{"name": "registry"}]}
    assert (worker["replicas"], worker["threads_per_worker"], worker["strategy"]) == (5, 2, {"type": "Recreate"})
    assert worker["resources"] == {"limits": {"cpu": "500m", "memory": "8Gi"}, "requests": {"cpu": "500m"}}
    assert worker["env"][0] == {"name": "DASK_DISTRIBUTED__WORKER__MEMORY__SPILL", "value": "0.8"}
    assert worker["extraArgs"] == ["--worker-port", "4040"]
    assert worker["mounts"]["volumeMounts"] == [{"name": "data", "mountPath": "/data"}]
    assert converted.values["lifecycle"] == {"idleTimeout": "3600"}
    assert scheduler["loadBalancerIP"] == "10.0.0.1"
    assert lost(converted) == [
        "scheduler.extraArgs[2]",
        "scheduler.metrics.serviceMonitor",
        "webUI.ingress",
        "worker.default_resources.cpu",
        "worker.readinessProbe",
    ]
    assert [finding.line for finding in converted.lost] == [8, 11, 13, 19, 32]


def test_security_is_taken_whole() -> None:
    """Beside a security context of the file the chart's own would be a pod that never starts."""
    found = values({"securityContext": {"runAsUser": 0}})["worker"]
    assert found["securityContext"] is None
    assert found["containerSecurityContext"] is None
    assert found["podTemplate"]["spec"]["securityContext"] == {"runAsUser": 0}


def test_packages_that_need_root() -> None:
    """What EXTRA_APT_PACKAGES needs is relaxed, and told."""
    converted = mapping({"worker": {"env": [{"name": "EXTRA_APT_PACKAGES", "value": "vim"}]}})
    assert converted.values["worker"]["containerSecurityContext"] is None
    assert "worker.env[0]" in notes(converted)


def test_a_named_account_keeps_its_token() -> None:
    """Who names an account wants what it may do, which the chart gives to no pod by itself."""
    found = values({"serviceAccountName": "s3"})["worker"]
    assert found == {
        "serviceAccountName": "s3",
        "podTemplate": {"spec": {"automountServiceAccountToken": True}},
    }


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--nthreads", "4"], {"threads_per_worker": 4}),
        (["--nthreads=4", "--no-nanny"], {"threads_per_worker": 4, "nanny": False}),
        (["--resources", "GPU=2"], {"daskResources": {"GPU": 2}}),
        (["--memory-limit", "4GB"], {"memory_limit": "4000000000"}),
        (["--lifetime", 3600], {"extraArgs": ["--lifetime", "3600"]}),
    ],
)
def test_arguments_become_keys(arguments: list[Any], expected: dict[str, Any]) -> None:
    """What an extra argument says has a key of the chart, where there is one."""
    assert values({"extraArgs": arguments}) == {"worker": expected}


def test_another_scheduler() -> None:
    """Workers without a scheduler of their own."""
    found = values({"custom_scheduler_url": "tcp://elsewhere:8786"}, scheduler={"enabled": False})
    assert found == {"scheduler": {"enabled": False}, "worker": {"custom_scheduler_url": "tcp://elsewhere:8786"}}


def test_images() -> None:
    """What both roles say alike is said once; what differs stays each one's own."""
    same = {"repository": "example.com/dask", "tag": "1"}
    assert values({"image": same}, scheduler={"image": same}) == {"image": same}
    found = values({"image": {"tag": "2", "repository": "r"}}, scheduler={"image": {"tag": "1", "repository": "r"}})
    assert found == {
        "image": {"repository": "r"},
        "scheduler": {"image": {"tag": "1"}},
        "worker": {"image": {"tag": "2"}},
    }
    assert values({"image": {"tag": "2"}}) == {"worker": {"image": {"tag": "2"}}}


@pytest.mark.parametrize("replicas", [0, 2])
def test_one_scheduler(replicas: int) -> None:
    """Another number of schedulers than one is refused with what to do."""
    converted = mapping({"scheduler": {"replicas": replicas}})
    assert "scheduler.replicas" in lost(converted)
    assert "scheduler.enabled" in why(converted, "scheduler.replicas")


def test_groups_inherit_as_they_did() -> None:
    """A group says what differs from the worker; that 0 pods were lost there is told."""
    converted = file("helm-chart.yaml")
    found = converted.values["worker"]["groups"]
    assert found == {
        "gpu-big": {
            "replicas": 0,
            "daskResources": {"GPU": 1},
            "image": {"tag": "7"},
            "resources": {"limits": {"nvidia.com/gpu": "1"}},
            "nodeSelector": {"accelerator": "a100"},
        },
        "hi-mem": {"threads_per_worker": 4, "resources": {"limits": {"memory": "64Gi"}}},
    }
    assert [place for place in notes(converted) if place.startswith("additional")] == [
        "additional_worker_groups[0].name",
        "additional_worker_groups[0].replicas",
    ]


def test_groups_names() -> None:
    """Names that the chart can't have are changed, each to another."""
    given = [{"name": name, "replicas": 1} for name in ("a", "A", "default", "x" * 30, "1st")] + [{"replicas": 1}]
    found = values(additional_worker_groups=given)["worker"]["groups"]
    assert list(found) == ["a", "a-2", "default-2", "x" * 20, "group-1st", "group"]


def test_a_key_that_only_this_chart_has() -> None:
    """It is carried, and told, as it had no effect there."""
    converted = mapping({"worker": {"nanny": False}, "agent": {"enabled": False}})
    assert converted.values == {**ALWAYS, "worker": {"nanny": False}, "agent": {"enabled": False}}
    assert {"worker.nanny", "agent"} <= set(notes(converted))


def test_keys_that_nobody_knows() -> None:
    """They are reported where they stand, by themselves."""
    given = {"worker": {"replcias": 3, "mounts": {"volume": []}, "image": {"name": "x"}}, "sheduler": {"replicas": 1}}
    converted = mapping(given, "helm-chart")
    assert {"worker.replcias", "worker.image.name", "sheduler"} <= set(lost(converted))
    assert_accounted(converted)


@pytest.mark.parametrize(
    ("worker", "place"),
    [
        ({"replicas": "many"}, "worker.replicas"),
        ({"replicas": -1}, "worker.replicas"),
        ({"portDashboard": 99999}, "worker.portDashboard"),
        ({"image": {"tag": "a b"}}, "worker.image.tag"),
        ({"tolerations": [{"key": "a", "operater": "Exists"}]}, "worker.tolerations[0].operater"),
        ({"securityContext": {"runasuser": 0}}, "worker.securityContext.runasuser"),
    ],
)
def test_values_that_the_chart_refuses(worker: dict[str, Any], place: str) -> None:
    """They are reported with their place, and what is printed is without them."""
    converted = mapping({"worker": {"threads_per_worker": 2, **worker}})
    assert place in lost(converted)
    assert converted.values["worker"]["threads_per_worker"] == 2
    assert target().violations(converted.values) == []
    assert_accounted(converted)


def test_a_type_that_kubernetes_refuses_names_the_key() -> None:
    """What is no list of variables can't be read as one."""
    with pytest.raises(ValueError, match=r"given\.yaml: worker\.env is a mapping, where Kubernetes has a list"):
        mapping({"worker": {"env": {"A": "1"}}})


def test_parts_that_are_off_say_nothing() -> None:
    """Settings of what is switched off are no loss."""
    off = {"enabled": False, "hostname": "x", "serviceMonitor": {"interval": "1s"}}
    given = {"webUI": {"ingress": off}, "scheduler": {"metrics": off}, "worker": {"metrics": off}, "jupyter": off}
    assert lost(mapping(given)) == []


def test_monitors() -> None:
    """Monitors read the same as there, and have the labels by which the same Prometheus chooses them."""
    common = {
        "enabled": True,
        "namespace": "monitoring",
        "additionalLabels": {"release": "prometheus"},
        "jobLabel": "app",
    }
    own = {"interval": "1m", "targetLabels": ["team"], "metricRelabelings": [{"action": "labeldrop", "regex": "pod"}]}
    given = {
        "scheduler": {
            "metrics": {"enabled": True, "serviceMonitor": {**common, **own, "namespaceSelector": {"any": True}}}
        },
        "worker": {"metrics": {"enabled": True, "podMonitor": {**common, "podTargetLabels": ["team"]}}},
    }
    converted = mapping(given, "helm-chart", target())
    assert_accounted(converted)
    kept = {"enabled": True, "namespace": "monitoring", "labels": {"release": "prometheus"}, "jobLabel": "app"}
    assert converted.values["metrics"] == {
        "serviceMonitor": {**kept, **own},
        "podMonitor": {**kept, "interval": "30s", "podTargetLabels": ["team"]},
    }
    assert lost(converted) == ["scheduler.metrics.serviceMonitor.namespaceSelector"]
    assert "worker.metrics.podMonitor.podTargetLabels" in notes(converted)
    assert target().violations(converted.values) == []


def closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def grown(schema: dict[str, Any], defaults: dict[str, Any]) -> Target:
    """The bare chart with more parts."""
    found = replace(bare(), schema=copy.deepcopy(dict(bare().schema)), defaults=copy.deepcopy(dict(bare().defaults)))
    for key, part in schema.items():
        found.schema["properties"].setdefault(key, closed())["properties"] |= part
        found.defaults.setdefault(key, {}).update(defaults[key])  # type: ignore[attr-defined]
    return found


INGRESS = {
    "enabled": False,
    "className": "",
    "hosts": [],
    "pathType": "Prefix",
    "tls": {"enabled": False, "secretName": ""},
}
INGRESS_SCHEMA = closed(
    enabled={"type": "boolean"},
    className={"type": "string"},
    hosts={"type": "array", "items": {"type": "string"}},
    pathType={"type": "string"},
    tls=closed(enabled={"type": "boolean"}, secretName={"type": "string"}),
)
OWN = {"name": "OWN", "value": "0"}
UNITS = {
    "securityContext": {"runAsNonRoot": True},
    "containerSecurityContext": {"readOnlyRootFilesystem": True},
    "readinessProbe": {"httpGet": {"path": "/api"}},
}
GROWN = grown(
    {
        "webUI": {"ingress": INGRESS_SCHEMA},
        "jupyter": {
            "enabled": {"type": "boolean"},
            "servicePort": {"type": "integer"},
            "rbac": closed(create={"type": "boolean"}),
            "env": {"type": "array", "items": {"type": "object"}},
            **{key: {"type": ["object", "null"]} for key in ("container", "podTemplate", *UNITS)},
            "serviceAccountName": {"type": "string"},
            "ingress": INGRESS_SCHEMA,
        },
    },
    {
        "webUI": {"ingress": INGRESS},
        "jupyter": {
            "enabled": False,
            "servicePort": 8888,
            "rbac": {"create": True},
            "env": [OWN],
            "ingress": INGRESS,
            **UNITS,
        },
    },
)


def test_a_jupyter_that_the_chart_has() -> None:
    """It is on by default there, so it is on; what the chart has is carried by either name, and the rest reported."""
    given = {
        "name": "jupyter",
        "rbac": False,
        "password": "sha1:1",
        "env": [{"name": "A", "value": "1"}],
        "serviceAccountName": "dask-jupyter",
        "ingress": {"enabled": True, "hostname": "lab.example.com", "tls": True, "secretName": "cert"},
    }
    converted = mapping({"jupyter": given}, chart=GROWN)
    assert_accounted(converted)
    assert converted.values["jupyter"] == {
        "enabled": True,
        "servicePort": 80,
        "rbac": {"create": False},
        "env": [OWN, {"name": "A", "value": "1"}],
        "ingress": {"enabled": True, "hosts": ["lab.example.com"], "tls": {"enabled": True, "secretName": "cert"}},
    }
    assert lost(converted) == ["jupyter.password"]
    assert "jupyter.token" in why(converted, "jupyter.password")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"enabled": True, "servicePort": 80}),
        ({"jupyter": {"servicePort": 8888, "ingress": {"enabled": False, "hostname": "x"}}}, {"enabled": True}),
        ({"jupyter": {"enabled": False, "servicePort": 80}}, None),
        ({"jupyter": {"serviceAccountName": "me"}}, {"enabled": True, "servicePort": 80, "serviceAccountName": "me"}),
    ],
)
def test_a_jupyter_by_default(given: dict[str, Any], expected: Any) -> None:
    """What a file does not say is what dask/helm-chart has: a notebook at port 80."""
    converted = mapping({"worker": {"replicas": 3}, **given}, chart=GROWN)
    assert converted.values.get("jupyter") == expected
    assert lost(converted) == []


def test_a_jupyter_that_is_to_run_as_root() -> None:
    """A security context or a probe of the file takes the place of the chart's own, rather than being mixed with it."""
    given = {"securityContext": {"runAsUser": 0}, "readinessProbe": {"exec": {"command": ["true"]}}}
    found = mapping({"jupyter": given}, chart=GROWN).values["jupyter"]
    assert found["securityContext"] is None
    assert found["containerSecurityContext"] is None
    assert found["readinessProbe"] is None
    assert found["podTemplate"] == {"spec": {"securityContext": {"runAsUser": 0}}}
    assert found["container"] == {"readinessProbe": {"exec": {"command": ["true"]}}}


def test_an_ingress_that_the_chart_has() -> None:
    """The dashboard's Ingress has the same host, class and certificate."""
    given = {
        "enabled": True,
        "hostname": "a.example.com",
        "ingressClassName": "nginx",
        "tls": False,
        "pathType": "Exact",
    }
    converted = mapping({"webUI": {"ingress": given}, "jupyter": {"enabled": False}}, chart=GROWN)
    assert converted.values["webUI"]["ingress"] == {
        "enabled": True,
        "className": "nginx",
        "hosts": ["a.example.com"],
        "pathType": "Exact",
    }
    assert lost(converted) == []


def test_what_differs_by_default_is_told() -> None:
    """Where this chart encrypts or keeps clients out by default, who moves is told, unless the file says so itself."""
    tls = grown({"tls": {"enabled": {"type": "boolean"}}}, {"tls": {"enabled": True}})
    told = [finding.path for finding in mapping({"worker": {"replicas": 2}}, chart=tls).findings if not finding.lost]
    assert ("tls", "enabled") in told
    assert "certificates" not in str(mapping({"tls": {"enabled": False}}, "helm-chart", tls).findings)


def test_daskhub() -> None:
    """A gateway's backend becomes scheduler and workers; hub and gateway are reported with what takes their place."""
    backend = {
        "image": {"name": "example.com/dask", "tag": "1"},
        "environment": {"A": "1"},
        "worker": {
            "cores": {"limit": 4, "request": 2},
            "memory": {"limit": "8 GiB"},
            "threads": 4,
            "extraPodConfig": {"nodeSelector": {"pool": "dask"}},
            "extraContainerConfig": {"workingDir": "/work"},
        },
    }
    given = {
        "rbac": {"enabled": True},
        "jupyterhub": {"singleuser": {"image": {"tag": "1"}}},
        "dask-gateway": {"enabled": True, "gateway": {"prefix": "/services/dask-gateway", "backend": backend}},
        "dask-kubernetes": {"enabled": False},
    }
    converted = mapping(given)
    assert converted.kind == "daskhub"
    assert converted.values == {
        "image": {"repository": "example.com/dask", "tag": "1"},
        "scheduler": {"env": [{"name": "A", "value": "1"}]},
        "worker": {
            "threads_per_worker": 4,
            "env": [{"name": "A", "value": "1"}],
            "container": {"workingDir": "/work"},
            "resources": {"limits": {"cpu": "4", "memory": "8Gi"}, "requests": {"cpu": "2"}},
            "nodeSelector": {"pool": "dask"},
        },
    }
    assert lost(converted) == ["rbac", "jupyterhub", "dask-gateway", "dask-kubernetes"]
    assert_accounted(converted)
