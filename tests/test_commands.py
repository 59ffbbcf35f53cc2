"""A pod template's command: what starts Dask, and what becomes of each option."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from distributed.cli import dask_scheduler, dask_worker
from hypothesis import example, given
from hypothesis import strategies as st

from dask_kubernetes_helm import errors
from dask_kubernetes_helm.podtemplates import commands, options, scripts
from dask_kubernetes_helm.podtemplates.commands import Command

ADDRESS = "$(DASK_SCHEDULER_ADDRESS)"
PYTHON = "-u -W ignore -m dask worker"
VARIABLES = {"DASK_SCHEDULER_ADDRESS": "tcp://scheduler:8786", "DASKHELM_POD_NAME": "pod-1"}


def read(args: str | list[str] | None = None, command: list[str] | None = None, role: Any = "worker") -> Command:
    told = {"args": shlex.split(args) if isinstance(args, str) else args, "command": command}
    return commands.read({key: value for key, value in told.items() if value is not None}, role)


def chart_arguments(command: Command, role: str) -> list[str]:
    """What the chart puts between the program and extraArgs."""
    values = command.values()
    if role == "scheduler":
        return ["--port=8786", "--dashboard-address=:8787", "--preload=json"]
    resources = " ".join(f"{name}={amount}" for name, amount in values.get("daskResources", {}).items())
    nanny = values.get("nanny", True)
    return [
        ADDRESS,
        "--name=$(DASKHELM_POD_NAME)",
        f"--nthreads={values.get('threads_per_worker', 7)}",
        f"--memory-limit={values.get('memory_limit', 777)}",
        *([] if nanny else ["--no-nanny"]),
        "--death-timeout=60",
        "--local-directory=/dask",
        "--dashboard-address=:8790",
        "--preload=json",
        *(["--preload-nanny=json"] if nanny else []),
        *([f"--resources={resources}"] if resources else []),
    ]


def as_kubernetes(words: list[str]) -> list[str]:
    for name, value in VARIABLES.items():
        words = [word.replace(f"$({name})", value) for word in words]
    return words


def meant(words: list[str], role: str = "worker") -> dict[str, Any]:
    """What Dask's own command understands."""
    main = dask_worker.main if role == "worker" else dask_scheduler.main
    return dict(main.make_context(role, as_kubernetes(words)).params)


# What starts it -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "command", "expected"),
    [
        ("dask-worker", None, ([], ["dask", "worker"])),
        ("dask worker", None, ([], ["dask", "worker"])),
        ("dask-cuda-worker", None, ([], ["dask", "cuda", "worker"])),
        ("dask cuda worker", None, ([], ["dask", "cuda", "worker"])),
        ("/opt/conda/bin/dask-worker", None, ([], ["/opt/conda/bin/dask", "worker"])),
        ("/opt/bin/dask worker", None, ([], ["/opt/bin/dask", "worker"])),
        (
            "python -m distributed.cli.dask_worker",
            None,
            ([], ["python", "-m", "distributed.cli.dask_worker"]),
        ),
        (
            f"/x/python3.11 {PYTHON}",
            None,
            ([], shlex.split(f"/x/python3.11 {PYTHON}")),
        ),
        ("tini -g -- prepare.sh dask-worker", None, ([], ["tini", "-g", "--", "prepare.sh", "dask", "worker"])),
        ("conda run -n env dask-worker", None, ([], ["conda", "run", "-n", "env", "dask", "worker"])),
        ("conda run -n dask dask worker", None, ([], ["conda", "run", "-n", "dask", "dask", "worker"])),
        (None, ["dask-worker"], (["dask"], ["worker"])),
        ("--nthreads 2", ["dask-worker"], (["dask"], ["worker"])),
        ("worker --nthreads 2", ["dask"], (["dask"], ["worker"])),
        ("--nthreads 2", ["dask", "worker"], (["dask"], ["worker"])),
        ("--nthreads 2", ["tini", "--", "dask-worker"], (["tini", "--", "dask"], ["worker"])),
        ("dask-worker --nthreads 2", ["tini", "--"], (["tini", "--"], ["dask", "worker"])),
        ("-n e dask-worker", ["conda", "run"], (["conda", "run"], ["-n", "e", "dask", "worker"])),
        (None, ["python", "-m", "distributed.cli.dask_worker"], (["python"], ["-m", "distributed.cli.dask_worker"])),
        (["bash", "run.sh", "dask-worker"], None, ([], ["bash", "run.sh", "dask", "worker"])),
    ],
)
def test_what_starts_a_worker(args: Any, command: list[str] | None, expected: tuple[list[str], list[str]]) -> None:
    """What the container's command held stays there, and the program is what else goes before the chart's arguments."""
    found = read(args, command)
    assert not found.raw
    assert ([*(found.command or ())], [*(found.program or ())]) == expected


