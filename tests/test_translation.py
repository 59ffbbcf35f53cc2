"""A pod template as values of the chart: every field is found again, or a sentence tells why not."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_kubernetes_helm import errors
from dask_kubernetes_helm.chartvalues import values
from dask_kubernetes_helm.podtemplates import containers, podmodel, podspec
from dask_kubernetes_helm.podtemplates.translation import Translated, for_scheduler, translate

ROLES = ("worker", "scheduler")
every_role = pytest.mark.parametrize("role", ROLES)
A = "sha256:" + "a" * 64
WORKER = ["dask-worker", "--nthreads", "2"]


def pod(spec: dict[str, Any] | None = None, role: str = "worker", **container: Any) -> dict[str, Any]:
    told = {"image": "ghcr.io/dask/dask:1", "args": [f"dask-{role}"], **container}
    return {"spec": {"containers": [{key: value for key, value in told.items() if value is not None}], **(spec or {})}}


def valued(spec: dict[str, Any] | None = None, role: Any = "worker", **container: Any) -> dict[str, Any]:
    found = translate(pod(spec, role, **container), role)
    assert not found.notes, found.notes
    return found.values


def noted(given: dict[str, Any], role: Any = "worker") -> Translated:
    found = translate(given, role)
    assert len(found.notes) == 1
    assert found.notes[0].endswith(".")
    return found


@every_role
def test_the_least(role: Any) -> None:
    """A template that says nothing leaves all to the chart but the image."""
    image = {"repository": "ghcr.io/dask/dask", "tag": "1", "pullPolicy": "IfNotPresent"}
    assert valued(role=role) == {"image": image}


def test_the_documented_example() -> None:
    """The template of classic's quickstart means to the chart what it says."""
    template = {
        "kind": "Pod",
        "metadata": {"labels": {"foo": "bar"}},
        "spec": {
            "restartPolicy": "Never",
            "containers": [
                {
                    "image": "daskdev/dask:latest",
                    "imagePullPolicy": "IfNotPresent",
                    "args": [*WORKER, "--no-dashboard", "--memory-limit", "6GB", "--death-timeout", "60"],
                    "name": "dask",
                    "env": [{"name": "EXTRA_PIP_PACKAGES", "value": "git+https://github.com/dask/distributed"}],
                    "resources": {"limits": {"cpu": "2", "memory": "6G"}, "requests": {"cpu": "2", "memory": "6G"}},
                }
            ],
        },
    }
    found = translate(template, "worker")
    assert found.values == {
        "podLabels": {"foo": "bar"},
        "image": {"repository": "daskdev/dask", "tag": "latest", "pullPolicy": "IfNotPresent"},
        "env": [{"name": "EXTRA_PIP_PACKAGES", "value": "git+https://github.com/dask/distributed"}],
        "resources": {"limits": {"cpu": "2", "memory": "6G"}, "requests": {"cpu": "2", "memory": "6G"}},
        "extraArgs": ["--no-dashboard"],
        "threads_per_worker": 2,
        "memory_limit": "6000000000",
    }
    assert found.notes == ()
    assert found.death_timeout == 60


def test_what_is_given_is_not_changed() -> None:
    """A translation shares nothing with the template."""
    given = pod({"volumes": [{"name": "a", "emptyDir": {}}]}, args=WORKER, env=[{"name": "A", "value": "1"}])
    before = copy.deepcopy(given)
    translate(given, "worker").values["env"].append("x")
    for_scheduler(given)
    assert given == before


# Metadata -----------------------------------------------------------------------------------------------


def test_labels_and_annotations() -> None:
    """They go to the pods; names are the chart's, and what only the API server sets is nothing."""
    metadata = {"name": "x", "generateName": "y", "namespace": "z", "uid": "1", "labels": {"a": "b"}}
    found = translate({**pod(), "metadata": {**metadata, "annotations": {"c": "d"}}}, "worker")
    assert found.values["podLabels"] == {"a": "b"}
    assert found.values["annotations"] == {"c": "d"}
    assert found.notes == ()


