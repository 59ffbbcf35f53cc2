"""Measurements on the embedded cluster, each printed as a ratio within one run: `make bench`.

Speed never decides a test; it is measured here. docs/benchmarks.md keeps the figures, with the machine they come from.
"""