@pytest.mark.parametrize("args", ["dask-scheduler", "dask scheduler", "python -m distributed.cli.dask_scheduler"])
def test_what_starts_a_scheduler(args: str) -> None:
    """The scheduler's commands are known likewise."""
    found = read(args, role="scheduler")
    assert found.kind == "scheduler"
    assert found.program == tuple(shlex.split(args.replace("dask-scheduler", "dask scheduler")))


@pytest.mark.parametrize(("args", "role"), [("dask-worker", "scheduler"), ("dask-scheduler", "worker")])
def test_the_other_roles_command(args: str, role: str) -> None:
    """A scheduler that would start a worker is refused before anything is created."""
    with pytest.raises(errors.PodTemplateError, match=f"Give it `dask {role}`"):
        read(args, role=role)


@pytest.mark.parametrize(
    ("args", "command"),
    [
        (None, None),
        ("sleep 60", None),
        (None, ["/run.sh"]),
        (["dask-worker --nthreads 2"], None),
        (["bash", "-c", "sleep 3"], None),
        (["bash", "-c", "sleep 3", "--", "dask-worker"], None),
        (["bash", "-c", "if a; then dask-worker; else dask-cuda-worker; fi"], None),
        (["bash", "-c", "cat <<X\ndask-worker\nX"], None),
        (["bash", "-c", "dask-worker `address`"], None),
        (["bash", "-c", "dask-worker $ELSEWHERE"], None),
        (["bash", "-c", 'dask-worker --nthreads "$1"', "x", "2"], None),
        ("dask-worker $(ELSEWHERE)", None),
    ],
)
def test_what_can_not_be_taken_apart(args: Any, command: list[str] | None) -> None:
    """A command that is none of Dask's, or none that is understood, stays as it is, and a sentence says so."""
    found = read(args, command)
    assert found.raw
    expected = shlex.split(args) if isinstance(args, str) else args
    assert (found.command, found.program) == (command and tuple(command), expected and tuple(expected))
    assert found.values() == {}
    assert "dask-worker" in found.notes[0]


