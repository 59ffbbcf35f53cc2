"""Moving in: the files of neighbours (dask/helm-chart, classic dask-kubernetes, the operator) as values of the chart.

Belongs here: what a key of theirs is here, and why some is nothing. Never here: files and terminals (cli.py has those),
or what a pod template means (translation.py).
"""
