"""Tests of `dask helm ...` without a cluster."""
