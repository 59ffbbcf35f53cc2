"""What code and configuration written for classic dask-kubernetes find: names, arguments in their order, keys."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import dask.config
import pytest
import yaml
from distributed.security import Security

import dask_kubernetes_helm
from dask_kubernetes_helm import KubeCluster, config, errors
from dask_kubernetes_helm.fronts.hosting import RemoteScheduler
from dask_kubernetes_helm.fronts.locally import LocalScheduler

TEMPLATE: dict[str, Any] = {"spec": {"containers": [{"image": "ghcr.io/dask/dask:1", "args": ["dask-worker"]}]}}
#: In the order in which they may be given without their names.
OF_2020 = [
    "pod_template",
    "name",
    "namespace",
    "n_workers",
    "host",
    "port",
    "env",
    "auth",
    "idle_timeout",
    "deploy_mode",
    "interface",
    "protocol",
    "dashboard_address",
    "security",
    "scheduler_service_wait_timeout",
    "scheduler_pod_template",
]
OF_2022 = [
    *OF_2020[:-1],
    "scheduler_service_name_resolution_retries",
    "scheduler_pod_template",
    "apply_default_affinity",
]
#: Of Dask's SpecCluster, which classic's class was.
OF_DASK = ["asynchronous", "loop", "silence_logs", "shutdown_on_close"]
DEFAULTS = {
    "name": "dask-{user}-{uuid}",
    "namespace": None,
    "count": {"start": 0, "max": None},
    "host": "0.0.0.0",
    "port": 0,
    "env": {},
    "idle-timeout": None,
    "deploy-mode": "remote",
    "interface": None,
    "protocol": "tcp://",
    "dashboard_address": ":8787",
    "scheduler-service-type": "ClusterIP",
    "scheduler-service-wait-timeout": 30,
    "scheduler-service-name-resolution-retries": 20,
    "worker-name": None,
    "worker-template-path": None,
    "worker-template": {},
    "scheduler-template": {},
    "scheduler-template-path": None,
}


@pytest.fixture
async def made() -> AsyncIterator[Callable[..., KubeCluster]]:
    """Makes clusters that are never started."""
    clusters: list[KubeCluster] = []

    def make(*places: Any, **told: Any) -> KubeCluster:
        clusters.append(KubeCluster(*places, **{"asynchronous": True, **told}))
        return clusters[-1]

    yield make
    for cluster in clusters:
        await cluster.close()


# Names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "KubeCluster", "HelmCluster", "ClusterAuth", "KubeAuth", "KubeConfig", "InCluster", "make_pod_spec",
        "make_pod_from_dict", "clean_pod_template", "config",
    ],
)  # fmt: skip
def test_names_of_the_package(name: str) -> None:
    """What classic's users import is there, by a star as well."""
    assert name in dask_kubernetes_helm.__all__
    assert getattr(dask_kubernetes_helm, name).__name__.rpartition(".")[2] == name


def test_other_names_of_the_package() -> None:
    """A name that is not there is an AttributeError, as Python's own machinery expects."""
    with pytest.raises(AttributeError, match="Kubecluster"):
        dask_kubernetes_helm.Kubecluster  # noqa: B018


@pytest.mark.parametrize(
    "name",
    [
        "from_yaml", "from_dict", "scale", "scale_up", "scale_down", "adapt", "get_logs", "logs", "pods",
        "workers", "close", "name", "scheduler_address", "dashboard_link", "scheduler_comm", "scheduler", "sync",
        "namespace", "plan", "requested", "observed", "__enter__", "__exit__", "__aenter__", "__aexit__", "__await__",
    ],
)  # fmt: skip
def test_members(name: str) -> None:
    """What classic's users call, with and without a running loop, is there."""
    known = {member for kind in KubeCluster.__mro__ for member in (*vars(kind), *getattr(kind, "__annotations__", ()))}
    assert name in known | {"name", "scheduler_comm"}


# Arguments ----------------------------------------------------------------------------------------------


def parameters(kind: Any = None) -> list[str]:
    found = inspect.signature(KubeCluster).parameters.values()
    return [item.name for item in found if kind is None or item.kind == kind]


def test_the_order_of_arguments() -> None:
    """Given without their names arguments are 2022's; what 2020 had in the sixteenth place is told by its type."""
    assert parameters(inspect.Parameter.POSITIONAL_OR_KEYWORD) == OF_2022
    assert parameters()[: len(OF_2020) - 1] == OF_2020[:-1]


def test_the_union_of_arguments() -> None:
    """All arguments of both years are there, and nothing is needed."""
    assert {*OF_2020, *OF_2022} <= set(parameters())
    rest = set(parameters()) - {*OF_2020, *OF_2022}
    assert rest == {"scheduler_service_type", "match_node_purpose", "kwargs"}
    for item in inspect.signature(KubeCluster).parameters.values():
        assert item.kind == inspect.Parameter.VAR_KEYWORD or item.default is None