# Options ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("", {}),
        ("--nthreads 2", {"threads_per_worker": 2}),
        ("--nthreads=2", {"threads_per_worker": 2}),
        ("--nthreads 4 --nthreads 2", {"threads_per_worker": 2}),
        ("--nthreads 2 --nthreads 0", {"extraArgs": ["--nthreads", "0"]}),
        ("--nthreads 0 --nthreads 2", {"threads_per_worker": 2}),
        ("--nthreads many", {"extraArgs": ["--nthreads", "many"]}),
        ("--nthreads $(CPUS)", {"extraArgs": ["--nthreads", "$(CPUS)"]}),
        ("--ncores 2", {"threads_per_worker": 2}),
        ("--memory-limit 6GB", {"memory_limit": "6000000000"}),
        ("--memory-limit 6GiB", {"memory_limit": "6442450944"}),
        ("--memory-limit 6G", {"memory_limit": "6000000000"}),
        ("--memory-limit=6000000000", {"memory_limit": "6000000000"}),
        ("--memory-limit auto", {"extraArgs": ["--memory-limit", "auto"]}),
        ("--memory-limit=0", {"extraArgs": ["--memory-limit=0"]}),
        ("--memory-limit 0.9", {"extraArgs": ["--memory-limit", "0.9"]}),
        ("--memory-limit $(MEM)", {"extraArgs": ["--memory-limit", "$(MEM)"]}),
        ("--no-nanny", {"nanny": False}),
        ("--nanny", {"nanny": True}),
        ("--no-nanny --nanny", {"nanny": True}),
        ('--resources "GPU=1 MEM=2"', {"daskResources": {"GPU": 1, "MEM": 2}}),
        ("--resources GPU=1,MEM=2.5e9", {"daskResources": {"GPU": 1, "MEM": 2_500_000_000}}),
        ("--resources GPU", {"extraArgs": ["--resources", "GPU"]}),
        ("--resources GPU=0", {"extraArgs": ["--resources", "GPU=0"]}),
        ("--resources GPU=nan", {"extraArgs": ["--resources", "GPU=nan"]}),
        ("--resources GPU=$(N)", {"extraArgs": ["--resources", "GPU=$(N)"]}),
        ("--nprocs 1 --nthreads 2", {"threads_per_worker": 2, "extraArgs": ["--nworkers", "1"]}),
        ("--nworkers=2 --nthreads 2 --memory-limit 1GB",
         {"threads_per_worker": 2, "memory_limit": "1000000000", "extraArgs": ["--nworkers=2"]}),
        # Each of them would take the whole container.
        ("--nworkers 2", {"extraArgs": ["--nthreads=0", "--memory-limit=auto", "--nworkers", "2"]}),
        ("--nworkers auto", {"extraArgs": ["--nthreads=0", "--memory-limit=auto", "--nworkers", "auto"]}),
        ("--preload a.py --preload b", {"extraArgs": ["--preload", "a.py", "--preload", "b"]}),
        ("--preload a.py --own 3", {"extraArgs": ["--preload", "a.py", "--own", "3"]}),
        ("--lifetime 1h --lifetime-stagger 5m --lifetime-restart",
         {"extraArgs": ["--lifetime", "1h", "--lifetime-stagger", "5m", "--lifetime-restart"]}),
        ("--no-dashboard --interface eth0 --protocol=tls",
         {"extraArgs": ["--no-dashboard", "--interface", "eth0", "--protocol=tls"]}),
        ("--dashboard-address :8795 --local-directory /x --worker-port 1:9 --nanny-port 0",
         {"extraArgs": shlex.split("--dashboard-address :8795 --local-directory /x --worker-port 1:9 --nanny-port 0")}),
        ("--bokeh", {"extraArgs": ["--dashboard"]}),
        ("--no-bokeh", {"extraArgs": ["--no-dashboard"]}),
        ("--bokeh-port 8789", {"extraArgs": ["--dashboard-address", ":8789"]}),
        ("--bokeh-port=8789", {"extraArgs": ["--dashboard-address=:8789"]}),
        ("--diagnostics-port :8789", {"extraArgs": ["--dashboard-address", ":8789"]}),
        ("--bokeh-prefix /x", {"extraArgs": ["--dashboard-prefix", "/x"]}),
        ("--name w-$(POD)", {"extraArgs": ["--name", "w-$(POD)"]}),
        (ADDRESS, {}),
        ("$DASK_SCHEDULER_ADDRESS --nthreads 2", {"threads_per_worker": 2}),
        (f"--new-flag {ADDRESS} --nthreads 2", {"threads_per_worker": 2, "extraArgs": ["--new-flag"]}),
        ("--new-option a b --nthreads 2", {"threads_per_worker": 2, "extraArgs": ["--new-option", "a", "b"]}),
        ("--new-option=a b:1 --nthreads 2", {"threads_per_worker": 2, "extraArgs": ["--new-option=a", "b:1"]}),
        ("--nthreads", {"extraArgs": ["--nthreads"]}),
        ("--no-nanny=1", {"extraArgs": ["--no-nanny=1"]}),
        ("--nthreads 2 -- --nthreads 3", {"threads_per_worker": 2, "extraArgs": ["--", "--nthreads", "3"]}),
    ],
)  # fmt: skip
def test_a_workers_options(told: str, expected: dict[str, Any]) -> None:
    """An option becomes the chart's key where there is one that means the same, and stays an argument elsewhere."""
    found = read(f"dask-worker {told}")
    assert found.values() == expected
    assert found.notes == ()


