"""Commands for a terminal: `python -m dask_kubernetes_helm`.

Belongs here: options and printing. Never here: talking to a cluster, or the Roles themselves, which are files
(docs/roles, shipped in the wheel).

Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/.
"""

from __future__ import annotations

import json
import re

import click

from dask_kubernetes_helm import contract

_MODES = ("helm", "remote", "local")
_NAME = "dask-helm"
_SUBDOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"(?=.{1,63}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_BINDING = """\
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {name}
  namespace: {namespace}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {name}
subjects:
  - kind: ServiceAccount
    name: {account}
    namespace: {namespace}
"""


@click.group()
def main() -> None:
    """Dask on Kubernetes from one Helm chart: what to have ready before a cluster is started."""


def _object_name(_: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    rule, limit = (_LABEL, 63) if parameter.name == "namespace" else (_SUBDOMAIN, 253)
    if value is not None and not rule.fullmatch(value):
        also = "" if rule is _LABEL else " and '.'"
        raise click.BadParameter(
            f"{value!r} is no name for an object of Kubernetes: at most {limit} lower-case letters, digits, '-'{also}, "
            "a letter or digit first and last"
        )
    return value


@main.command()
@click.option("--mode", type=click.Choice(_MODES), default="helm", show_default=True, help="Whose Role, see above.")
@click.option("--name", default=_NAME, show_default=True, callback=_object_name, help="What the Role is called.")
@click.option(
    "--namespace", callback=_object_name, help="Where the Role belongs; by default kubectl's --namespace says."
)
@click.option(
    "--service-account", callback=_object_name, help="Print a RoleBinding for this account of the namespace, too."
)
def rbac(mode: str, name: str, namespace: str | None, service_account: str | None) -> None:
    """Print the least Role that a user of a mode needs, as YAML.

    \b
    helm    HelmCluster
    remote  KubeCluster with the scheduler in the release
    local   KubeCluster with the scheduler in the Python process

    \b
    Example, for notebooks that run as the service account "notebook" of the namespace "team":
      python -m dask_kubernetes_helm rbac --service-account notebook --namespace team | kubectl apply -f -
    """  # noqa: D301 - click's own sign for "don't wrap"
    if service_account and not namespace:
        raise click.UsageError("--service-account needs --namespace, which says whose it is.")
    # Quoted, as a name such as "123" or "null" would else be no text.
    named, placed = json.dumps(name), json.dumps(namespace)
    role = (contract.data_path("roles") / f"{mode}.yaml").read_text(encoding="utf-8")
    metadata = f"  name: {named}\n" + (f"  namespace: {placed}\n" if namespace else "")
    click.echo(role.replace(f"  name: {_NAME}\n", metadata, 1), nl=False)
    if service_account:
        click.echo(_BINDING.format(name=named, namespace=placed, account=json.dumps(service_account)), nl=False)


if __name__ == "__main__":
    main(prog_name="python -m dask_kubernetes_helm")