@pytest.mark.parametrize(
    ("metadata", "named"),
    [
        ({"labels": {"app.kubernetes.io/name": "x"}}, "app.kubernetes.io/name"),
        ({"labels": {"helm.sh/chart": "x"}}, "helm.sh/chart"),
        ({"labels": {"dask.org/worker-group": "x"}}, "dask.org/worker-group"),
        ({"finalizers": ["a/b"]}, "finalizers"),
        ({"ownerReferences": [{"name": "x", "uid": "1", "kind": "Pod", "apiVersion": "v1"}]}, "ownerReferences"),
    ],
)
def test_metadata_that_is_left_out(metadata: dict[str, Any], named: str) -> None:
    """What the chart sets itself, and what a Deployment's pods can't have, is told."""
    found = noted({**pod(), "metadata": metadata})
    assert named in found.notes[0]
    assert "podLabels" not in found.values


# Image, environment, mounts -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("dask", {"repository": "dask", "tag": "latest", "pullPolicy": "Always"}),
        ("dask:latest", {"repository": "dask", "tag": "latest", "pullPolicy": "Always"}),
        ("dask:1", {"repository": "dask", "tag": "1", "pullPolicy": "IfNotPresent"}),
        ("a:5000/b/c", {"repository": "a:5000/b/c", "tag": "latest", "pullPolicy": "Always"}),
        ("a.b:5000/c:2", {"repository": "a.b:5000/c", "tag": "2", "pullPolicy": "IfNotPresent"}),
        (f"a/b@{A}", {"repository": "a/b", "digest": A, "pullPolicy": "IfNotPresent"}),
        (f"a/b:1@{A}", {"repository": "a/b", "tag": "1", "digest": A, "pullPolicy": "IfNotPresent"}),
    ],
)
@every_role
def test_image(role: Any, image: str, expected: dict[str, str]) -> None:
    """An image is taken apart, and pulled as Kubernetes would where nothing is said."""
    assert valued(role=role, image=image)["image"] == expected
    own = valued({"imagePullSecrets": [{"name": "s"}]}, role, image=image, imagePullPolicy="Never")["image"]
    assert own == {**expected, "pullPolicy": "Never", "pullSecrets": [{"name": "s"}]}


@pytest.mark.parametrize("image", [None, "", "A B", "a:", "a@sha256:12", "a:b:c"])
def test_no_image(image: str | None) -> None:
    """What names no image is refused."""
    with pytest.raises(errors.PodTemplateError, match="image"):
        translate(pod(image=image), "worker")


def test_variables() -> None:
    """Of a name given twice the last counts, and HOME is the template's to say."""
    env = [{"name": "A", "value": 1}, {"name": "HOME", "value": "/x"}, {"name": "A", "value": 2}]
    found = valued(env=env, envFrom=[{"secretRef": {"name": "s"}}])
    assert found["env"] == [{"name": "HOME", "value": "/x"}, {"name": "A", "value": "2"}]
    assert found["envFrom"] == [{"secretRef": {"name": "s"}}]


def test_the_schedulers_address() -> None:
    """Its variable is the chart's own."""
    assert "env" not in noted(pod(env=[{"name": "DASK_SCHEDULER_ADDRESS", "value": "x"}])).values


def test_quantities_are_spelled_as_the_chart_takes_them() -> None:
    """All that Kubernetes takes for a quantity passes, in a spelling that the chart's schema takes."""
    found = valued(resources={"limits": {"cpu": "500000u", "memory": "1e9", "x.org/y": 2}})
    assert found["resources"] == {"limits": {"cpu": "0.5", "memory": "1e9", "x.org/y": "2"}}


# Beside Dask's container ------------------------------------------------------------------------------------


@every_role
def test_other_containers(role: Any) -> None:
    """Containers after the first one and init containers stay what they are, and get a name where they have none."""
    containers = [*pod(role=role)["spec"]["containers"], {"name": "a", "image": "b"}, {"image": "c", "tty": True}]
    found = translate({"spec": {"containers": containers, "initContainers": [{"image": "d"}]}}, role).values
    assert found["extraContainers"] == [{"name": "a", "image": "b"}, {"name": "dask-2", "image": "c", "tty": True}]
    assert found["initContainers"] == [{"name": "init-0", "image": "d"}]