@pytest.mark.parametrize(
    ("told", "flag", "expected"),
    [
        ("--reconnect", "--reconnect", {}),
        ("--no-reconnect", "--no-reconnect", {}),
        ("--temp-filename x", "--temp-filename", {}),
        ("--bokeh-worker-port 8789", "--bokeh-worker-port", {}),
        ("--name alice", "--name alice", {"extraArgs": ["--name=alice-$(DASKHELM_POD_NAME)"]}),
        ("--nprocs 2 --nthreads 1 --memory-limit 1GB --no-nanny", "--no-nanny",
         {"extraArgs": ["--nworkers", "2"], "nanny": True, "threads_per_worker": 1, "memory_limit": "1000000000"}),
        ("tcp://other:8786", "tcp://other:8786", {"custom_scheduler_url": "tcp://other:8786"}),
    ],
)  # fmt: skip
def test_what_is_carried_out_otherwise(told: str, flag: str, expected: dict[str, Any]) -> None:
    """What can't mean the same comes with a sentence that names the flag."""
    found = read(f"dask-worker {told}")
    assert found.values() == expected
    assert len(found.notes) == 1
    assert flag in found.notes[0]
    assert found.notes[0].endswith(".")


@pytest.mark.parametrize(
    ("told", "expected", "left"),
    [
        ("60", 60.0, ()),
        ("'2 minutes'", 120.0, ()),
        ("1h", 3600.0, ()),
        ("soon", None, ("--death-timeout", "soon")),
        ("$(X)", None, ("--death-timeout", "$(X)")),
    ],
)
def test_death_timeout(told: str, expected: float | None, left: tuple[str, ...]) -> None:
    """How long a worker waits is told in seconds, and is not repeated; what is no time stays."""
    found = read(f"dask-worker --death-timeout {told}")
    assert found.found.death_timeout == expected
    assert found.extra_args == left


@pytest.mark.parametrize(
    ("told", "expected", "flags"),
    [
        ("--port 8786 --dashboard-address :8787 --host tcp://0.0.0.0", {}, []),
        ("--port 9000", {}, ["--port 9000"]),
        ("--host 10.0.0.1 --bokeh-port 9000", {}, ["--host 10.0.0.1", "--bokeh-port :9000"]),
        ("--bokeh-whitelist a --bokeh-whitelist b", {}, ["--bokeh-whitelist", "--bokeh-whitelist"]),
        ("--local-directory x --log-level y", {}, ["--local-directory", "--log-level"]),
        ("--no-show --jupyter", {"extraArgs": ["--no-show", "--jupyter"]}, []),
        ("--prefix /x", {"extraArgs": ["--dashboard-prefix", "/x"]}, []),
        ("--preload a tcp://b", {"extraArgs": ["--preload", "a", "tcp://b"]}, []),
        ("--idle-timeout $(X)", {"extraArgs": ["--idle-timeout", "$(X)"]}, []),
        ("--idle-timeout '1 hour'", {}, []),
    ],
)
def test_a_schedulers_options(told: str, expected: dict[str, Any], flags: list[str]) -> None:
    """What Service and probes go by can't be another; the rest stays, and an idle scheduler does not end itself."""
    found = read(f"dask-scheduler {told}", role="scheduler")
    assert found.values() == expected
    assert len(found.notes) == len(flags)
    assert all(flag in note for flag, note in zip(flags, found.notes, strict=True))


def test_idle_timeout() -> None:
    """The scheduler's own timeout is handed on as it is written."""
    assert read("dask-scheduler --idle-timeout '1 hour'", role="scheduler").found.idle_timeout == "1 hour"


