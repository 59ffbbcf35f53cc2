"""Which permissions there have to be, on plain data.

Belongs here: needs, and comparing them with rules. Never here: asking Kubernetes for its rules (kubeapi), or what
follows from a missing one (releases: `preflight` refuses, `doctor` reports).

`permissions` are what an act needs and what of it is missing; `features` what each feature takes, and Roles as YAML.
"""
