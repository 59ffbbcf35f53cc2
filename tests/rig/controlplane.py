"""The control plane on the host: etcd, kube-apiserver, -controller-manager, -scheduler and CoreDNS.

Belongs here: their keys, configuration and command lines. Never here: nodes.
"""

from __future__ import annotations

from pathlib import Path

from . import binaries, settings
from .daemons import Daemon
from .pki import Authority
from .settings import Settings
from .shell import RigError, run, until

_TEMPLATES = settings.HERE / "templates"
_LOCAL = "127.0.0.1"


def ports(cluster: Settings) -> list[tuple[str, int]]:
    """All (address, port) that the control plane listens at."""
    local = (2379, 2380, 10257, 10259)
    return [(_LOCAL, cluster.port(usual)) for usual in local] + [(cluster.gateway, 6443), (cluster.gateway, 53)]


def server(cluster: Settings) -> str:
    """The API server's address; the bridge's, so that host and nodes use the same."""
    return f"https://{cluster.gateway}:6443"


def configure(cluster: Settings) -> None:
    """Make keys, certificates and configuration files."""
    authority = Authority(cluster.run / "pki")
    authority.create()
    names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    addresses = [_LOCAL, cluster.gateway, f"{cluster.services}.0.1"]
    alternatives = ",".join([*(f"DNS:{name}" for name in names), *(f"IP:{address}" for address in addresses)])
    authority.issue("apiserver", "/CN=kube-apiserver", alternatives)
    authority.issue("admin", "/O=system:masters/CN=admin")
    for name in ("controller-manager", "scheduler", "proxy"):
        authority.issue(name, f"/CN=system:kube-{name}")
        authority.kubeconfig(cluster.run / f"{name}.kubeconfig", name, server(cluster))
    authority.kubeconfig(cluster.kubeconfig, "admin", server(cluster))
    (cluster.run / "audit.yaml").write_text((_TEMPLATES / "audit.yaml").read_text())
    corefile = (_TEMPLATES / "Corefile").read_text()
    (cluster.run / "Corefile").write_text(corefile.format(address=cluster.gateway, kubeconfig=cluster.kubeconfig))


def daemons(cluster: Settings) -> list[Daemon]:
    """The control plane's daemons, in the order in which they start."""
    programs = binaries.kubernetes()
    commands = {
        "etcd": _etcd(cluster),
        "kube-apiserver": _apiserver(cluster, programs),
        "kube-controller-manager": _controller_manager(cluster, programs),
        "kube-scheduler": _scheduler(cluster, programs),
        "coredns": [str(binaries.coredns() / "coredns"), "-conf", str(cluster.run / "Corefile")],
    }
    return [Daemon(name, command, cluster.run, cluster.logs / f"{name}.log") for name, command in commands.items()]


def _etcd(cluster: Settings) -> list[str]:
    clients = f"http://{_LOCAL}:{cluster.port(2379)}"
    peers = f"http://{_LOCAL}:{cluster.port(2380)}"
    return [
        "etcd",
        f"--data-dir={cluster.run / 'etcd'}",
        f"--listen-client-urls={clients}",
        f"--advertise-client-urls={clients}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
        "--unsafe-no-fsync",  # a cluster that may be lost with the machine
        "--auto-compaction-retention=10m",
    ]


def _apiserver(cluster: Settings, programs: Path) -> list[str]:
    pki = cluster.run / "pki"
    return [
        str(programs / "kube-apiserver"),
        f"--etcd-servers=http://{_LOCAL}:{cluster.port(2379)}",
        f"--bind-address={cluster.gateway}",
        f"--advertise-address={cluster.gateway}",
        "--secure-port=6443",
        f"--tls-cert-file={pki / 'apiserver.crt'}",
        f"--tls-private-key-file={pki / 'apiserver.key'}",
        f"--client-ca-file={pki / 'ca.crt'}",
        f"--kubelet-certificate-authority={pki / 'ca.crt'}",
        f"--kubelet-client-certificate={pki / 'admin.crt'}",
        f"--kubelet-client-key={pki / 'admin.key'}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-account-key-file={pki / 'sa.pub'}",
        f"--service-account-signing-key-file={pki / 'sa.key'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--service-cluster-ip-range={cluster.services}.0.0/16",
        f"--audit-policy-file={cluster.run / 'audit.yaml'}",
        f"--audit-log-path={cluster.audit_log}",
        "--audit-log-mode=blocking",  # a count taken after a call holds that call
        "--audit-log-maxsize=50",
        "--audit-log-maxbackup=1",
        "--v=1",
    ]


def _controller_manager(cluster: Settings, programs: Path) -> list[str]:
    pki, kubeconfig = cluster.run / "pki", cluster.run / "controller-manager.kubeconfig"
    return [
        str(programs / "kube-controller-manager"),
        f"--kubeconfig={kubeconfig}",
        f"--bind-address={_LOCAL}",
        f"--secure-port={cluster.port(10257)}",
        f"--service-account-private-key-file={pki / 'sa.key'}",
        f"--root-ca-file={pki / 'ca.crt'}",
        "--use-service-account-credentials",
        "--kube-api-qps=100",  # what is gone is collected at that rate, whichever tests run beside
        "--kube-api-burst=200",
        "--controllers=*,-cloud-node-lifecycle-controller,-node-ipam-controller",
        "--leader-elect=false",
        "--v=1",
    ]


def _scheduler(cluster: Settings, programs: Path) -> list[str]:
    return [
        str(programs / "kube-scheduler"),
        f"--kubeconfig={cluster.run / 'scheduler.kubeconfig'}",
        f"--bind-address={_LOCAL}",
        f"--secure-port={cluster.port(10259)}",
        "--leader-elect=false",
        "--v=1",
    ]


def kubectl(cluster: Settings, *arguments: str) -> str:
    """What kubectl prints, as the cluster's administrator."""
    return run([binaries.kubernetes() / "kubectl", f"--kubeconfig={cluster.kubeconfig}", *arguments])


def is_ready(cluster: Settings) -> bool:
    """Whether the API server answers that it is ready."""
    try:
        return kubectl(cluster, "get", "--raw", "/readyz", "--request-timeout=2s") == "ok"
    except RigError:
        return False


def await_ready(cluster: Settings) -> None:
    """Wait for the API server, and let kube-proxy do its work."""
    until(lambda: is_ready(cluster), timeout=60, what=f"The API server is not ready (see {cluster.logs})")
    until(lambda: _proxies_may(cluster), timeout=20, what="kube-proxy's role could not be bound")


def _proxies_may(cluster: Settings) -> bool:
    binding = ["--clusterrole=system:node-proxier", "--user=system:kube-proxy"]
    try:
        kubectl(cluster, "create", "clusterrolebinding", "rig-kube-proxy", *binding)
    except RigError as error:
        return "already exists" in str(error)
    return True
