"""The door to the Kubernetes API: every request that this package makes of it.

Belongs here: requests, their repetition, and refusals as our errors, on plain JSON objects. Never here: what an answer
means (diagnosis), waiting (waiting), or knowing Dask.

`kube` has the requests about objects, `asking` those about all else; `following` is a watch that is opened again
wherever it ends; `transport` is HTTP; `retrying` knows when a request is worth repeating (pure); `resources` has the
paths of kinds; `kubesaid` reads refusals; `portstream` is a stream to a port of a pod, and `spdy` has the frames of one
of its protocols (pure).
"""
