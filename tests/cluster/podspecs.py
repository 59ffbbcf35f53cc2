"""Pod templates as Kubernetes 1.34 takes them, generated: as many fields as the API has, consistent with each other.

Belongs here: what is legal input. Never here: what must become of it (test_template_fields.py).
"""

from __future__ import annotations

import string
from itertools import count
from typing import Any

from hypothesis import strategies as st

Strategy = st.SearchStrategy[Any]
Draw = Any

#: Text that some layer between Python and the API server (JSON, YAML, Go's templates) could take for something else.
TRICKY = [
    *("", " ", "true", "null", "~", "no", "1", "1e3", "0x1F", "0o17", "1_000", "12:30", "2001-01-01", "=", "<<"),
    *(".inf", "nan"),
    *("a: b", "# a", "a #b", "- a", "[a", "{a", "%a", "@a", "`a", "&a", "*a", "!a", "|", ">-", "? a", "'\"\\", "<b>&"),
    *("{{ .Values.image }}", "$(HOME)", "$$(HOME)", "${HOME}", "\n", "a\n", "a\n\n", "a\n\nb\n", "  a\n b", "a \n b "),
    *("\ta", "a\r\nb", "\N{LATIN SMALL LETTER E WITH ACUTE}", "\N{GRINNING FACE}", "\N{LINE SEPARATOR}", "\x01"),
    *("\ufeff", "x y " * 60),
]  # fmt: skip
TEXT = st.one_of(
    st.sampled_from(TRICKY), st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Cn"]), max_size=9)
)
_LABELS = ["a", "b-1", "true", "null", "123", "1e3", "0x1f", "yes", "y", "on", "0o17", "dask", "notebook"]
LABEL = st.sampled_from(_LABELS)
SUBDOMAIN = st.sampled_from([*_LABELS, "x.y", "1.5", "system-node-critical"])
KEY = st.sampled_from(["a", "true", "1", "1.5", "y", "example.com/B_c", "x.y/null", "topology.kubernetes.io/zone"])
VALUE = st.sampled_from(["", "a", "A_b.c", "true", "null", "1", "1e3", "0x1", "1.50", "no"])
VARIABLE = st.sampled_from(
    [
        *("A", "B", "y", "_x", "X-1.a", "1X", "HOME", "DASK_TEMPORARY_DIRECTORY", "DASK_X", "DASK_SCHEDULER_ADDRESS"),
    ]
)
WORDS = st.lists(TEXT, max_size=3)
PATH = st.sampled_from(["a", "a/b.txt", "x-1", "true", "123"])
MODE = st.sampled_from([0o400, 0o644, 0o777, 0])
ID = st.sampled_from([0, 1, 1000, 65534, 1000690000, 2**31 - 1])
SECONDS = st.sampled_from([1, 5, 30, 1_000_000])
BOOL = st.booleans()
IMAGES = st.sampled_from(
    [
        *("a", "a:latest", "a:1", "r.io:5000/x/y:1.0_b", "ghcr.io/dask/dask:2026.8.0-py3.13", f"x/y@sha256:{'a' * 64}"),
        f"x/y:latest@sha256:{'b' * 64}",
    ]
)
_PULL = st.sampled_from(["Always", "IfNotPresent", "Never"])
_DIGITS = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=4)


def some(needed: dict[str, Strategy] | None = None, **optional: Strategy) -> Strategy:
    """A mapping with what is needed, and any of the rest."""
    return st.fixed_dictionaries(needed or {}, optional=optional)


def listed(item: Strategy, most: int = 2, least: int = 1, by: str | None = None) -> Strategy:
    """A short list; its items differ by a key, or may be twins."""
    unique = (lambda found: found[by]) if by else None
    return st.lists(item, min_size=least, max_size=most, unique_by=unique)


def kinds(**strategies: Strategy) -> Strategy:
    """A mapping with one of the keys."""
    return st.one_of([strategy.map(lambda found, key=key: {key: found}) for key, strategy in strategies.items()])


def mapping(keys: Strategy, texts: Strategy, most: int = 3) -> Strategy:
    return st.dictionaries(keys, texts, min_size=1, max_size=most)