@every_role
@pytest.mark.parametrize("key", ["containers", "initContainers"])
def test_the_charts_own_name(role: Any, key: str) -> None:
    """No other container can have the name of the chart's."""
    template = pod(role=role)
    template["spec"][key] = [*template["spec"].get(key, []), {"name": role, "image": "b"}]
    with pytest.raises(errors.PodTemplateError, match="another name"):
        translate(template, role)


@pytest.mark.parametrize(
    ("ports", "kept", "notes"),
    [
        ([{"containerPort": 9000, "name": "x"}], [9000], 0),
        ([{"containerPort": 8790}, {"containerPort": 9000}], [9000], 0),
        ([{"containerPort": 8790, "name": "mine"}], [], 1),
        ([{"containerPort": 9000, "name": "http-dashboard"}], [], 1),
        ([{"containerPort": 8790, "protocol": "UDP"}], [8790], 0),
    ],
)
def test_ports(ports: list[dict[str, Any]], kept: list[int], notes: int) -> None:
    """Ports are the chart's and the template's; one that the chart has is not there twice."""
    found = translate(pod(ports=ports), "worker")
    assert [port["containerPort"] for port in found.values.get("ports", [])] == kept
    assert len(found.notes) == notes


PROBE = {"exec": {"command": ["x"]}}


def test_probes() -> None:
    """Given ones count; the scheduler's defaults ask in another way, so they go, and the given one is laid over."""
    assert valued(livenessProbe=PROBE)["livenessProbe"] == PROBE
    found = valued(role="scheduler", livenessProbe=PROBE)
    assert found["livenessProbe"] is None
    assert found["container"] == {"livenessProbe": PROBE}
    assert "startupProbe" not in found


@every_role
def test_readiness_is_the_charts(role: Any) -> None:
    """By readiness the chart tells Kubernetes which pods may go."""
    assert "readinessProbe" not in str(noted(pod(role=role, readinessProbe=PROBE), role).values)


def test_a_prefix_moves_the_health_page() -> None:
    """Where the dashboard has a prefix, the probes ask there."""
    found = valued(role="scheduler", args=["dask-scheduler", "--dashboard-prefix", "/a/"], startupProbe=PROBE)
    assert found["readinessProbe"] == {"httpGet": {"path": "/a/health"}}
    assert found["startupProbe"] is None


# Where pods run -----------------------------------------------------------------------------------------


@every_role
@pytest.mark.parametrize("purpose", ["prefer", "require", "ignore"])
def test_what_the_chart_adds_is_not_there_twice(role: Any, purpose: str) -> None:
    """A cleaned template's tolerations and preference are the chart's own; what is its author's stays."""
    own = {"key": "a", "operator": "Exists"}
    term = {"weight": 1, "preference": {"matchExpressions": [own]}}
    affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [term]}}
    template = podspec.make_pod_from_dict(pod({"tolerations": [own], "affinity": affinity}, role))
    cleaned = podspec.clean_pod_template(template, pod_type=role)
    found = translate(podmodel.plain(cleaned), role, affinity=purpose).values
    assert found["tolerations"] == [own]
    preferred = found["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    # Preferred in so many words, it stays preferred where the chart is told not to.
    assert len(preferred) == (1 if purpose == "prefer" else 2)
    assert found.get("matchNodePurpose", "prefer") == purpose


def test_a_cleaned_template_without_more() -> None:
    """Nothing is left of what clean_pod_template adds."""
    cleaned = podspec.clean_pod_template(podspec.make_pod_spec("a:1"))
    assert {"tolerations", "affinity"}.isdisjoint(translate(podmodel.plain(cleaned), "worker").values)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"nodeSelector": {"a": "b"}}, {"nodeSelector": {"a": "b"}}),
        ({"priorityClassName": "x"}, {"priorityClassName": "x"}),
        ({"terminationGracePeriodSeconds": 0}, {"terminationGracePeriodSeconds": 0}),
        ({"terminationGracePeriodSeconds": 1}, {"terminationGracePeriodSeconds": 1}),
        ({"shareProcessNamespace": False}, {"shareProcessNamespace": False}),
        # Kubernetes refuses both.
        ({"hostPID": True}, {"shareProcessNamespace": False, "podTemplate": {"spec": {"hostPID": True}}}),
        ({"hostNetwork": True, "subdomain": "x"}, {"podTemplate": {"spec": {"hostNetwork": True, "subdomain": "x"}}}),
        ({"serviceAccountName": "me"},
         {"serviceAccountName": "me", "podTemplate": {"spec": {"automountServiceAccountToken": True}}}),
        ({"serviceAccount": "me", "automountServiceAccountToken": False},
         {"serviceAccountName": "me", "podTemplate": {"spec": {"automountServiceAccountToken": False}}}),
    ],
)  # fmt: skip
@every_role
def test_the_rest_of_the_spec(role: Any, spec: dict[str, Any], expected: dict[str, Any]) -> None:
    """A field has the chart's key of its meaning, or is laid over the chart's pod."""
    assert valued(spec, role) == {**valued(role=role), **expected}


