"""KubeCluster: the API of classic dask-kubernetes, of which a release of the chart is made.

Belongs here: what classic's users say and call. Never here: what a pod template means (podtemplates), or what any
cluster of this package has (fronts, elasticity).

`kubecluster` is the class; `verbs` what is called on it; `arguments` judges each thing it was told for itself; `plan`
is what they come to together, as values; `templates` is where pod templates come from.
"""

from dask_kubernetes_helm.classic.kubecluster import KubeCluster

__all__ = ["KubeCluster"]
