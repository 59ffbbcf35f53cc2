"""Nanny preload: on its way out a nanny ends its worker while it still answers it.

A nanny that is told to end first stops listening, then asks its worker to end. A worker that hears at that moment of
the scheduler's end (as when a release is removed) asks the nanny for leave and gets no answer, until the nanny kills
it eight seconds later. Belongs here: what a nanny does for its pod. Never here: what needs more than distributed, as
this runs in any Dask image.
"""

TIMEOUT = 10  # seconds, as long as `dask worker` gives a nanny that is signalled


async def dask_teardown(nanny):
    """End the worker; called before the nanny stops listening."""
    await nanny.kill(timeout=TIMEOUT, reason="nanny-close")
