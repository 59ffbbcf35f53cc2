"""Ways to authenticate with a cluster: what users choose, and what it comes to.

Belongs here: where credentials come from, and using them. Never here: requests. No credential reaches an argument list,
a repr or a log. Whoever imports this package imports the `kubernetes` library, which takes a second.

`ways` are the user's choice; `kubeconfig` reads such files as kubectl does; `credentials` are what a way came to.
"""

from dask_kubernetes_helm.auth.credentials import Credentials
from dask_kubernetes_helm.auth.ways import ClusterAuth, InCluster, KubeAuth, KubeConfig

__all__ = ["ClusterAuth", "Credentials", "InCluster", "KubeAuth", "KubeConfig"]
