"""What KubeCluster can't mean is refused in words, before anything is created; classic's classes of errors are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.config
import pytest

from dask_kubernetes_helm import KubeCluster, KubeConfig
from dask_kubernetes_helm.errors import HelmClusterError, TemplateWarning

from .conftest import Namespace, small_pod


def _with(image: str, **container: Any) -> dict[str, Any]:
    pod = small_pod(image)
    pod["spec"]["containers"][0] |= container
    return pod


def _without_containers(image: str) -> dict[str, Any]:
    return {"metadata": {}, "spec": {"containers": []}}


@pytest.mark.parametrize(
    ("template", "arguments", "kind", "words"),
    [
        (
            None,
            {},
            ValueError,
            ["Worker pod specification not provided", "kubernetes.worker-template-path", "from_yaml"],
        ),
        (_without_containers, {}, ValueError, ["spec.containers"]),
        ("imagePullPolic", {}, ValueError, ["spec.containers[0].imagePullPolic", "did you mean 'imagePullPolicy'"]),
        ("good", {"deploy_mode": "remot"}, RuntimeError, ["Unknown deploy mode 'remot'", "did you mean 'remote'"]),
        ("good", {"security": "tls"}, RuntimeError, ["not a valid distributed.security.Security object", "str"]),
        ("good", {"auth": []}, HelmClusterError, ["No authorization methods were provided", "empty list"]),
        ("good", {"auth": "token"}, ValueError, ["Invalid authorization method provided"]),
        ("good", {"auth": KubeConfig("/nowhere/config")}, HelmClusterError, ["/nowhere/config"]),
        ("good", {"n_worker": 3}, TypeError, ["no argument 'n_worker'", "did you mean 'n_workers'"]),
        ("good", {"n_workers": -1}, ValueError, ["n_workers is -1"]),
        ("good", {"apply_default_affinity": "prefered"}, ValueError, ["did you mean 'preferred'"]),
        ("good", {"scheduler_service_name_resolution_retries": 0}, ValueError, ["1 or more"]),
        ("good", {"name": "dask-{NOBODY_SET_THIS}"}, ValueError, ["NOBODY_SET_THIS"]),
        ("no/such/file.yml", {}, ValueError, ["no/such/file.yml", "can't be read"]),
        (
            "good",
            {"deploy_mode": "local", "protocol": "tls://", "security": False},
            ValueError,
            ["no certificates", "Security.temporary"],
        ),
        ("good", {"deploy_mode": "local", "host": "192.0.2.99"}, OSError, ["can't listen on 192.0.2.99"]),
    ],
)
def test_refused(  # noqa: PLR0917 - fixtures and the table
    namespace: Namespace, image: str, template: Any, arguments: dict[str, Any], kind: type[Exception], words: list[str]
) -> None:
    """Each is told by its name and cure, as an error that classic's users catch, and nothing is created."""
    if callable(template):
        template = template(image)
    elif template == "good":
        template = small_pod(image)
    elif template == "imagePullPolic":
        template = _with(image, imagePullPolic="Always")
    settled = {"namespace": namespace.name, "quiet": True, "timeout": 20}
    with pytest.raises(kind) as caught:
        KubeCluster(template, **{**settled, **arguments})
    assert isinstance(caught.value, HelmClusterError)
    assert [word for word in words if word not in str(caught.value)] == []
    assert namespace.objects() == set()


def test_a_spec_that_no_node_is_large_enough_for(make_classic, image: str) -> None:
    """A warning has the pod's figures and the largest node's, as a larger one may be on its way."""
    resources = {"requests": {"memory": "900Gi", "cpu": "50m"}}
    with pytest.warns(TemplateWarning, match="node-") as warned:
        make_classic(_with(image, resources=resources), deploy_mode="local")
    (said,) = (str(item.message) for item in warned if "node-" in str(item.message))
    assert "900" in said


def test_a_limit_of_the_command_above_the_pods(make_classic, image: str) -> None:
    """A warning has both figures: such a worker would be killed before it spills."""
    pod = _with(image, args=["dask-worker", "--memory-limit", "2GB"])
    with pytest.warns(TemplateWarning) as warned:
        make_classic(pod, deploy_mode="local")
    (said,) = (str(item.message) for item in warned if issubclass(item.category, TemplateWarning))
    assert "2" in said
    assert "512Mi" in said


def test_an_unreadable_configuration(namespace: Namespace, tmp_path: Path) -> None:
    """A configured path that does not exist is named, and so is the key."""
    with (
        dask.config.set({"kubernetes.worker-template-path": str(tmp_path / "none.yml")}),
        pytest.raises(ValueError, match=r"none\.yml"),
    ):
        KubeCluster(namespace=namespace.name)
    assert namespace.objects() == set()