# Variables and amounts ----------------------------------------------------------------------------------

_FIELD = kinds(
    fieldPath=st.sampled_from([
        *("metadata.name", "metadata.namespace", "metadata.uid", "metadata.labels['a']", "metadata.annotations['x/y']"),
        *("spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP"),
        "status.podIPs",
    ])
)  # fmt: skip


def _amount(containers: list[str], *, volume: bool) -> Strategy:
    name = {"containerName": st.sampled_from([containers[0], *containers])}
    resource = st.sampled_from(["limits.cpu", "requests.memory", "limits.memory", "requests.ephemeral-storage"])
    divisor = st.sampled_from(["1", "0"])
    if volume:
        return some({"resource": resource, **name}, divisor=divisor)
    return some({"resource": resource}, divisor=divisor, **name)


def _variables(containers: list[str]) -> Strategy:
    reference = some({"name": SUBDOMAIN, "key": st.sampled_from(["a", "true", "A.b_c"])}, optional=BOOL)
    source = kinds(
        fieldRef=_FIELD,
        resourceFieldRef=_amount(containers, volume=False),
        configMapKeyRef=reference,
        secretKeyRef=reference,
    )
    variable = st.one_of(some({"name": VARIABLE}, value=TEXT), some({"name": VARIABLE, "valueFrom": source}))
    return st.lists(variable, max_size=4)


_WHOLE = some({"name": SUBDOMAIN}, optional=BOOL)
_ENV_FROM = listed(
    st.builds(
        lambda source, prefix: {**source, **prefix},
        kinds(configMapRef=_WHOLE, secretRef=_WHOLE),
        some(prefix=st.sampled_from(["P_", "y"])),
    )
)
#: Request and limit of a resource that differ, and of one that may not.
_CPU = st.sampled_from([("100m", "1"), ("0.5", "1500m"), ("250000u", "2"), (".5", "1")])
_MEMORY = st.sampled_from([("64Mi", "1.5Gi"), ("1e6", "6G"), ("129e6", "133456789"), ("128974848000m", "1Gi")])
_STORAGE = st.just(("1Gi", "10Gi"))
_DEVICES = {"nvidia.com/gpu": st.just("1"), "example.com/fpga": st.just("2"), "amd.com/gpu": st.just("1k")}


@st.composite
def _resources(draw: Draw, claims: list[str]) -> Any:
    found = draw(some(cpu=_CPU, memory=_MEMORY, **{"ephemeral-storage": _STORAGE}))
    requests = {key: pair[0] for key, pair in found.items()}
    limits = {key: pair[1] for key, pair in found.items()}
    devices = draw(st.one_of(st.just({}), some(**_DEVICES)))
    if draw(st.integers(0, 4)) == 0 and "memory" in found:
        devices = {**devices, "hugepages-2Mi": "4Mi"}
    how = draw(st.sampled_from(["both", "limits", "requests"]))
    both = {"limits": {**limits, **devices}, "requests": {**requests, **devices}}
    if how == "requests":
        both = {"requests": requests}
    elif how == "limits":
        both = {"limits": {**limits, **devices}}
    if claims and draw(BOOL):
        both["claims"] = [draw(some({"name": st.sampled_from(claims)}, request=st.just("gpu")))]
    return both


# Probes and hooks ---------------------------------------------------------------------------------------

_PORT = st.sampled_from([80, 65535, "http", "1e3"])
_EXEC = some(command=WORDS.filter(bool))
_HTTP = some(
    {"port": _PORT},
    path=st.sampled_from(["/", "/a?b=c&d", ""]),
    host=st.sampled_from(["127.0.0.1", "a.b"]),
    scheme=st.sampled_from(["HTTP", "HTTPS"]),
    httpHeaders=listed(some({"name": st.sampled_from(["X-A", "Host"]), "value": TEXT})),
)
_TCP = some({"port": _PORT}, host=st.just("10.0.0.1"))