def test_every_argument_is_documented() -> None:
    """The docstring has each argument, in the order of the signature."""
    said = inspect.getdoc(KubeCluster) or ""
    places = [said.find(f"\n{name} : ") for name in parameters()[:-1]]
    assert [name for name, place in zip(parameters(), places, strict=False) if place < 0] == []
    assert places == sorted(places)


async def test_all_in_their_places(made: Any) -> None:
    """Arguments without names end where their names would have put them."""
    template = {"spec": {"containers": [{"image": "r/scheduler"}]}}
    auth = object()
    places = [TEMPLATE, "a-name", "lab", 3, None, None, {"A": "1"}, auth, "1h", "remote", None, None, None, None, 5]
    for rest in ([template], [None, template, "none"], [7, template, "none"]):
        told = made(*places, *rest)._arguments
        assert (told.pod_template, told.namespace, told.n_workers, told.env) == (TEMPLATE, "lab", 3, {"A": "1"})
        assert (told.idle_timeout, told.deploy_mode, told.auth) == ("1h", "remote", auth)
        assert told.scheduler_pod_template == template
        assert told.affinity == ("ignore" if "none" in rest else "prefer")


@pytest.mark.parametrize("retries", [0, -1, True, 1.5, "many"])
async def test_retries_that_are_none(made: Any, retries: Any) -> None:
    """What is no number of retries, nor a template in 2020's place, is refused when it is given, or as a template."""
    with pytest.raises(errors.HelmClusterError):
        made(TEMPLATE, scheduler_service_name_resolution_retries=retries)._arguments.plan("demo")


@pytest.mark.parametrize(
    ("given", "nearest"),
    [
        ({"n_worker": 3}, "n_workers"),
        ({"pod_templates": 3}, "pod_template"),
        ({"namspace": "x"}, "namespace"),
        ({"deploymode": "local"}, "deploy_mode"),
        ({"shutdown_on_exit": True}, "shutdown_on_close"),
        ({"asynchronus": True}, "asynchronous"),
        ({"scheduler_pod_spec": None}, "scheduler_pod_template"),
    ],
)
async def test_unknown_keywords(given: dict[str, Any], nearest: str) -> None:
    """A keyword that there isn't is a TypeError, as Python's own, and names the nearest and all that there are."""
    (word,) = given
    with pytest.raises(TypeError, match=f"no argument '{word}'; did you mean '{nearest}'") as caught:
        KubeCluster(TEMPLATE, asynchronous=True, **given)
    assert isinstance(caught.value, errors.InvalidTypeError)
    said = str(caught.value)
    assert [name for name in {*OF_2022, *OF_DASK, "match_node_purpose"} if name not in said] == []
    assert "kwargs" not in said


@pytest.mark.parametrize("keyword", [*OF_DASK, "quiet", "timeout", "chart"])
async def test_keywords_of_dask(made: Any, keyword: str) -> None:
    """What SpecCluster took, and what HelmCluster has, is taken."""
    given = {"asynchronous": True, "silence_logs": False, "shutdown_on_close": False, "quiet": True, "timeout": "1m"}
    made(TEMPLATE, **{keyword: given.get(keyword)})


# From files and mappings --------------------------------------------------------------------------------


async def test_other_ways_to_make_one(made: Any, tmp_path: Path) -> None:
    """from_yaml and from_dict are the constructor with a template, and take all its arguments."""
    path = tmp_path / "worker-spec.yml"
    path.write_text(yaml.safe_dump(TEMPLATE))
    told = {"asynchronous": True, "n_workers": 2, "namespace": "lab"}
    clusters = [
        KubeCluster.from_yaml(str(path), **told),
        KubeCluster.from_yaml(path, **told),
        KubeCluster.from_dict(TEMPLATE, **told),
        made(TEMPLATE, **told),
        made(str(path), **told),
    ]
    expected = TEMPLATE["spec"]["containers"][0]["args"]
    for cluster in clusters:
        arguments = cluster._arguments
        assert (arguments.n_workers, arguments.namespace) == (2, "lab")
        assert arguments.template()["spec"]["containers"][0]["args"] == expected
        await cluster.close()


# What is configured -------------------------------------------------------------------------------------


async def test_configuration_counts_where_no_argument_is(made: Any) -> None:
    """Each key is the default of its argument, and an argument comes before it, 0 and empty included."""
    configured = {
        "namespace": "from-config",
        "count.start": 4,
        "env": {"A": "config"},
        "idle-timeout": "2h",
        "deploy-mode": "remote",
        "scheduler-service-type": "NodePort",
        "worker-name": "from-{uuid}-config",
    }
    with dask.config.set({f"kubernetes.{key}": value for key, value in configured.items()}):
        told, named = made(TEMPLATE)._arguments, made(TEMPLATE)
        assert (told.namespace, told.n_workers, told.env) == ("from-config", 4, {"A": "config"})
        assert (told.idle_timeout, told.service_type) == ("2h", "NodePort")
        assert named.name.startswith("from-")
        given = {"namespace": "lab", "n_workers": 0, "env": {}, "scheduler_service_type": "LoadBalancer", "name": "own"}
        cluster = made(TEMPLATE, **given)
        told = cluster._arguments
        assert (told.namespace, told.n_workers, told.env, told.service_type) == ("lab", 0, {}, "LoadBalancer")
        assert cluster.name == "own"


