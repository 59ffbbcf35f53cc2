"""The embedded cluster: a real two-node Kubernetes on one bare Debian machine, for `make demo` and the tests.

Belongs here: everything between a bare machine and a kubeconfig. Never here: anything of dask_kubernetes_helm, or
packages from PyPI (the rig runs before there are any). One control plane runs on the host, each node's containerd,
kubelet and kube-proxy in a network namespace of its own; nothing listens but on loopback and on the rig's own bridge.

From the outside in: __main__ -> cluster -> kwok | node -> controlplane -> image | binaries -> artifacts -> daemons |
network | pki -> preflight -> shell | settings. Beside them: official, a second image that only tests ask for.
"""
