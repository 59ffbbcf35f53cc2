"""What any cluster object has, whether made by values or by a pod template: Dask's `Cluster` contract on a release.

Belongs here: starting, closing, being asked and being shown, for any front. Never here: one front's arguments and verbs
(cluster.py, classic), scaling (elasticity), or details of Kubernetes and Helm.

`base` is the life that all share, and `ending` its end where nobody closes; `connected` keeps in touch with the
scheduler; `hosting` is a scheduler in the release, `locally` one in this process, and `addresses` where that listens;
`looking` shows logs, events and reports; `inquiry` tells what is wrong and which workers were lost; `arguments` judges
what HelmCluster was told, `keywords` what it can't be told.
"""