@st.composite
def _probe(draw: Draw, *, readiness: bool = False) -> Any:
    grpc = some({"port": st.just(9000)}, service=st.sampled_from(["", "a.B"]))
    handler = draw(kinds(exec=_EXEC.filter(bool), httpGet=_HTTP, tcpSocket=_TCP, grpc=grpc))
    timing = {
        "initialDelaySeconds": st.sampled_from([0, 7]),
        "timeoutSeconds": SECONDS,
        "periodSeconds": SECONDS,
        "failureThreshold": SECONDS,
        **({"successThreshold": SECONDS} if readiness else {"terminationGracePeriodSeconds": SECONDS}),
    }
    return {**handler, **draw(some(**timing))}


_HANDLER = kinds(exec=_EXEC.filter(bool), httpGet=_HTTP, tcpSocket=_TCP, sleep=st.just({"seconds": 1}))
_HOOKS = some(postStart=_HANDLER, preStop=_HANDLER)
_PROBES = {"livenessProbe": _probe(), "readinessProbe": _probe(readiness=True), "startupProbe": _probe()}

# Security -----------------------------------------------------------------------------------------------

_PROFILE = st.one_of(
    st.sampled_from([{"type": "RuntimeDefault"}, {"type": "Unconfined"}]),
    st.just({"type": "Localhost", "localhostProfile": "profiles/a.json"}),
)
_SELINUX = some(user=st.just("u"), role=st.just("r"), type=st.just("t"), level=st.just("s0:c123,c456"))
_WINDOWS = some(gmsaCredentialSpecName=LABEL, runAsUserName=st.just("ContainerUser"), hostProcess=st.just(False))
_BOTH_LEVELS = {
    "runAsUser": ID,
    "runAsGroup": ID,
    "runAsNonRoot": BOOL,
    "seLinuxOptions": _SELINUX,
    "seccompProfile": _PROFILE,
    "appArmorProfile": _PROFILE,
}


def _container_security(*, windows: bool) -> Strategy:
    return (
        some(
            **_BOTH_LEVELS,
            privileged=st.just(False),
            allowPrivilegeEscalation=BOOL,
            readOnlyRootFilesystem=BOOL,
            procMount=st.just("Default"),
            capabilities=some(
                add=listed(st.sampled_from(["NET_ADMIN", "SYS_PTRACE"])), drop=st.just(["ALL"])
            ),
            **({"windowsOptions": _WINDOWS} if windows else {}),
        )
    )  # fmt: skip


def _pod_security(host: dict[str, Any], *, windows: bool) -> Strategy:
    sysctls = {"kernel.shm_rmid_forced": "1"} if "hostIPC" not in host else {}
    sysctls |= {"net.ipv4.tcp_syncookies": "0", "net.ipv4.ip_local_port_range": "1024 2048"} if not host else {}
    one = st.sampled_from([{"name": key, "value": value} for key, value in sysctls.items()]) if sysctls else None
    return some(
        **_BOTH_LEVELS,
        fsGroup=ID,
        fsGroupChangePolicy=st.sampled_from(["OnRootMismatch", "Always"]),
        supplementalGroups=listed(ID),
        supplementalGroupsPolicy=st.sampled_from(["Merge", "Strict"]),
        seLinuxChangePolicy=st.just("Recursive"),
        **({} if one is None else {"sysctls": listed(one, by="name")}),
        **({"windowsOptions": _WINDOWS} if windows else {}),
    )


# Volumes ------------------------------------------------------------------------------------------------


def _items(path: Strategy) -> dict[str, Strategy]:
    item = some({"key": st.sampled_from(["a", "true", "A.b"]), "path": path}, mode=MODE)
    return {"items": listed(item, by="path"), "optional": BOOL}


_STORE = {"storageClassName": SUBDOMAIN, "volumeMode": st.sampled_from(["Filesystem", "Block"]), "volumeName": LABEL}
_CLAIM = some(
    {
        "accessModes": st.sampled_from([["ReadWriteOnce"], ["ReadOnlyMany", "ReadWriteMany"]]),
        "resources": st.just({"requests": {"storage": "1.5Gi"}}),
    },
    **_STORE,
)
_SECRET = some({"name": SUBDOMAIN})
_TOKEN = some({"path": st.just("t")}, audience=TEXT, expirationSeconds=st.sampled_from([600, 1_000_000]))


