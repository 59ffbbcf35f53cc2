"""Scaling, adapting and worker groups: a number of workers changed so that no result is lost.

Belongs here: what is done to a number of workers, and asking the agent to do it. Never here: who leaves and how workers
are emptied (the scheduler does that, see chart/files), or a cluster's start and end (fronts).

`elastic` has the verbs; `adaptivity` judges Dask's keywords of `adapt`; `scaling` changes a number; `rollout` is how a
Deployment gets along; `steering` talks with the agent; `registering` waits for workers, and `aftercare` looks after
those that nobody waits for.
"""
