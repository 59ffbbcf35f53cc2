"""What all commands share: where a release is, how errors are told, how results are printed, exit codes.

Belongs here: what more than one command needs. Never here: a command.

Source: https://click.palletsprojects.com/en/stable/exceptions/ (exit codes 1 and 2 are click's own).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dask_kubernetes_helm import config
from dask_kubernetes_helm.cli import completing
from dask_kubernetes_helm.errors import HelmClusterError, InvalidArgumentError
from dask_kubernetes_helm.text import did_you_mean

if TYPE_CHECKING:
    from dask_kubernetes_helm.kubeapi.kube import Kube

#: How `status` and `diagnose` end where what they looked at is not well.
NOT_WELL = 4
_SUBDOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"(?=.{1,63}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_Function = TypeVar("_Function", bound=Callable[..., Any])
_T = TypeVar("_T")


class Failure(click.ClickException):
    """An error of ours as a terminal shows it: what failed, and on a line of its own what to do next.

    Parameters
    ----------
    error : HelmClusterError
        What was raised.
    """

    def __init__(self, error: HelmClusterError) -> None:
        super().__init__(_lines(error))


def _lines(error: HelmClusterError) -> str:
    """What failed; what to do next, where that is known, on a line of its own."""
    text = str(error)
    return f"{text.removesuffix(error.cure).rstrip()}\n{error.cure}" if error.cure else text


class Commands(click.Group):
    """A group that knows what was meant, and shows our errors without a traceback."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of that name; where there is none, which one is near."""
        name = str(args[0])
        if not name.startswith("-") and self.get_command(ctx, name) is None and not ctx.resilient_parsing:
            near = did_you_mean(name, self.list_commands(ctx))
            raise click.UsageError(
                f"There is no command {name!r}{near or '.'} Commands are: {', '.join(self.list_commands(ctx))}.", ctx
            )
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """In the order in which they are added: that of a release's life."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except HelmClusterError as error:
            raise Failure(error) from error


class Count(click.IntRange):
    """A number of workers; click's own sentence for another value calls it a range."""

    name = "integer"

    def __init__(self) -> None:
        super().__init__(min=0)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{value!r} is no number of workers; give 0, 1, 2, ...", param, ctx)


@contextlib.contextmanager
def wrong_usage() -> Iterator[None]:
    """What is wrong with an option by itself is wrong usage; click adds which option it is.

    What only turns out by looking, as that there is no such release or file, is a failure.
    """
    try:
        yield
    except InvalidArgumentError as error:
        raise click.BadParameter(_lines(error)) from error


def duration(_: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """An option's value in seconds, if it is a time of more than 0: seconds, or text that Dask reads."""
    with wrong_usage():
        return None if value is None else config.seconds(value, parameter.opts[0])


@dataclass(frozen=True)
class Place:
    """Where a command looks: a namespace, and a context of the kubeconfig; None: the default one."""

    namespace: str | None
    context: str | None

    def auth(self) -> Any:
        """What to authenticate with; None: by default, as HelmCluster does."""
        if self.context is None:
            return None
        from dask_kubernetes_helm.auth import KubeConfig  # noqa: PLC0415 - slow to import

        return KubeConfig(context=self.context)

    @contextlib.asynccontextmanager
    async def kube(self) -> AsyncIterator[Kube]:
        """The door to the API, closed in the end."""
        from dask_kubernetes_helm.kubeapi.kube import Kube  # noqa: PLC0415 - slow to import

        kube = await Kube.connect(self.auth(), config.get("namespace", self.namespace))
        try:
            yield kube
        finally:
            await kube.close()


def object_name(_: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """An option's value, if it can be the name of an object of Kubernetes.

    Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/.
    """
    rule, limit = (_LABEL, 63) if parameter.name == "namespace" else (_SUBDOMAIN, 253)
    if value is not None and not rule.fullmatch(value):
        also = "" if rule is _LABEL else " and '.'"
        raise click.BadParameter(
            f"{value!r} is no name for an object of Kubernetes: at most {limit} lower-case letters, digits, '-'{also}, "
            "a letter or digit first and last"
        )
    return value


def placed(function: _Function) -> _Function:
    """Give a command the options that say where; it gets them as `place`."""

    @click.option("-n", "--namespace", callback=object_name, help="Where; by default as HelmCluster has it.")
    @click.option("--context", metavar="NAME", help="Context of the kubeconfig; by default its current one.")
    @functools.wraps(function)
    def wrapper(*args: Any, namespace: str | None, context: str | None, **options: Any) -> Any:
        return function(*args, place=Place(namespace, context), **options)

    return wrapper  # type: ignore[return-value] # as click's own decorators


def named(function: _Function) -> _Function:
    """Give a command the argument NAME, a release's; where it is none, the configured one."""
    return click.argument(
        "name", required=False, metavar="NAME", callback=_configured, shell_complete=completing.releases
    )(function)


def _configured(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """A release's name; where none is given, the configured one."""
    value = value or config.get("release")
    if value is None and not ctx.resilient_parsing:
        raise click.MissingParameter(ctx=ctx, param=parameter)
    return value


def formatted(function: _Function) -> _Function:
    """Give a command the option that says how to print; it gets it as `output`."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(("table", "json")),
        default="table",
        show_default=True,
        help="For people, or for programs.",
    )(function)


def grouped(function: _Function) -> _Function:
    """Give a command the option that names a worker group."""
    return click.option(
        "-g",
        "--worker-group",
        metavar="GROUP",
        shell_complete=completing.groups,
        help="Which worker group; by default the default one.",
    )(function)


def run(main: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine to its end."""
    return asyncio.run(main)


def print_json(value: Any) -> None:
    """Plain data for a program."""
    click.echo(json.dumps(value, indent=2, default=str))


def note(text: str) -> None:
    """A line for people, beside what programs read."""
    click.echo(text, err=True)


async def no_farewell() -> None:
    """Dask is not asked to end: nothing is connected to it."""