def _downward(containers: list[str], path: Strategy) -> Strategy:
    paths = ["metadata.name", "metadata.labels", "metadata.annotations", "metadata.labels['a']", "metadata.uid"]
    field = kinds(
        fieldRef=st.sampled_from([{"fieldPath": path} for path in paths]),
        resourceFieldRef=_amount(containers, volume=True),
    )
    item = st.builds(lambda field, rest: {**field, **rest}, field, some({"path": path}, mode=MODE))
    return listed(item, by="path")


def _projected(containers: list[str]) -> Strategy:
    """Sources of a projected volume, which share no path."""
    ways = [st.sampled_from([f"{letter}/1", f"{letter}/x.y"]) for letter in "csd"]
    named = {"name": SUBDOMAIN}
    source = kinds(
        configMap=some(named, **_items(ways[0])),
        secret=some(named, **_items(ways[1])),
        downwardAPI=some(items=_downward(containers, ways[2])),
        serviceAccountToken=_TOKEN,
    )
    return st.lists(source, max_size=3, unique_by=lambda one: next(iter(one)))


def _sources(containers: list[str]) -> Strategy:
    """Volumes by their kind."""
    volume = some({"volumeID": st.just("vol-1")}, fsType=st.just("ext4"), readOnly=BOOL)
    return some(
        emptyDir=some(medium=st.sampled_from(["", "Memory"]), sizeLimit=st.sampled_from(["1Gi", "1e9", "0.5Gi"])),
        configMap=some({"name": SUBDOMAIN}, defaultMode=MODE, **_items(PATH)),
        secret=some({"secretName": SUBDOMAIN}, defaultMode=MODE, **_items(PATH)),
        projected=some({"sources": _projected(containers)}, defaultMode=MODE),
        downwardAPI=some(items=_downward(containers, PATH), defaultMode=MODE),
        hostPath=some({"path": st.just("/mnt/a b")}, type=st.sampled_from(["", "Directory", "DirectoryOrCreate"])),
        persistentVolumeClaim=some({"claimName": SUBDOMAIN}, readOnly=BOOL),
        nfs=some({"server": st.just("10.0.0.1"), "path": st.just("/x")}, readOnly=BOOL),
        csi=some(
            {"driver": st.just("example.com")},
            fsType=st.just("xfs"),
            readOnly=BOOL,
            volumeAttributes=mapping(KEY, TEXT),
            nodePublishSecretRef=_SECRET,
        ),
        ephemeral=some(
            {
                "volumeClaimTemplate": some(
                    {"spec": _CLAIM},
                    metadata=some(labels=mapping(KEY, VALUE), annotations=mapping(KEY, TEXT)),
                )
            }
        ),
        image=some({"reference": IMAGES}, pullPolicy=_PULL),
        iscsi=some(
            {"targetPortal": st.just("1.2.3.4:3260"), "iqn": st.just("iqn.2001-04.com.example:s"), "lun": st.just(0)},
            portals=st.just(["1.2.3.5:3260"]),
            readOnly=BOOL,
        ),
        fc=some({"targetWWNs": st.just(["500a"]), "lun": st.just(2)}, fsType=st.just("ext4")),
        azureFile=some({"secretName": SUBDOMAIN, "shareName": st.just("s")}, readOnly=BOOL),
        cephfs=some({"monitors": st.just(["1.2.3.4:6789"])}, secretRef=_SECRET, user=TEXT),
        awsElasticBlockStore=volume,
        cinder=volume,
    )


