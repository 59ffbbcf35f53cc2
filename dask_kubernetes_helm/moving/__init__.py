"""Moving in: the files of neighbours (dask/helm-chart, classic dask-kubernetes, the operator) as values of the chart.

Belongs here: what a key of theirs is here, and why some is nothing. Never here: files and terminals (cli.py has those),
or what a pod template means (translation.py).

`conversion` is the way from a file's text to values, and `report` what is told of it. Each kind of file has a module:
`helmchart` (with `helmchart_tables`), `daskhub`, `classic`, `daskcluster`. These share `pods`, `operatorpods`,
`services` and `groups`. `sheet` are the values under way; `target` knows the chart; `documents` reads and writes YAML;
`tracing` keeps the account of each leaf.
"""