def test_cuda_workers() -> None:
    """dask-cuda's options stay with it; what it does not take is left out with a sentence, and it has one thread."""
    found = read("dask-cuda-worker $(DASK_SCHEDULER_ADDRESS) --rmm-pool-size 1GB --enable-nvlink --memory-limit 8GB")
    assert found.extra_args == ("--rmm-pool-size", "1GB", "--enable-nvlink", "--memory-limit", "8GB")
    assert (found.found.threads, found.found.memory) == (1, 8_000_000_000)
    told = read("dask cuda worker --no-nanny --death-timeout 30 --nthreads 2")
    assert told.extra_args == ("--nthreads", "2")
    assert told.found.death_timeout == 30
    assert "--no-nanny" in told.notes[0]


def test_the_tables_have_todays_options() -> None:
    """No retired option is one of today's, and each successor is."""
    for kind in ("worker", "scheduler"):
        today = options.flags(kind)
        assert not set(options._GONE[kind]) & set(today)
        renamed = {**options._RENAMED, **options._RENAMED_BY_KIND[kind]}
        assert set(renamed.values()) <= set(today)
        assert not (set(renamed) & set(today)) - {"--port"}


TEXTS = st.sampled_from(["1", "2", "0", ":8790", "auto", "1h", "a.b", "6GB", "0.5"])
VALUES = {
    "--nthreads": st.sampled_from(["0", "1", "16"]),
    "--memory-limit": st.sampled_from(["auto", "0", "0.5", "1", "2GB", "3GiB", "4000000000"]),
    "--resources": st.sampled_from(["GPU=1", "GPU=2 MEM=10e9", "A=1,B=2.5"]),
    "--worker-port": TEXTS, "--nanny-port": TEXTS, "--dashboard-address": TEXTS, "--host": TEXTS, "--interface": TEXTS,
    "--protocol": TEXTS, "--pid-file": TEXTS, "--local-directory": TEXTS, "--scheduler-file": TEXTS,
    "--lifetime": TEXTS,
    "--lifetime-stagger": TEXTS, "--worker-class": TEXTS, "--scheduler-sni": TEXTS, "--listen-address": TEXTS,
    "--contact-address": TEXTS, "--nworkers": st.just("1"),
}  # fmt: skip
FLAGS = ("--nanny", "--no-nanny", "--dashboard", "--no-dashboard", "--lifetime-restart", "--no-lifetime-restart")


@st.composite
def told_options(draw: st.DrawFn) -> list[str]:
    words: list[str] = []
    for flag in draw(st.lists(st.sampled_from([*VALUES, *FLAGS]), max_size=8)):
        value = draw(VALUES[flag]) if flag in VALUES else None
        if value is None:
            words.append(flag)
        else:
            words += [f"{flag}={value}"] if draw(st.booleans()) else [flag, value]
    return words


def memory(value: Any) -> Any:
    from dask.utils import parse_bytes

    return value if value in ("auto", "0", "0.5", "1") else str(parse_bytes(value))


def resources(value: str | None) -> dict[str, float]:
    return {
        name: float(amount) for name, amount in (pair.split("=") for pair in (value or "").replace(",", " ").split())
    }


@given(told_options(), st.booleans())
@example(["--nthreads", "0", "--nthreads=16"], True)
def test_options_mean_the_same_to_dask(told: list[str], named: bool) -> None:
    """Dask's own command understands of the chart's arguments just what it did of the template's."""
    address = [ADDRESS] if named else []
    found = read(["dask-worker", *address, *told])
    before = meant([ADDRESS, *told])
    after = meant([*chart_arguments(found, "worker"), *found.extra_args])
    given_keys = {options.flags("worker")[word.partition("=")[0]].key for word in told if word.startswith("--")}
    assert after["scheduler"] == before["scheduler"]
    assert after["name"] == "pod-1"
    for key in given_keys:
        fit = {"memory_limit": memory, "resources": resources}.get(key, lambda value: value)
        assert fit(after[key]) == fit(before[key]), key


# Shell scripts ------------------------------------------------------------------------------------------