@st.composite
def _mounts(draw: Draw, volumes: list[dict[str, Any]], host: dict[str, Any]) -> dict[str, Any]:
    if not volumes:
        return {}
    names = [volume["name"] for volume in volumes]
    blocks = [volume["name"] for volume in volumes if {"persistentVolumeClaim", "ephemeral"} & set(volume)]
    devices = draw(st.sets(st.sampled_from(blocks), max_size=1)) if blocks and "hostUsers" not in host else set()
    mount = some(
        {
            "name": st.sampled_from(names),
            "mountPath": st.sampled_from(["/a", "/b c", "/tmp", "/dask", "/dask/x", "/1"]),
        },
        readOnly=BOOL,
        subPath=PATH,
        mountPropagation=st.sampled_from(["None", "HostToContainer"]),
    )
    found = [
        one for one in draw(st.lists(mount, max_size=3, unique_by=lambda one: one["mountPath"]))
        if one["name"] not in devices
    ]  # fmt: skip
    for one in found:
        if "subPath" in one and draw(BOOL):
            one["subPathExpr"] = one.pop("subPath") + "/$(A)"
        if one.get("readOnly") and one.get("mountPropagation", "None") == "None":
            one.update(draw(some(recursiveReadOnly=st.sampled_from(["Disabled", "IfPossible", "Enabled"]))))
    blocked = [{"name": name, "devicePath": "/dev/xvda"} for name in sorted(devices)]
    return {key: value for key, value in (("volumeMounts", found), ("volumeDevices", blocked)) if value}


# Containers ---------------------------------------------------------------------------------------------

#: What Dask's container starts: understood by the translation, and not.
COMMANDS = [
    {},
    {"args": ["dask-worker"]},
    {"args": ["dask", "worker", "--nthreads", "2", "--memory-limit", "1MB", "--death-timeout", "60"]},
    {"command": ["dask-worker", "--no-dashboard", "--name", "w"]},
    {"command": ["tini", "-g", "--"], "args": ["dask", "worker", "--nworkers", "2"]},
    {"command": ["sh", "-c"], "args": ['pip install x && exec dask-worker --nthreads 1 "$@"', "sh"]},
    {"args": ["python", "-m", "distributed.cli.dask_worker", "--resources", "GPU=1"]},
    {"args": ["dask-cuda-worker", "--rmm-pool-size", "1GB"]},
]
RAW = [{"command": ["/run.sh"]}, {"args": ["sleep", "\n", "true"]}, {"command": ["/usr/bin/env"], "args": ["1", ""]}]
_NUMBERS = st.integers(1024, 8700)


#: Names of ports that are there a second time, or that the chart has.
GOING = ("twin", "dashboard")


def _ask_at(name: str, handlers: list[dict[str, Any]]) -> None:
    for handler in handlers:
        for way in ("httpGet", "tcpSocket"):
            if way in handler:
                handler[way]["port"] = name


@st.composite
def _ports(draw: Draw, numbers: Any, *, host: bool) -> Any:
    found = []
    for name in draw(listed(st.sampled_from(["http", "1e3", "true", None, "x"]), most=2)):
        number = next(numbers)
        port = {"containerPort": number, **({"name": f"{name}{number % 10}"} if name else {})}
        port |= draw(some(protocol=st.sampled_from(["TCP", "UDP", "SCTP"])))
        if not host:
            port |= draw(some(hostPort=st.just(number + 20000), hostIP=st.just("10.0.0.1")))
        found.append(port)
    rest = {key: value for key, value in found[0].items() if key in ("containerPort", "protocol")}
    if not host and draw(st.integers(0, 3)) == 0:
        found.append({**rest, "name": "twin"})
    return found


