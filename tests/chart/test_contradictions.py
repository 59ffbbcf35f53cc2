"""Values that exclude each other are refused by a sentence that names the key to change and the cure."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chart.helm import refusal, render

OWNER = {"owner": {"name": "o", "uid": "5f1b7c1e-8a52-4c6f-9d3c-0a1b2c3d4e5f"}}
TCP = {"tcpSocket": {"port": 1}}


def other(**more: Any) -> list[dict[str, Any]]:
    """One further container."""
    return [{"name": "beside", "image": "a:1", **more}]


#: Either role, and each worker group: what it is told, and what is said after the role's path.
OF_A_ROLE: list[tuple[dict[str, Any], list[str]]] = [
    ({"env": [{"name": "DASKHELM_DASHBOARD", "value": "x"}]}, ["env sets DASKHELM_DASHBOARD", "Leave it out"]),
    ({"envFrom": [], "env": [{"name": "A"}, {"name": "A"}]}, ["env has A twice", "Leave one"]),
    (
        {"resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "2G"}}},
        ["resources.requests.memory is 2Gi, which is above", "resources.limits.memory of 2G", "Lower the request"],
    ),
    (
        {"resources": {"requests": {"cpu": 1.5}, "limits": {"cpu": "1499m"}}},
        ["resources.requests.cpu is 1.5, which is above", "of 1499m", "raise the limit"],
    ),
    (
        {"resources": {"requests": {"nvidia.com/gpu": 1}}},
        ["resources.requests has nvidia.com/gpu", "needs a limit", "Set"],
    ),
    (
        {"resources": {"requests": {"nvidia.com/gpu": 1}, "limits": {"nvidia.com/gpu": 2}}},
        ["resources.requests.nvidia.com/gpu", "differ", "Set both to the same"],
    ),
    ({"resources": {"limits": {"nvidia.com/gpu": "500m"}}}, ["resources has 500m of nvidia.com/gpu", "whole number"]),
    (
        {"resources": {"limits": {"hugepages-2Mi": "3Mi", "memory": "1Gi"}}},
        ["resources.limits.hugepages-2Mi is 3Mi", "so many times 2Mi"],
    ),
    ({"resources": {"limits": {"hugepages-2Mi": "4Mi"}}}, ["resources has hugepages-2Mi, which needs cpu", "Set"]),
    ({"resources": {"claims": [{"name": "gpu"}]}}, ["resources.claims has gpu", "podTemplate.spec.resourceClaims"]),
    ({"mounts": {"volumes": [{"name": "dask-scratch"}]}}, ["mounts.volumes[0].name is dask-scratch", "another name"]),
    ({"mounts": {"volumes": [{"name": "a"}, {"name": "a"}]}}, ["mounts.volumes has a twice", "another name"]),
    (
        {"mounts": {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}},
        ["mounts.volumeMounts[0].name is data, but there is no such volume", "mounts.volumes"],
    ),
    (
        {"mounts": {"volumes": [{"name": "a"}], "volumeMounts": [{"name": "a", "mountPath": "/a"}] * 2}},
        ["mounts.volumeMounts[1].mountPath is /a", "another path"],
    ),
    (
        {"mounts": {"volumes": [{"name": "a"}], "volumeMounts": [{"name": "a", "mountPath": "/etc/dask-tls"}]}},
        ["mounts.volumeMounts[0].mountPath is /etc/dask-tls", "chart's own", "another path"],
    ),
    (
        {
            "mounts": {
                "volumes": [{"name": "a"}],
                "volumeMounts": [{"name": "a", "mountPath": "/a", "mountPropagation": "Bidirectional"}],
            }
        },
        ["mounts.volumeMounts[0].mountPropagation is Bidirectional", "privileged", "Use HostToContainer"],
    ),
    ({"ports": [{"containerPort": 1, "name": "http-dashboard"}]}, ["ports[0].name is http-dashboard", "another name"]),
    (
        {"ports": [{"containerPort": 1}, {"containerPort": 1}]},
        ["ports[1].containerPort is 1/TCP", "ports[0]", "Choose"],
    ),
    (
        {"ports": [{"containerPort": 1, "hostPort": 5}, {"containerPort": 2, "hostPort": 5}]},
        ["ports[1].hostPort is 5/TCP", "ports[0]", "another port"],
    ),
    ({"extraContainers": [*other(), *other()]}, ["extraContainers[1].name is beside", "another name"]),
    ({"initContainers": other(), "extraContainers": other()}, ["extraContainers[0].name is beside", "another name"]),
    ({"extraContainers": other(env=[{"name": "A"}] * 2)}, ["extraContainers[0].env has A twice", "Leave one"]),
    (
        {"extraContainers": other(volumeMounts=[{"name": "x", "mountPath": "/x"}])},
        ["extraContainers[0].volumeMounts[0].name is x", "no such volume"],
    ),
    (
        {"initContainers": other(volumeDevices=[{"name": "x", "devicePath": "/dev/x"}])},
        ["initContainers[0].volumeDevices[0].name is x", "persistentVolumeClaim"],
    ),
    (
        {"extraContainers": other(resources={"requests": {"cpu": 2}, "limits": {"cpu": 1}})},
        ["extraContainers[0].resources.requests.cpu is 2", "Lower the request"],
    ),
    (
        {"extraContainers": other(livenessProbe={})},
        ["extraContainers[0].livenessProbe does not say how", "Give it exec"],
    ),
    (
        {"startupProbe": {"httpGet": None, "exec": {"command": ["true"]}, "successThreshold": 2}},
        ["startupProbe.successThreshold is 2", "Leave it out"],
    ),
    (
        {"readinessProbe": {"terminationGracePeriodSeconds": 5}},
        ["readinessProbe.terminationGracePeriodSeconds is set", "Leave it out"],
    ),
    ({"securityContext": {"runAsUser": 0}}, ["securityContext.runAsUser is 0", "runAsNonRoot to false"]),
    (
        {"containerSecurityContext": {"runAsUser": 0}},
        ["containerSecurityContext.runAsUser is 0", "containerSecurityContext.runAsNonRoot to false"],
    ),
    (
        {"containerSecurityContext": {"privileged": True}},
        ["containerSecurityContext.privileged is true", "allowPrivilegeEscalation to true"],
    ),
    (
        {"containerSecurityContext": {"capabilities": {"add": ["CAP_SYS_ADMIN"]}}},
        ["containerSecurityContext.capabilities.add has CAP_SYS_ADMIN", "leave the capability out"],
    ),
    (
        {
            "topologySpreadConstraints": [
                {"maxSkew": skew, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"} for skew in (1, 2)
            ]
        },
        ["topologySpreadConstraints has two of zone, ScheduleAnyway", "Leave one"],
    ),
    (
        {
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "zone",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "matchLabelKeys": ["app.kubernetes.io/name"],
                }
            ]
        },
        ["topologySpreadConstraints[0].matchLabelKeys has app.kubernetes.io/name", "Leave it out"],
    ),
    ({"image": {"pullSecrets": [{"name": "a"}] * 2}}, ["image.pullSecrets has a twice", "Leave one"]),
]


@pytest.mark.parametrize("path", ["scheduler", "worker.groups.gpu"])
@pytest.mark.parametrize(("values", "words"), OF_A_ROLE)
def test_of_a_role(path: str, values: dict[str, Any], words: list[str]) -> None:
    """What the parts of a pod can't be to each other is refused under the role's own path, in groups as well."""
    for name in reversed(path.split(".")):
        values = {name: values}
    said = refusal(values)
    assert [word for word in [f"{path}.{words[0]}", *words[1:]] if word not in said] == [], said


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"image": {"pullSecrets": [{"name": "a"}] * 2}}, ["image.pullSecrets has a twice"]),
        (
            {"worker": {"env": [{"name": "DASK_SCHEDULER_ADDRESS", "value": "x"}]}},
            ["worker.env sets DASK_SCHEDULER_ADDRESS", "worker.custom_scheduler_url"],
        ),
        (
            {"worker": {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}}},
            ["worker.strategy.rollingUpdate lets neither", "Raise one"],
        ),
        (
            {"worker": {"ports": [{"containerPort": 8790}]}},
            ["worker.ports[0].containerPort is 8790/TCP, which is the chart's own"],
        ),
        ({"scheduler": {"ports": [{"containerPort": 8786}]}}, ["scheduler.ports[0].containerPort is 8786/TCP"]),
        ({"worker": {"livenessProbe": {"periodSeconds": 5}}}, ["worker.livenessProbe does not say how to ask"]),
        (
            {"scheduler": {"podDisruptionBudget": {"minAvailable": 2}}},
            ["scheduler.podDisruptionBudget.minAvailable is 2", "one pod", "Set it to 1"],
        ),
        ({"worker": {"adaptive": {"minimum": 3, "maximum": 2}}}, ["worker.adaptive.minimum is 3, which is above"]),
        ({"worker": {"adaptive": {"enabled": True}}}, ["without a limit", "worker.adaptive.maximum"]),
        (
            {"worker": {"groups": {"gpu": {"adaptive": {"enabled": True, "maximum": 2}}}}, "agent": {"enabled": False}},
            ["worker.groups.gpu.adaptive.enabled is true, but agent.enabled is false"],
        ),
        ({"lifecycle": {"ttl": "1h"}}, ["lifecycle.ttl removes the release through its owner", "lifecycle.owner"]),
        ({"lifecycle": {"owner": {"name": "o"}}}, ["lifecycle.owner.name and lifecycle.owner.uid belong together"]),
        (
            {"lifecycle": {"idleTimeout": "1h"}, "agent": {"enabled": False}},
            ["lifecycle.idleTimeout is set, but agent.enabled is false", "Set agent.enabled"],
        ),
        (
            {"lifecycle": {**OWNER, "ttl": "1h"}, "scheduler": {"enabled": False}},
            ["lifecycle.ttl is set, but scheduler.enabled is false"],
        ),
        ({"scheduler": {"enabled": False}}, ["worker.custom_scheduler_url is empty"]),
    ],
)
def test_of_the_release(values: dict[str, Any], words: list[str]) -> None:
    """What parts of a release can't be to each other is refused by the key to change."""
    said = refusal(values)
    assert [word for word in words if word not in said] == [], said


