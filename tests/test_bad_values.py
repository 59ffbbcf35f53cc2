"""Bad values are refused before anything is asked of helm or Kubernetes: where they stand, what is wrong, the cure."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import dask
import pytest
import yaml

from dask_kubernetes_helm import HelmCluster, contract, errors
from dask_kubernetes_helm.auth import KubeAuth
from dask_kubernetes_helm.chartvalues import schema, values, yamltext


def refused(given: Any, environment: Any = None) -> errors.HelmClusterError:
    with pytest.raises(errors.HelmClusterError) as caught:
        schema.check(values.layers(given, environment), contract.chart_path())
    return caught.value


def says(error: errors.HelmClusterError, *words: str) -> None:
    assert [word for word in words if word not in str(error)] == [], str(error)


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("worker:\n  replcias: 2", 2, 3, ["'worker.replcias'", "did you mean 'replicas'?"]),
        ("replicas: 2", 1, 1, ["'replicas'", "there is scheduler.replicas and worker.replicas", "Keys of the chart"]),
        ("worker:\n  volumes: []", 2, 3, ["there is scheduler.mounts.volumes and worker.mounts.volumes"]),
        ("scheduler:\n  Image: {}", 2, 3, ["did you mean 'image'?"]),
        ("worker: 3", 1, 1, ["worker is an integer, not a mapping"]),
        ("worker: {env: {A: b}}", 1, 10, ["worker.env is a mapping, not a list", "a list of name and value"]),
        ("worker: {replicas: '3'}", 1, 10, ["is text, not an integer", "without quotes", "Number of worker pods"]),
        ("worker: {replicas: -1}", 1, 10, ["is -1, which is below the minimum of 0"]),
        ("worker: {replicas: 1.5}", 1, 10, ["is a number, not an integer"]),
        ("worker: {nanny: 'true'}", 1, 10, ["is text, not true or false", "without quotes"]),
        ("image:\n  tag: 2026.10", 2, 3, ["YAML reads 2026.10 as 2026.1", 'Quote it: "2026.10"']),
        ("image: {tag: 2026.10}\n", 1, 9, ["image.tag is a number, not text"]),
        ("worker: {podLabels: {a: true}}", 1, 22, ["podLabels.a is a boolean, not text", "quotes"]),
        ("worker: {podLabels: {a b: x}}", 1, 10, ["has the key 'a b', which is not a label's or annotation's key"]),
        ("worker:\n  env:\n  - name: A\n    value: 1", 4, 5, ["worker.env[0].value is an integer, not text"]),
        ("worker:\n  env:\n  - {name: A}\n  - {value: x}", 4, 5, ["worker.env[1] lacks name"]),
        ("worker: {env: [{name: A, valueFrom: {secretKeyRef: {name: s}}}]}", 1, 38, ["lacks key"]),
        ("worker: {envFrom: [{prefix: a}]}", 1, 20, ["needs one of configMapRef, secretRef"]),
        ("worker: {resources: {limits: {memory: 4Go}}}", 1, 31, ["no quantity", "6Gi", "Did you mean 4Gi or 4G?"]),
        ("worker: {resources: {requests: {cpu: two}}}", 1, 33, ["requests.cpu is no quantity", "500m or 2"]),
        ("worker: {memory_limit: 6 GB}", 1, 10, ["worker.memory_limit is no quantity", "Did you mean 6Gi or 6G?"]),
        ("worker: {resources: {limits: {gpu: 1}}}", 1, 22, ["resources.limits has the key 'gpu'"]),
        ("worker: {resources: {limit: {}}}", 1, 22, ["did you mean 'limits'?"]),
        ("worker: {mounts: {volumes: [{name: a, emtpyDir: {}}]}}", 1, 39, ["did you mean 'emptyDir'?"]),
        ("worker: {mounts: {volumes: [{name: A}]}}", 1, 30, ["volumes[0].name is not a name: lower case letters"]),
        ("worker: {mounts: {volumeMounts: [{name: a}]}}", 1, 34, ["volumeMounts[0] lacks mountPath"]),
        ("worker: {tolerations: [{operator: Exist}]}", 1, 25, ["none of 'Equal', 'Exists'", "did you mean 'Exists'?"]),
        ("worker: {tolerations: [{value: a}]}", 1, 24, ["worker.tolerations[0] lacks operator"]),
        ("worker: {affinity: {nodeAfinity: {}}}", 1, 21, ["did you mean 'nodeAffinity'?"]),
        ("worker: {securityContext: {runAsUser: root}}", 1, 28, ["runAsUser is text, not an integer"]),
        ("worker: {readinessProbe: {tcpSocket: {port: 70000}}}", 1, 39, ["is 70000, which is above the maximum"]),
        ("worker: {strategy: {type: Rolling}}", 1, 21, ["did you mean 'RollingUpdate'?"]),
        ("worker: {initContainers: [{name: a, image: b, livenessProbe: {}}]}", 1, 47, ["livenessProbe is not allowed"]),
        ("worker: {extraContainers: [{name: a}]}", 1, 28, ["extraContainers[0] lacks image"]),
        ("worker: {groups: {GPU: {}}}", 1, 10, ["has the key 'GPU', which is not a group's name"]),
        ("worker: {groups: {gpu: {replica: 2}}}", 1, 25, ["'worker.groups.gpu.replica'", "did you mean 'replicas'?"]),
        ("scheduler: {serviceType: clusterip}", 1, 13, ["did you mean 'ClusterIP'?"]),
        ("lifecycle: {ttl: soon}", 1, 13, ["lifecycle.ttl is no duration", '"30 minutes"']),
        ("fullnameOverride: My Grid", 1, 1, ["fullnameOverride does not have the form"]),
        ("worker: {podTemplate: {metadat: {}}}", 1, 24, ["did you mean 'metadata'?"]),
    ],
)  # fmt: skip
def test_bad_value(tmp_path: Path, text: str, line: int, column: int, words: list[str]) -> None:
    """A key or a value that the schema refuses: file, line and column, what is wrong, and what would be right."""
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    error = refused(path)
    assert isinstance(error, errors.ValuesSchemaError)
    says(error, f"{path}:{line}:{column}: ", *words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("worker: [", ["line 1, column 10", "not valid YAML"]),
        ("worker:\n\treplicas: 3", ["line 2, column 1", "no tabs"]),
        ("worker: {}\nimage: {}\nworker: {}", ["line 3, column 1", "'worker' is given twice, first in line 1"]),
        ("a: b: c", ["line 1, column 5", "Quote a text"]),
        ("a: 1\n---\nb: 2", ["line 2, column 1", "one document"]),
        ("- a", ["holds a list, not a mapping"]),
        ("just text", ["holds a str, not a mapping"]),
        ("a: \x00", ["not valid YAML"]),
    ],
)
def test_bad_text(tmp_path: Path, text: str, words: list[str]) -> None:
    """A file that is no YAML, or no mapping, is named with the line and the column."""
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    error = refused(str(path))
    assert isinstance(error, errors.ValuesFileError)
    says(error, str(path), *words)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("no/such.yaml", ["no/such.yaml", "No such file", "packaged environments are"]),
        ("worker: {replicas: 2}", ["not the path of a file", "yaml.safe_load"]),
        ([{"worker": {"x": {1}}}], ["worker.x is of type set", "JSON's types"]),
        ({"worker": {"threads_per_worker": math.nan}}, ["worker.threads_per_worker is nan"]),
        ({"worker": {"replicas": "3"}}, ["values mapping 1: worker.replicas is text"]),
        ([{}, {"worker": {"env": [{"name": "A", "value": 1}]}}], ["values mapping 2: worker.env[0].value"]),
        (7, ["values is int", "a mapping, or a list"]),
    ],
)
def test_bad_argument(given: Any, words: list[str]) -> None:
    """What is given as values and can't be any is told by its place."""
    says(refused(given), *words)