@st.composite
def _container(draw: Draw, world: dict[str, Any], role: str) -> dict[str, Any]:
    """One container; `role` is "dask", "side", "init" or "sidecar" (native)."""
    security = draw(st.none() | _container_security(windows=world["windows"]))
    fields: dict[str, Strategy] = {
        "imagePullPolicy": _PULL,
        "workingDir": st.sampled_from(["/", "/a b"]),
        "env": _variables(world["names"]),
        "envFrom": _ENV_FROM,
        "ports": _ports(world["ports"], host="hostNetwork" in world["host"]),
        "resources": _resources(world["claims"]),
        "terminationMessagePath": st.sampled_from(["/dev/termination-log", "/a"]),
        "terminationMessagePolicy": st.sampled_from(["File", "FallbackToLogsOnError"]),
        "stdin": BOOL,
        "stdinOnce": BOOL,
        "tty": BOOL,
    }
    if role == "dask":
        commanded = draw(st.sampled_from(COMMANDS) | st.sampled_from(RAW))
    else:
        commanded = draw(some(command=WORDS, args=WORDS))
    if role != "init":
        resize = some({"resourceName": st.sampled_from(["cpu", "memory"]), "restartPolicy": st.just("NotRequired")})
        fields |= {**_PROBES, "lifecycle": _HOOKS.filter(bool), "resizePolicy": listed(resize, by="resourceName")}
    rest = draw(some(**fields))
    if role == "dask" and "ports" in rest and draw(BOOL):
        rest["ports"].append({"containerPort": 8790, "name": "dashboard"})
    for port in rest.get("ports", ()):
        if port.get("name") in GOING:
            _ask_at(port["name"], [rest.get(key, {}) for key in _PROBES] + [*rest.get("lifecycle", {}).values()])
    return {
        "image": draw(IMAGES),
        **commanded,
        **rest,
        **draw(_mounts(world["volumes"], world["host"])),
        **({"securityContext": security} if security is not None else {}),
        **({"restartPolicy": "Always"} if role == "sidecar" else {}),
    }


# Placement ----------------------------------------------------------------------------------------------

_EXPRESSIONS = st.one_of(
    some({"key": KEY, "operator": st.sampled_from(["In", "NotIn"]), "values": listed(VALUE)}),
    some({"key": KEY, "operator": st.sampled_from(["Exists", "DoesNotExist"])}),
)
_SELECTOR = some(matchLabels=mapping(KEY, VALUE), matchExpressions=listed(_EXPRESSIONS))
_NODE_EXPRESSIONS = _EXPRESSIONS | some({
    "key": KEY, "operator": st.sampled_from(["Gt", "Lt"]), "values": st.just(["123"])
})  # fmt: skip
_NODE_FIELDS = some(
    {"key": st.just("metadata.name"), "operator": st.sampled_from(["In", "NotIn"]), "values": st.just(["n"])}
)
_NODE_TERM = some(matchExpressions=listed(_NODE_EXPRESSIONS), matchFields=listed(_NODE_FIELDS)).filter(bool)
_WEIGHT = st.sampled_from([1, 50, 100])
REQUIRED, PREFERRED = (f"{how}DuringSchedulingIgnoredDuringExecution" for how in ("required", "preferred"))


@st.composite
def _pod_term(draw: Draw) -> Any:
    found = draw(
        some(
            {"topologyKey": KEY},
            labelSelector=_SELECTOR,
            namespaces=listed(LABEL),
            namespaceSelector=st.just({}) | _SELECTOR,
        )
    )
    if "labelSelector" in found:
        found |= draw(some(matchLabelKeys=st.just(["pod-template-hash"]), mismatchLabelKeys=st.just(["tenant"])))
    return found


_POD_AFFINITY = some(
    **{
        REQUIRED: listed(_pod_term()),
        PREFERRED: listed(some({"weight": _WEIGHT, "podAffinityTerm": _pod_term()})),
    }
)
_AFFINITY = some(
    nodeAffinity=some(
        **{
            REQUIRED: some({"nodeSelectorTerms": listed(_NODE_TERM)}),
            PREFERRED: listed(some({"weight": _WEIGHT, "preference": _NODE_TERM})),
        }
    ),
    podAffinity=_POD_AFFINITY,
    podAntiAffinity=_POD_AFFINITY,
)
_EFFECT = st.sampled_from(["NoSchedule", "PreferNoSchedule"])
_OWN_TAINT = {"key": "k8s.dask.org/dedicated", "operator": "Equal", "value": "worker", "effect": "NoSchedule"}
_TOLERATION = st.one_of(
    some({"key": KEY}, operator=st.just("Equal"), value=VALUE, effect=_EFFECT),
    some({"operator": st.just("Exists")}, key=KEY, effect=_EFFECT),
    some(
        {"key": KEY, "effect": st.just("NoExecute")}, value=VALUE, tolerationSeconds=st.sampled_from([0, 300, 10**10])
    ),
    st.just(_OWN_TAINT),
)


