"""A release of the chart: found, installed, upgraded, removed; whose it is, and how all of them stand.

Belongs here: the order of acts on a release's objects. Never here: Dask's cluster machinery (fronts), the way to a
scheduler (connections), or details of Helm and Kubernetes (the doors have them).

`lifecycle` is what needs Helm, and `release` what needs none; `preflight` asks beforehand what would fail, `doctor`
which feature lacks which right; `ownership` is the object that takes a release along, `ownpod` the pod that Python runs
in; `namesakes` tells who has a name, or what is near it; `survey` asks for all releases, `overview` tells how they
stand and `leftovers` what nobody wants any more (both pure).
"""