def test_a_deployments_pods_are_restarted(caplog: pytest.LogCaptureFixture) -> None:
    """The restart policy is what a Deployment makes it; a log for who wonders tells."""
    with caplog.at_level(logging.DEBUG, "dask_kubernetes_helm"):
        assert "podTemplate" not in valued({"restartPolicy": "Never"})
    assert "restartPolicy" in caplog.text


@pytest.mark.parametrize(
    "spec", [{"activeDeadlineSeconds": 60}, {"ephemeralContainers": [{"name": "a", "image": "b"}]}]
)
def test_what_a_deployment_can_not_have(spec: dict[str, Any]) -> None:
    """It is left out with a sentence that names it."""
    found = noted(pod(spec))
    assert next(iter(spec)) in found.notes[0]
    assert "podTemplate" not in found.values


# Security -----------------------------------------------------------------------------------------------


@every_role
@pytest.mark.parametrize(
    ("spec", "container"),
    [(None, {}), ({}, None), ({"runAsUser": 0}, None), ({"fsGroup": 5}, {"privileged": True})],
)
def test_a_word_of_security_is_the_last_one(role: Any, spec: Any, container: Any) -> None:
    """A template that says anything of security, even nothing, has just that, and the chart's restrictions go."""
    given = {} if spec is None else {"securityContext": spec}
    found = valued(given, role, securityContext=container, initContainers=None)
    assert found["securityContext"] is None
    assert found["containerSecurityContext"] is None
    assert found.get("podTemplate", {}).get("spec", {}).get("securityContext") == spec
    assert found.get("container", {}).get("securityContext") == container


@every_role
@pytest.mark.parametrize("name", ["EXTRA_CONDA_PACKAGES", "EXTRA_APT_PACKAGES"])
def test_packages_that_need_root(role: Any, name: str) -> None:
    """What the official images install as root is allowed to, and a sentence says so."""
    found = noted(pod(role=role, env=[{"name": name, "value": "x"}]), role)
    assert name in found.notes[0]
    assert found.values["containerSecurityContext"] is None
    assert found.values["securityContext"] is None
    assert found.values["container"]["securityContext"] == {"runAsUser": 0, "runAsNonRoot": False}
    assert "securityContext" not in valued(role=role, env=[{"name": name, "value": ""}])
    assert "securityContext" not in valued(role=role, env=[{"name": "EXTRA_PIP_PACKAGES", "value": "x"}])


@every_role
def test_others_run_as_their_images_say(role: Any) -> None:
    """The chart's user is that of its own container where there are others, which it knows nothing of."""
    found = valued({"initContainers": [{"name": "a", "image": "b"}]}, role)
    assert found["securityContext"] == {"runAsNonRoot": None, "runAsUser": None, "runAsGroup": None}
    assert found["containerSecurityContext"] == {"runAsNonRoot": True, "runAsUser": 1000, "runAsGroup": 1000}


