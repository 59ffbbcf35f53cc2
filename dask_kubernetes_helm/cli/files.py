"""`dask helm convert` and `dask helm rbac`: files turned into files.

Belongs here: reading and printing them. Never here: talking to a cluster, the Roles, which are files (docs/roles,
shipped in the wheel), or what a key of a file means (moving/).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.cli import frame
from dask_kubernetes_helm.errors import HelmClusterError

if TYPE_CHECKING:
    from dask_kubernetes_helm.moving.target import Target

_KINDS = ("helm-chart", "daskhub", "pod", "daskcluster")
_NOT_ALL = 3
_MODES = ("helm", "remote", "local")
_NAME = "dask-helm"
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


@click.command(short_help="Print the least Role that a user needs.")
@click.option("--mode", type=click.Choice(_MODES), default="helm", show_default=True, help="Whose Role, see above.")
@click.option("--name", default=_NAME, show_default=True, callback=frame.object_name, help="What the Role is called.")
@click.option(
    "--namespace", callback=frame.object_name, help="Where the Role belongs; by default kubectl's --namespace says."
)
@click.option(
    "--service-account", callback=frame.object_name, help="Print a RoleBinding for this account of the namespace, too."
)
def rbac(mode: str, name: str, namespace: str | None, service_account: str | None) -> None:
    """Print the least Role that a user of a mode needs, as YAML.

    \b
    helm    HelmCluster
    remote  KubeCluster with the scheduler in the release
    local   KubeCluster with the scheduler in the Python process

    \b
    Example, for notebooks that run as the service account "notebook" of the namespace "team":
      dask helm rbac --service-account notebook --namespace team | kubectl apply -f -
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


@click.command(short_help="Turn a neighbour's file into values of this chart.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--kind", type=click.Choice(_KINDS), help="What the file is; by default its keys tell.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the values there.")
@click.option("--strict", is_flag=True, help=f"End with {_NOT_ALL} where a key is not carried.")
def convert(file: Path, kind: str | None, output: Path | None, strict: bool) -> None:  # noqa: FBT001 - click's way
    """Turn a neighbour's FILE into values of this chart; `-` is standard input.

    \b
    helm-chart   values of dask/helm-chart's chart `dask`
    daskhub      values of its chart `daskhub`
    pod          classic dask-kubernetes' worker-spec.yml
    daskcluster  the operator's DaskCluster, DaskWorkerGroup, DaskAutoscaler, DaskJob

    Values go to standard output. Each key that is not carried, or not as it stands, is a line on standard error: where
    it stands, why, and what to do instead.

    \b
    Exit codes: 0 done; 1 no values could be made; 2 wrong options; 3 with --strict, not all was carried.

    \b
    Example:
      dask helm convert my-values.yaml -o values.yaml && helm install dask ./chart -f values.yaml
    """  # noqa: D301 - click's own sign for "don't wrap"
    from dask_kubernetes_helm.moving import conversion, report  # noqa: PLC0415 - slow to import

    standard = str(file) == "-"
    if output is not None and not standard and output.resolve() == file.resolve():
        raise click.UsageError(f"--output is {file}, which would be lost.")
    name = "stdin" if standard else file.name
    try:
        text = sys.stdin.read() if standard else file.read_text(encoding="utf-8")
        target = _target()
        converted = conversion.convert(text, name, target, kind)
    except UnicodeDecodeError:
        raise click.ClickException(f"{name} is not UTF-8 text.") from None
    except HelmClusterError as error:
        raise frame.Failure(error) from error
    made = report.text(converted, name, target.version)
    if output is None:
        click.echo(made, nl=False)
    else:
        output.write_text(made, encoding="utf-8")
    for line in report.lines(converted, str(file) if not standard else name):
        click.echo(line, err=True)
    if strict and converted.lost:
        sys.exit(_NOT_ALL)


def _target() -> Target:
    """The chart that is packed with this version."""
    from dask_kubernetes_helm.chartvalues import values  # noqa: PLC0415 - slow to import
    from dask_kubernetes_helm.moving.target import Target  # noqa: PLC0415

    chart = contract.chart_path()
    schema = json.loads((chart / "values.schema.json").read_text(encoding="utf-8"))
    version = str(values.read(chart / "Chart.yaml").mapping["version"])
    return Target(values.read(chart / "values.yaml").mapping, schema, version)
