"""The door to Helm.

Belongs here: running the helm binary, and reading what it says and writes down. Never here: values (chartvalues), or
the order of acts (releases).

`helm` runs it, with deadlines; `helmsaid` reads its words as our errors; `helmrecord` reads its records without helm
(pure).
"""