# Commands -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "args", "expected"),
    [
        (["/run.sh"], None, {"command": ["/run.sh"], "args": None}),
        (["/run.sh"], ["a"], {"command": ["/run.sh"], "args": ["a"]}),
        (None, ["sleep", "1"], {"args": ["sleep", "1"]}),
    ],
)
def test_a_command_that_is_not_understood(command: Any, args: Any, expected: dict[str, Any]) -> None:
    """It is laid over as it stands, and the preloads reach Dask by its configuration."""
    found = noted(pod(command=command, args=args))
    assert found.values["container"] == expected
    assert found.values["env"] == [
        {
            "name": f"DASK_DISTRIBUTED__{name.upper()}__PRELOAD",
            "value": f'["/etc/dask-kubernetes-helm/dask_kubernetes_helm_{name}.py"]',
        }
        for name in ("worker", "nanny")
    ]


def test_a_schedulers_command_that_is_not_understood() -> None:
    """Likewise, unless the template has preloads of its own."""
    found = noted(pod(role="scheduler", args=["x"]), "scheduler")
    (variable,) = found.values["env"]
    assert variable["name"] == "DASK_DISTRIBUTED__SCHEDULER__PRELOAD"
    assert "dask_kubernetes_helm_scheduler.py" in variable["value"]
    own = {"name": "DASK_DISTRIBUTED__SCHEDULER__PRELOAD", "value": "[]"}
    assert noted(pod(role="scheduler", args=["x"], env=[own]), "scheduler").values["env"] == [own]


def test_cuda_workers_are_told_what_they_take() -> None:
    """It knows neither --death-timeout nor --preload-nanny, so its arguments are written out."""
    found = valued(args=["dask-cuda-worker", "--rmm-pool-size", "1GB"])
    args = found["container"]["args"]
    assert args[:4] == ["dask", "cuda", "worker", "$(DASK_SCHEDULER_ADDRESS)"]
    assert args[-2:] == ["--rmm-pool-size", "1GB"]
    assert {"--name=$(DASKHELM_POD_NAME)", "--dashboard-address=:8790"} < set(args)
    assert not [word for word in args if "death" in word or "nanny" in word or "nthreads" in word]
    assert [variable["name"] for variable in found["env"]] == ["DASK_DISTRIBUTED__NANNY__PRELOAD"]
    assert found["threads_per_worker"] == 1


@pytest.mark.parametrize(
    ("args", "limit", "warned"),
    [
        ("--memory-limit 6GB", "6G", False),
        ("--memory-limit 6GiB", "6G", True),
        ("--memory-limit 6GB", "5Gi", True),
        ("--memory-limit 2GB --nworkers 3", "6G", False),
        ("--memory-limit 2GB --nworkers 4", "6G", True),
        ("--memory-limit auto", "1M", False),
        ("--memory-limit 6GB", None, False),
    ],
)
def test_more_memory_than_there_is(args: str, limit: str | None, warned: bool) -> None:
    """Dask told of more memory than its container gets would be killed before it spills; both figures are named."""
    resources = {"limits": {"memory": limit}} if limit else None
    notes = translate(pod(args=["dask-worker", *args.split()], resources=resources), "worker").notes
    assert len(notes) == warned
    if warned:
        assert f"the container's memory limit is {limit}" in notes[0]


def test_timeouts() -> None:
    """What Dask's own timeouts were meant for is handed on."""
    assert translate(pod(args=["dask-worker", "--death-timeout", "2m"]), "worker").death_timeout == 120
    scheduler = translate(pod(args=["dask-scheduler", "--idle-timeout", "1h"]), "scheduler")
    assert scheduler.idle_timeout == "1h"
    assert "extraArgs" not in scheduler.values


# A scheduler from a worker ------------------------------------------------------------------------------