SCRIPTS = [
    ("dask-worker --nthreads 2", 'exec dask worker "$@" --nthreads 2'),
    ("conda activate x && dask-worker --nthreads 2", 'conda activate x && exec dask worker "$@" --nthreads 2'),
    ("exec dask-worker --nthreads 2", 'exec dask worker "$@" --nthreads 2'),
    ("source a; dask worker;\n", 'source a; exec dask worker "$@";\n'),
    ("FOO=1 dask-worker # start", 'FOO=1 exec dask worker "$@" # start'),
    ("conda run -n e dask-worker", 'exec conda run -n e dask worker "$@"'),
    ("dask-worker; echo over", 'dask worker "$@"; echo over'),
    ("dask-worker | tee log", 'dask worker "$@" | tee log'),
    ("trap end EXIT; dask-worker", 'trap end EXIT; dask worker "$@"'),
    ("if x; then dask-worker; fi", 'if x; then dask worker "$@"; fi'),
    ("! dask-worker", '! dask worker "$@"'),
    ("dask-worker > log 2>&1", 'exec dask worker "$@" > log 2>&1'),
    ("dask-worker $DASK_SCHEDULER_ADDRESS --nthreads $N", 'exec dask worker "$@" --nthreads $N'),
    ('dask-worker "${DASK_SCHEDULER_ADDRESS}"', 'exec dask worker "$@"'),
    (f"dask-worker {ADDRESS} --no-bokeh", 'exec dask worker "$@" --no-dashboard'),
    ("dask-worker --nprocs $N --nthreads 1 --memory-limit 1GB",
     'exec dask worker "$@" --nworkers "$N" --nthreads 1 --memory-limit 1GB'),
    ("dask-worker --reconnect --lifetime 1h", 'exec dask worker "$@" --lifetime 1h'),
    ("dask-worker --name 'a b'", "exec dask worker \"$@\" '--name=a b-$(DASKHELM_POD_NAME)'"),
    ("dask-worker --name a-$HOSTNAME", 'exec dask worker "$@" --name a-$HOSTNAME'),
    ("dask-worker \\\n  --nthreads 2 \\\n  --nanny", 'exec dask worker "$@" \\\n  --nthreads 2 \\\n  --nanny'),
    ("/opt/bin/dask-worker", 'exec /opt/bin/dask worker "$@"'),
    ("python -m distributed.cli.dask_worker", 'exec python -m distributed.cli.dask_worker "$@"'),
    ("set -euo pipefail\ncd /x\ndask-worker\n", 'set -euo pipefail\ncd /x\nexec dask worker "$@"\n'),
]  # fmt: skip


@pytest.mark.parametrize(("script", "expected"), SCRIPTS)
def test_scripts(script: str, expected: str) -> None:
    """The chart's arguments come first, so that the script's own win; Dask takes the shell's place where it may."""
    found = read(["bash", "-c", script])
    assert found.program == ("bash", "-c", expected, "bash")


@pytest.mark.parametrize(
    ("args", "command", "expected"),
    [
        (["x"], ["sh", "-c"], (["sh", "-c"], ["x", "sh"])),
        (["/bin/bash", "-lc", "x"], ["tini", "--"], (["tini", "--"], ["/bin/bash", "-lc", "x", "bash"])),
        (None, ["bash", "-euo", "pipefail", "-c", "x"], (["bash", "-euo", "pipefail", "-c", "x"], ["bash"])),
        (["zsh", "-l", "-c", "x", "name"], None, ([], ["zsh", "-l", "-c", "x", "name"])),
    ],
)
def test_where_a_script_stands(args: Any, command: Any, expected: tuple[list[str], list[str]]) -> None:
    """A script may stand in the command or in the arguments, behind any of a shell's options."""
    found = read(
        args and [word.replace("x", "dask-worker") if word == "x" else word for word in args],
        command and [word.replace("x", "dask-worker") if word == "x" else word for word in command],
    )
    script = 'exec dask worker "$@"'
    assert [*(found.command or ())] == [script if word == "x" else word for word in expected[0]]
    assert [*(found.program or ())] == [script if word == "x" else word for word in expected[1]]


