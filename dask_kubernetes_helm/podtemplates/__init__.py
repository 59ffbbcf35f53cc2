"""Pod templates: made in Python, and read as values of the chart (pure).

Belongs here: what a pod's fields mean for the chart, on plain mappings. Never here: where a template comes from
(classic, moving), or requests.

`podspec` makes templates; `podmodel` is the door to the kubernetes library's models. `translation` reads a pod,
`containers` Dask's container in it, `hardening` what both say of security; `commands` finds Dask's command, in
`scripts` where need be; `options` are those of Dask's commands, and `meanings` what each means for the chart.
"""
