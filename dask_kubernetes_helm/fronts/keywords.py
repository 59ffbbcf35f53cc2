"""Keywords that HelmCluster does not have, or not when it attaches: what to do instead.

Belongs here: names of arguments. Never here: what they hold (arguments.py).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec

from dask_kubernetes_helm.errors import InvalidArgumentError, InvalidTypeError
from dask_kubernetes_helm.text import did_you_mean

_P = ParamSpec("_P")
#: Arguments of classic's KubeCluster, and of the HelmCluster that dask-kubernetes had.
INSTEAD = {
    **dict.fromkeys(
        ("pod_template", "scheduler_pod_template", "deploy_mode", "env"),
        "It is KubeCluster's; HelmCluster takes values, such as values={'worker': {...}}.",
    ),
    "release_name": "To attach to a release that is there: HelmCluster.from_name(name); to install one: name=.",
    "create_namespace": "Namespaces are made by kubectl create namespace, so that a mistyped one is noticed.",
    "custom_cluster_spec": "Use values=, which is a mapping, a file, or a list of them.",
    "resources": "Use values={'worker': {'resources': {'requests': {...}, 'limits': {...}}}}.",
    "worker_command": "Use values={'worker': {'command': [...]}}.",
    **dict.fromkeys(
        ("port_forward_cluster_ip", "scheduler_service_type", "node_host", "node_port"),
        "The Service's type is the value scheduler.serviceType; without a word a port-forward leads there.",
    ),
    **dict.fromkeys(
        ("scheduler_name", "worker_name"), "Objects are found by their labels, whatever they are called: leave it out."
    ),
}
#: What a release that is there has already, and how to change it.
_SETTLED = {
    "environment": "cluster.upgrade(values) changes it",
    "values": "cluster.upgrade(values) changes them",
    "image": "cluster.upgrade({'image': {'repository': ..., 'tag': ...}}) changes it",
    "n_workers": "cluster.scale(n) changes it",
}


def refuse_settled(given: Mapping[str, Any]) -> None:
    """Refuse what a release that is there has already.

    Raises
    ------
    InvalidArgumentError
    """
    for name, how in _SETTLED.items():
        if given.get(name) is not None:
            raise InvalidArgumentError(
                f"HelmCluster.from_name takes no {name}, as it attaches to what is there",
                cure=f"Leave it out; {how}, and HelmCluster(name, ...) makes a new release.",
            )


def refusing(front: str, instead: Mapping[str, str]) -> Callable[[Callable[_P, None]], Callable[_P, None]]:
    """Have a front's `__init__` tell of a keyword that it has not, by which it has; the signature stays as it is.

    Parameters
    ----------
    front : str
        What the class is called.
    instead : mapping of str to str
        What to say of keywords that other classes of this kind have.
    """

    def decorate(init: Callable[_P, None]) -> Callable[_P, None]:
        known = [name for name in inspect.signature(init).parameters if name != "self"]
        shown = [name for name in known if not name.startswith("_")]

        @functools.wraps(init)
        def checked(*args: _P.args, **kwargs: _P.kwargs) -> None:
            for name in kwargs:
                if name not in known:
                    near = "" if name in instead else did_you_mean(name, shown)
                    cure = instead.get(name) or f"Arguments are: {', '.join(shown)}."
                    raise InvalidTypeError(f"{front} has no argument {name!r}{near}", cure=cure)
            init(*args, **kwargs)

        return checked

    return decorate
