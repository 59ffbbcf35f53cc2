"""From what Kubernetes says of a release's objects to one sentence and its cure.

Belongs here: reading states, on plain data. Never here: requests, waiting, or knowing Dask. A finding is terminal when
no waiting mends it; others are shown and awaited.

`pods` and `refusals` know what can be wrong with a pod, and with one that is never made, `images` and `placing` how it
gets its image and its node, `phases` where it is on its way, and `rollouts` how far a Deployment is; `happenings` reads
events; `losses` tells why a pod went, and `accounting` makes one account of it; `survey` looks at all pods, and
`report` is all of it at once. `finding` is what is found.
"""

from dask_kubernetes_helm.diagnosis.finding import Finding, fold
from dask_kubernetes_helm.diagnosis.phases import is_ready, is_started, phase
from dask_kubernetes_helm.diagnosis.pods import examine
from dask_kubernetes_helm.diagnosis.refusals import refused, stalled
from dask_kubernetes_helm.diagnosis.report import Count, Diagnosis
from dask_kubernetes_helm.diagnosis.survey import by_name, survey

__all__ = [
    "Count",
    "Diagnosis",
    "Finding",
    "by_name",
    "examine",
    "fold",
    "is_ready",
    "is_started",
    "phase",
    "refused",
    "stalled",
    "survey",
]
