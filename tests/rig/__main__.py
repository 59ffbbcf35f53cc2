"""The rig's command line: up, down, status, env, tools, audit."""

from __future__ import annotations

import argparse
import errno
import os
import shlex
import sys
from datetime import datetime, timedelta, timezone

from . import audit, binaries, cluster, image
from .settings import Settings, cache_root
from .shell import RigError


def main() -> int:
    """Run one command; 0 if it went well."""
    parser = argparse.ArgumentParser(prog="python -m tests.rig", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="bring the cluster up, or heal it")
    commands.add_parser("down", help="take it down and leave nothing")
    commands.add_parser("status", help="tell what runs; fails unless all of it does")
    commands.add_parser("env", help="print variables for eval")
    tools = commands.add_parser("tools", help="fetch helm and kubectl, print their folders")
    tools.add_argument("--helm3", action="store_true", help="build helm 3 too")
    tools.add_argument("--kwok", action="store_true", help="build KWOK too")
    tools.add_argument("--registry", action="store_true", help="fetch a registry of images and charts too")
    counting = commands.add_parser("audit", help="count API calls by user agent")
    counting.add_argument("--since", type=float, default=60, metavar="SECONDS", help="default: %(default)s")
    options = parser.parse_args()
    settings = Settings.from_environment()
    try:
        return {"up": _up, "down": _down, "status": _status, "env": _env, "tools": _tools, "audit": _audit}[
            options.command
        ](settings, options)
    except RigError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        print(f"The disk of {cache_root()} is full: free some, or set XDG_CACHE_HOME to another.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; run it again to go on", file=sys.stderr)
        return 130


def _up(settings: Settings, _: argparse.Namespace) -> int:
    cluster.up(settings)
    return 0


def _down(settings: Settings, _: argparse.Namespace) -> int:
    cluster.down(settings)
    return 0


def _status(settings: Settings, _: argparse.Namespace) -> int:
    for daemon in cluster.all_daemons(settings):
        pid = daemon.pid()
        print(f"{daemon.name:28} {f'pid {pid}' if pid else 'not running'}")
    healthy = cluster.is_healthy(settings)
    print(f"{'cluster':28} {'healthy' if healthy else 'not healthy'}")
    return 0 if healthy else 1


def _env(settings: Settings, _: argparse.Namespace) -> int:
    folders = [os.path.dirname(sys.executable), str(binaries.helm4())]  # noqa: PTH120 - not resolved: it is the venv's
    path = os.pathsep.join([*folders, os.environ.get("PATH", "")])
    for name, value in {"PATH": path, "KUBECONFIG": str(settings.kubeconfig), "IMAGE": image.dask_name()}.items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def _tools(_: Settings, options: argparse.Namespace) -> int:
    print(binaries.helm4())
    if options.helm3:
        print(binaries.helm3())
    if options.kwok:
        print(binaries.kwok())
    if options.registry:
        print(binaries.registry())
    return 0


def _audit(settings: Settings, options: argparse.Namespace) -> int:
    now = datetime.now(timezone.utc)
    counted = audit.calls_by_user_agent(audit.events(settings), now - timedelta(seconds=options.since), now)
    for agent, number in counted.most_common():
        print(f"{number:8} {agent}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