@st.composite
def _spread(draw: Draw) -> Any:
    found = draw(
        some(
            {"maxSkew": st.sampled_from([1, 3]), "topologyKey": KEY},
            labelSelector=_SELECTOR,
            nodeAffinityPolicy=st.sampled_from(["Honor", "Ignore"]),
            nodeTaintsPolicy=st.sampled_from(["Honor", "Ignore"]),
        )
    )
    found["whenUnsatisfiable"] = draw(st.sampled_from(["DoNotSchedule", "ScheduleAnyway"]))
    if found["whenUnsatisfiable"] == "DoNotSchedule":
        found |= draw(some(minDomains=st.just(2)))
    if "labelSelector" in found:
        found |= draw(some(matchLabelKeys=st.just(["pod-template-hash"])))
    return found


# Pods ---------------------------------------------------------------------------------------------------

_HOSTS = [{}, {}, {}, {"hostNetwork": True}, {"hostPID": True}, {"hostIPC": True}, {"hostUsers": False}]
_NAMESERVERS = st.just(["10.0.0.1", "10.0.0.2"])
_DNS = some(searches=st.just(["a.b", "c"]), options=listed(some({"name": st.just("ndots")}, value=VALUE.filter(bool))))


def _simple(host: dict[str, Any]) -> dict[str, Strategy]:
    """Fields that go with any others."""
    shared = {} if "hostPID" in host else {"shareProcessNamespace": BOOL}
    return {
        **shared,
        "affinity": _AFFINITY,
        "automountServiceAccountToken": BOOL,
        "dnsConfig": _DNS,
        "dnsPolicy": st.sampled_from(["ClusterFirst", "ClusterFirstWithHostNet", "Default"]),
        "enableServiceLinks": BOOL,
        "hostAliases": listed(some({"ip": st.sampled_from(["10.0.0.1", "fd00::1"])}, hostnames=st.just(["a", "b.c"]))),
        "hostname": LABEL,
        "imagePullSecrets": listed(_SECRET),
        "nodeSelector": mapping(KEY, VALUE),
        "preemptionPolicy": st.sampled_from(["Never", "PreemptLowerPriority"]),
        "priority": st.sampled_from([0, 5, 2_000_000_000]),
        "priorityClassName": SUBDOMAIN,
        "readinessGates": listed(some({"conditionType": KEY})),
        "restartPolicy": st.sampled_from(["Never", "OnFailure", "Always"]),
        "runtimeClassName": SUBDOMAIN,
        "schedulerName": SUBDOMAIN,
        "serviceAccount": SUBDOMAIN,
        "serviceAccountName": SUBDOMAIN,
        "setHostnameAsFQDN": BOOL,
        "subdomain": LABEL,
        "terminationGracePeriodSeconds": st.sampled_from([1, 30, 120, 1_000_000, 2_592_000]),
        "tolerations": listed(_TOLERATION, most=3),
        "topologySpreadConstraints": st.lists(
            _spread(), min_size=1, max_size=2, unique_by=lambda one: (one["topologyKey"], one["whenUnsatisfiable"])
        ),
    }


