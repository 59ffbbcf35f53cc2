"""Values of the chart: from files, templates and mappings to the one mapping that reaches helm, judged beforehand.

Belongs here: reading, merging and judging values. Never here: defaults and rules, which are the chart's, or what a
value comes from (an argument, a pod template, a neighbour's file).

`values` finds and merges them by Helm's rules; `schema` judges them by the chart's schema; `violations` says what a
schema found, as sentences; `yamltext` is YAML as Helm reads it, with lines and columns.
"""