async def test_names(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """kubernetes.name is the default, kubernetes.worker-name comes before it, and any text becomes a name."""
    monkeypatch.setenv("TEAM", "Geo_1")
    with dask.config.set({"kubernetes.name": "first"}):
        assert made(TEMPLATE).name == "first"
        with dask.config.set({"kubernetes.worker-name": "second"}):
            assert made(TEMPLATE).name == "second"
    assert made(TEMPLATE, name="{TEAM}-x").name.startswith("geo-1-x-")


@pytest.mark.parametrize(("mode", "host"), [("remote", RemoteScheduler), ("local", LocalScheduler)])
async def test_where_the_scheduler_is(made: Any, mode: str, host: type) -> None:
    """deploy_mode chooses where the scheduler runs, and certificates are Dask's Client's as well."""
    security = Security.temporary()
    cluster = made(TEMPLATE, deploy_mode=mode, security=security, dashboard_address=":0" if mode == "local" else None)
    assert type(cluster._host) is host
    assert cluster.security is security
    assert made(TEMPLATE, deploy_mode=mode, security=False).security is None


@pytest.mark.parametrize(
    ("told", "error", "words"),
    [
        ({"deploy_mode": "locl"}, RuntimeError, "Unknown deploy mode 'locl'"),
        ({"security": "x"}, RuntimeError, "Security object is not a valid"),
        ({"n_workers": -1}, ValueError, "n_workers is -1"),
        ({"n_workers": 1.5}, TypeError, "n_workers"),
        ({"apply_default_affinity": "prefer"}, ValueError, "Attribute must be one of"),
        ({"scheduler_service_type": "Ingress"}, ValueError, "'Ingress'"),
        ({"timeout": "soon"}, ValueError, "timeout"),
        ({"deploy_mode": "local", "protocol": "ucx://"}, ValueError, "protocol"),
        ({"deploy_mode": "local", "protocol": "tls://", "security": False}, ValueError, "no certificates"),
        ({"name": "{NOBODY_HAS_THIS}"}, ValueError, "NOBODY_HAS_THIS"),
        ({"name": 3}, TypeError, "name"),
        ({"env": ["A"]}, (TypeError, ValueError), "env"),
    ],
)
async def test_what_can_not_be_meant(told: dict[str, Any], error: Any, words: str) -> None:
    """What can be judged is refused at once, before anything is started, by an error of ours."""
    with pytest.raises(error, match=words) as caught:
        KubeCluster(TEMPLATE, asynchronous=True, **told)
    assert isinstance(caught.value, errors.HelmClusterError)


async def test_arguments_of_a_local_scheduler(made: Any) -> None:
    """What is meant for a scheduler in this process is told not to count for a remote one, by name."""
    with pytest.warns(errors.TemplateWarning, match=r"^host, port, interface, protocol, dashboard_address: not used"):
        made(TEMPLATE, host="h", port=1, interface="eth0", protocol="tcp://", dashboard_address=":0")


# Keys ---------------------------------------------------------------------------------------------------


def shipped() -> dict[str, Any]:
    """The package's own defaults, whatever the user's files say."""
    return dict(yaml.safe_load(config._PATH.read_text())["kubernetes"])


def test_keys_of_the_configuration() -> None:
    """All of classic's keys are there with classic's defaults, under its names, the one with an underscore included."""
    assert {key: shipped()[key] for key in DEFAULTS} == DEFAULTS


def test_the_configured_service() -> None:
    """The Service's template is there to be added to; its selector and ports are the chart's own."""
    assert shipped()["scheduler-service-template"] == {}


def test_the_configured_budget() -> None:
    """The PodDisruptionBudget keeps one scheduler, as in 2022."""
    budget = shipped()["scheduler-pdb-template"]
    assert (budget["apiVersion"], budget["kind"]) == ("policy/v1", "PodDisruptionBudget")
    assert budget["spec"]["minAvailable"] == 1


def test_every_key_is_described() -> None:
    """In the file each key has its comment, its own or that of the keys above it."""
    lines = config._PATH.read_text().splitlines()
    places = [index for index, line in enumerate(lines) if line.strip() and not line.strip().startswith("#")]
    alone = [
        lines[index].strip()
        for index in places
        if index - 1 not in places and not lines[index - 1].strip().startswith("#")
    ]
    assert alone == []


def test_dask_knows_the_defaults() -> None:
    """Importing the package registers them, and the user's own values win."""
    assert dask.config.get("kubernetes.scheduler-service-wait-timeout") == 30
    with dask.config.set({"kubernetes.count.max": 7}):
        config.register()
        assert dask.config.get("kubernetes.count.max") == 7