@pytest.mark.parametrize(
    "values",
    [
        {"resources": {"requests": {"cpu": "1", "memory": "1024Mi"}, "limits": {"cpu": "1000m", "memory": "1Gi"}}},
        {"resources": {"limits": {"nvidia.com/gpu": 1}}},
        {"resources": {"limits": {"hugepages-2Mi": "4Mi", "memory": "1Gi"}}},
        {"mounts": {"volumes": [{"name": "a"}], "volumeMounts": [{"name": "a", "mountPath": "/tmp"}]}},
        {"mounts": {"volumeMounts": [{"name": "dask-scratch", "mountPath": "/more"}]}},
        {"ports": [{"containerPort": 53}, {"containerPort": 53, "protocol": "UDP"}]},
        {"extraContainers": other(ports=[{"containerPort": 8790, "name": "x"}], startupProbe={"grpc": {"port": 8790}})},
        {"livenessProbe": {"httpGet": None, **TCP}, "securityContext": {"runAsNonRoot": None, "runAsUser": 0}},
    ],
)  # fmt: skip
@pytest.mark.parametrize("role", ["scheduler", "worker"])
def test_what_is_near_to_a_contradiction(role: str, values: dict[str, Any]) -> None:
    """What Kubernetes can do is not refused."""
    assert render({role: values})