def test_a_scheduler_from_a_worker() -> None:
    """It is the same pod with the scheduler's command, without what was asked for to compute with."""
    resources = {"limits": {"nvidia.com/gpu": "1", "memory": "6G"}, "requests": {"cpu": "1", "ephemeral-storage": "1G"}}
    template = pod({"nodeSelector": {"a": "b"}}, command=["tini", "--"], args=WORKER, resources=resources)
    template["spec"]["containers"].append({"name": "beside", "image": "x"})
    made = for_scheduler(template)
    dask, beside = made["spec"]["containers"]
    assert "command" not in dask
    assert dask["args"] == ["dask-scheduler"]
    assert dask["resources"] == {"limits": {"memory": "6G"}, "requests": resources["requests"]}
    assert beside == {"name": "beside", "image": "x"}
    assert made["spec"]["nodeSelector"] == {"a": "b"}
    assert translate(made, "scheduler").values["resources"] == dask["resources"]


# Nothing is lost ----------------------------------------------------------------------------------------

#: Types of the models that a template is full of, each with a few values; the rest is built along the models.
SCALARS = {"str": st.sampled_from(["a", "b-1"]), "int": st.integers(1, 9), "bool": st.booleans(), "object": st.just(80)}
CARRIED_OTHERWISE = {
    "spec": {"containers", "restartPolicy", "activeDeadlineSeconds", "ephemeralContainers"},
    "container": {"name", "command", "args", "image", "readinessProbe", "ports", "resources", "env", "imagePullPolicy"},
}


def built(kind: str, depth: int) -> st.SearchStrategy[Any]:
    container, inner = podmodel._inner(kind)
    if container is list:
        return st.lists(built(inner, depth), min_size=1, max_size=2)
    if container is dict:
        return st.dictionaries(st.sampled_from(["x", "y"]), built(inner, depth), min_size=1)
    if inner in SCALARS:
        return SCALARS[inner]
    if depth == 0:
        return st.just({})
    fields = podmodel._fields(inner)
    optional = {key: built(fields[key], depth - 1) for key in fields if not fields[key].endswith("datetime")}
    return st.fixed_dictionaries({}, optional=optional)


def fields(kind: str, without: set[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.sampled_from([key for key in podmodel.attributes(kind) if key not in without]).flatmap(
        lambda key: built(podmodel._fields(kind)[key], 2).map(lambda value: {key: value})
    )


def leaves(item: Any) -> Iterator[Any]:
    if isinstance(item, dict):
        for key, value in item.items():
            yield from ((key, *rest) for rest in leaves(value)) if value != {} else [(key, "{}")]
    elif isinstance(item, list):
        for value in item:
            yield from leaves(value)
    else:
        yield (item,)


def found_in(leaf: tuple[Any, ...], all_leaves: set[tuple[Any, ...]]) -> bool:
    """Whether a leaf is there, below whatever key."""
    return any(other[-len(leaf) :] == leaf for other in all_leaves)


@given(
    st.lists(fields("V1PodSpec", CARRIED_OTHERWISE["spec"]), max_size=5),
    st.lists(fields("V1Container", CARRIED_OTHERWISE["container"]), max_size=5),
    st.sampled_from(ROLES),
)
def test_no_field_is_lost(spec: list[dict[str, Any]], container: list[dict[str, Any]], role: Any) -> None:
    """Each leaf of a pod is found in the values, under its own name or under the chart's for it."""
    template = pod(values.merge(*spec), role, **values.merge(*container))
    template = podmodel.plain(template)
    found = translate(template, role)
    for one in template["spec"].get("initContainers", ()):
        containers.without_twins(one, [])  # twins go, as server-side apply refuses them
    there = set(leaves(found.values))
    renamed = {"serviceAccount": "serviceAccountName", "imagePullSecrets": "pullSecrets"}
    whole, dask = template["spec"], template["spec"].pop("containers")[0]
    if whole.get("serviceAccountName"):
        whole.pop("serviceAccount", None)
    if whole.get("hostPID"):
        whole.pop("shareProcessNamespace", None)
    for key in ("image", "args"):
        del dask[key]
    for part in (whole, dask):
        for leaf in leaves({key: value for key, value in part.items() if value != {}}):
            assert found_in((renamed.get(leaf[0], leaf[0]), *leaf[1:]), there), leaf