def test_values_that_hold_themselves() -> None:
    """A mapping that holds itself is an error, not an endless recursion."""
    given: dict[str, Any] = {}
    given["worker"] = given
    says(refused(given), "nested more than")


@pytest.mark.parametrize("name", ["prodution", "production.yaml", "Production", "values/production.yaml"])
def test_bad_environment(name: str) -> None:
    """An environment that there is not tells the nearest that there is."""
    error = refused(None, name)
    assert isinstance(error, errors.UnknownEnvironmentError)
    says(error, f"no environment {name!r}", "did you mean 'production'?")


def test_an_environment_of_another_type() -> None:
    """An environment is a name."""
    says(refused(None, 3), "environment is int", "production")


def test_an_environment_is_told_with_its_file(tmp_path: Path) -> None:
    """A mistake in an environment of one's own names the environment, the file and the line."""
    (tmp_path / "mine.yaml").write_text("# mine\nworker: {nany: true}\n")
    with dask.config.set({"kubernetes.environments": str(tmp_path)}):
        says(refused(None, "mine"), f"environment 'mine', {tmp_path / 'mine.yaml'}:2:10: ", "did you mean 'nanny'?")


def test_a_template_is_told_as_rendered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines of a template are those that it renders to, and the message says so."""
    monkeypatch.setenv("WORKERS", "many")
    path = tmp_path / "mine.yaml.j2"
    path.write_text("{% if true %}\n{% endif %}\nworker:\n  replicas: {{ WORKERS }}\n")
    says(refused(path), f"{path} as rendered:4:3: worker.replicas is text, not an integer")


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    """The first mistake comes with the others, each with its place."""
    path = tmp_path / "mine.yaml"
    path.write_text("worker:\n  replcias: 2\n  nanny: 3\nscheduler: {replicas: x}\n")
    says(refused(path), "'worker.replcias'", "Also: ", f"{path}:3:3: worker.nanny", f"{path}:4:13: scheduler.replicas")


@pytest.mark.parametrize("key", ["env", "annotations"])
def test_no_value_that_may_be_a_secret_is_told(tmp_path: Path, key: str) -> None:
    """Neither a schema's nor a parser's message holds what stands in the file."""
    path = tmp_path / "mine.yaml"
    secret = "77.10" if key == "annotations" else "77.20"
    given = {"env": f"[{{name: A, value: {secret}}}]", "annotations": f"{{a: {secret}}}"}[key]
    path.write_text(f"worker: {{{key}: {given}}}")
    assert "77." not in str(refused(path))
    path.write_text(f"worker: {{{key}: {given}")
    assert "77." not in str(refused(path))


def test_null_is_judged_as_helm_does() -> None:
    """Helm takes null for the taking away of a default only where there is a mapping of defaults."""
    says(refused({"worker": {"resources": {"limits": {"cpu": None}}}}), "worker.resources.limits.cpu")
    schema.check(values.layers({"worker": {"readinessProbe": {"tcpSocket": None}}}), contract.chart_path())


@pytest.mark.parametrize(
    "given", ["worker: {replcias: 2}", "worker: {resources: {limits: {cpu: two}}}", "worker: [", "worker: {a: 1, a: 2}"]
)
def test_nothing_is_created(tmp_path: Path, given: str) -> None:
    """Bad values are refused before helm is asked for more than its version, and Kubernetes for anything at all."""
    helm, asked, path = (tmp_path / name for name in ("helm", "asked", "mine.yaml"))
    helm.write_text(f'#!/bin/sh\necho "$@" >> {asked}\necho v4.1.4+g05fa379\n')
    helm.chmod(0o755)
    path.write_text(given)
    # Nobody is there: whoever asks Kubernetes gets another error.
    nobody = KubeAuth("https://127.0.0.1:1", verify_ssl=False)
    with dask.config.set({"kubernetes.helm.executable": str(helm)}), pytest.raises(errors.ValuesError):
        HelmCluster(values=path, auth=nobody, namespace="none", quiet=True)
    said = asked.read_text().splitlines() if asked.exists() else []
    assert [line for line in said if not line.startswith("version")] == []


def test_where_each_value_stands() -> None:
    """Keys, items of lists and scalars as they are written have their line and column."""
    found, marks = yamltext.read("a:\n- b: 2026.10\n  c: '1'\n")
    assert found == {"a": [{"b": 2026.1, "c": "1"}]}
    assert marks["a", 0, "b"] == yamltext.Mark(2, 3, "2026.10")
    assert marks["a", 0, "c"] == yamltext.Mark(3, 3, "")
    assert yamltext.read("a: &x {b: 1}\nc: *x\n")[1]["c", "b"].line == 1
    assert yaml.safe_load("a: 1") == yamltext.read("a: 1")[0]