def test_a_script_that_hands_its_arguments_on() -> None:
    """What a script is told by its caller are options as others are."""
    found = read(["bash", "-c", 'cd /x; dask-worker --lifetime 1h "$@"', "me", "--nthreads", "2", "--no-dashboard"])
    assert found.program == ("bash", "-c", 'cd /x; exec dask worker "$@" --lifetime 1h', "me")
    assert found.values()["threads_per_worker"] == 2
    assert found.extra_args == ("--no-dashboard",)
    wrapped = read(["bash", "-c", 'cd /x; exec "$@"', "me", "dask-worker", "--nthreads", "2"])
    assert wrapped.program == ("bash", "-c", 'cd /x; exec "$@"', "me", "dask", "worker")
    assert wrapped.values()["threads_per_worker"] == 2


def test_a_script_tells_sizes() -> None:
    """What a script says of threads, memory, nanny and resources is what the chart reckons with."""
    told = "--nthreads 2 --memory-limit=6GB --no-nanny --resources 'GPU=1 B=2'"
    found = read(["sh", "-c", f"dask-worker {told}"])
    assert found.values() == {
        "program": ["sh", "-c", f'exec dask worker "$@" {told}', "sh"],
        "threads_per_worker": 2,
        "memory_limit": "6000000000",
        "nanny": False,
        "daskResources": {"GPU": 1, "B": 2},
    }  # fmt: skip


def test_a_schedulers_script() -> None:
    """What a scheduler must not be told is taken out of its script as well."""
    found = read(["sh", "-c", "a && dask-scheduler --port 9 --idle-timeout '1 hour' --jupyter"], role="scheduler")
    assert found.program == ("sh", "-c", 'a && exec dask scheduler "$@" --jupyter', "sh")
    assert found.found.idle_timeout == "1 hour"
    assert "--port 9" in found.notes[0]


@pytest.fixture
def stub(tmp_path: Path) -> dict[str, str]:
    """A `dask` that prints its arguments, and whether it took the shell's place."""
    for name in ("dask", "tini"):
        path = tmp_path / name
        text = 'echo "$$"; printf "%s\\n" "$@"' if name == "dask" else 'exec "$@"'
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    return {**os.environ, **VARIABLES, "N": "3", "PATH": f"{tmp_path}:{os.environ['PATH']}"}


@pytest.mark.parametrize("shell", [name for name in ("bash", "dash") if shutil.which(name)])
@pytest.mark.parametrize("name", ["a b", "x"])
@pytest.mark.parametrize(
    "script",
    [
        "true && dask-worker --lifetime 1h --name '{name}' $DASK_SCHEDULER_ADDRESS",
        "X=1 dask-worker --reconnect --lifetime '1h' --name \"{name}\"",
        "tini dask-worker --name '{name}' --lifetime=1h 2>&1",
        "dask-worker \\\n --name '{name}' \\\n --nprocs 1 --lifetime 1h",
        "cd /\n dask-worker --name '{name}' --lifetime 1h # the end\n",
    ],
)
def test_a_real_shell_understands_it(stub: dict[str, str], shell: str, script: str, name: str) -> None:
    """What a shell makes of the rewritten script is what Dask is to be told, and Dask gets the signals."""
    found = read([shell, "-c", script.replace("{name}", name)])
    words = as_kubernetes([*(found.program or ()), *chart_arguments(found, "worker"), *found.extra_args])
    with subprocess.Popen(words, env=stub, stdout=subprocess.PIPE, text=True) as process:
        printed = process.communicate(timeout=60)[0].splitlines()
    assert printed[0] == str(process.pid)
    params = meant(printed[2:])
    assert params["scheduler"] == VARIABLES["DASK_SCHEDULER_ADDRESS"]
    assert params["name"] == f"{name}-pod-1"
    assert params["lifetime"] == "1h"
    assert params["preload"] == ("json",)


@given(st.text(alphabet="ab '\"\\$&|;#()<>{}=\n-", max_size=30))
def test_words_stand_where_they_are_said_to(script: str) -> None:
    """Whatever a script is made of, either it is not understood, or its words are found at their places in order."""
    place = 0
    for command in scripts.parse(script) or []:
        for word in command.words:
            assert word.start >= place
            assert script[word.start : word.end] == word.text
            place = word.end
