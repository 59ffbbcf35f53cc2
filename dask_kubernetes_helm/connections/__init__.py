"""From this process to a release's scheduler: which way there is, and holding it open.

Belongs here: routes, streams, their account, and the certificates that both ends trust. Never here: Dask's own
protocol, or the form of Kubernetes' streams (kubeapi).

`routing` knows which routes there are (pure); `connect` chooses one; `connection` is one that is open, and `health` the
account of how it fares; `dashboards` leads to the dashboard; `schedulerpod` finds the pod; `tunnel` is a local port;
`lasting` keeps a stream across port-forwards, and `redialing` opens one with patience; `certificates` are a Security as
a Secret and back (pure); `trust` is one that follows the Secret.
"""