@st.composite
def _spec(draw: Draw) -> dict[str, Any]:
    host = draw(st.sampled_from(_HOSTS))
    windows = draw(BOOL)
    names = draw(st.lists(LABEL | _DIGITS, min_size=5, max_size=5, unique=True))
    claims = draw(st.lists(LABEL, max_size=1))
    called = draw(st.permutations([*_LABELS, "v1", "v2", "v3"]))
    sources = draw(_sources(names) | st.just({}))
    volumes = [{"name": name, kind: source} for name, (kind, source) in zip(called, sources.items(), strict=False)]
    world = {
        "host": host,
        "windows": windows,
        "names": names,
        "claims": claims,
        "volumes": volumes,
        "ports": count(draw(_NUMBERS)),
    }
    found = {**host, **draw(some(**_simple(host)))}
    roles = ["dask", *draw(st.lists(st.just("side"), max_size=2))]
    before = draw(st.lists(st.sampled_from(["init", "sidecar"]), max_size=2))
    made = [
        {"name": name, **draw(_container(world, role))} for name, role in zip(names, [*roles, *before], strict=False)
    ]
    found["containers"] = made[: len(roles)]
    found |= {"initContainers": made[len(roles) :]} if before else {}
    found |= {"volumes": volumes} if volumes else {}
    found |= (
        {"resourceClaims": [{"name": name, "resourceClaimTemplateName": "x.y"} for name in claims]} if claims else {}
    )
    if draw(BOOL):
        found["securityContext"] = draw(_pod_security(host, windows=windows))
    if not windows:
        found |= draw(some(os=st.just({"name": "linux"})))
    found |= draw(st.sampled_from([{}, {"nodeName": "n"}, {"schedulingGates": [{"name": "example.com/a"}]}]))
    if draw(st.integers(0, 3)) == 0:
        found |= {"dnsPolicy": "None", "dnsConfig": {**found.get("dnsConfig", {}), "nameservers": draw(_NAMESERVERS)}}
    if draw(st.integers(0, 5)) == 0 and "hugepages" not in str(made):
        found["resources"] = {key: {"cpu": "64", "memory": "1Ti"} for key in ("limits", "requests")}
    return found


_OWN_LABELS = ["app", "user", "dask.org/component", "app.kubernetes.io/name", "dask.org/worker-group"]


@st.composite
def pods(draw: Draw) -> dict[str, Any]:
    """A pod template; its first container is Dask's, and has a name."""
    spec = draw(_spec())
    labels = draw(mapping(KEY | st.sampled_from(_OWN_LABELS), VALUE))
    annotations = draw(mapping(KEY, TEXT))
    container = draw(st.sampled_from(spec["containers"]))["name"]
    annotations |= draw(some(**{"kubectl.kubernetes.io/default-container": st.just(container)}))
    if "appArmorProfile" not in str(spec):
        key = f"container.apparmor.security.beta.kubernetes.io/{container}"
        annotations |= draw(some(**{key: st.sampled_from(["runtime/default", "unconfined"])}))
    metadata = draw(some(labels=st.just(labels), annotations=st.just(annotations)))
    return {"metadata": metadata, "spec": spec}


#: What is rare among the generated ones: twins, and what calls a container by its name.
RARE: dict[str, Any] = {
    "metadata": {
        "annotations": {
            "kubectl.kubernetes.io/default-container": "notebook",
            "container.apparmor.security.beta.kubernetes.io/notebook": "unconfined",
        }
    },
    "spec": {
        "restartPolicy": "Never",
        "imagePullSecrets": [{"name": "a"}, {"name": "b"}, {"name": "a"}],
        "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a"]}, {"ip": "10.0.0.1", "hostnames": ["b"]}],
        "tolerations": [{"key": "a", "operator": "Exists"}, _OWN_TAINT],
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "a", "whenUnsatisfiable": "DoNotSchedule"}],
        "containers": [
            {
                "name": "notebook",
                "image": f"x/y:1@sha256:{'a' * 64}",
                "env": [
                    {"name": "A", "value": "1"},
                    {"name": "FIRST", "value": "1"},
                    {"name": "DASK_SCHEDULER_ADDRESS", "value": "tcp://x:8786"},
                    {"name": "A", "value": "2"},
                    {
                        "name": "B",
                        "valueFrom": {"resourceFieldRef": {"containerName": "notebook", "resource": "limits.cpu"}},
                    },
                    {"name": "C", "value": "a\n\n"},
                ],
                "ports": [
                    {"containerPort": 80, "name": "first"},
                    {"containerPort": 80, "name": "twin"},
                    {"containerPort": 8790, "name": "dashboard"},
                ],
                "livenessProbe": {"httpGet": {"port": "twin"}},
                "startupProbe": {"tcpSocket": {"port": "dashboard"}},
                "readinessProbe": {"exec": {"command": ["x"]}},
            },
            {
                "name": "beside",
                "image": "a:1",
                "env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}],
                "ports": [{"containerPort": 80}, {"containerPort": 80, "name": "twin"}],
            },
        ],
    },
}
