"""What runs inside the pods of a release: in the scheduler, in its workers, in their nannies.

The chart mounts this package into both roles, and Dask loads it through the three `preload_*.py` files. It runs in any
Dask image, so it needs nothing but the standard library, distributed and tornado, and it knows nothing of the Python
package that installs releases. The modules, from plain data to the outside::

    policy      who leaves (pure)
    adaptive    how many pods a group should have (pure)
    tidying     when a release is put to sleep or removed (pure)
    facts       what a live scheduler knows of a group's pods
    settings    what the chart tells the agent (plain data)
    retiring    a worker emptied and put back into service, on a live scheduler
    shrinking   a worker group made smaller: one at a time, undone where nobody goes on
    observing   what an agent can tell of itself (plain data)
    metrics     that, on the scheduler's page of metrics
    journal     what was done, by whom and why
    desk        the requests that Python and workers make of the scheduler
    demand      what each group has to do
    api         the agent's door to the Kubernetes API
    adapting    a group kept at the size that its work asks for
    agent       the loop that keeps a release elastic and tidy
    reaper      a release removed whose scheduler, which is elsewhere, has gone
    check       what `helm test` computes, in a pod of its own
    drawing     dashboards, a moment after the start
    reaching    whether a process is there that says nothing
    leaving     a pod on its way out asks to be emptied first
    lasting     one end of a stream that outlives what carries it
    framing     frames taken from bytes that arrive in any pieces
    pipes       a connection, read and written without copies
    relay       clients' connections to the scheduler, which stay while their port-forward is cut
    renewing    new certificates taken up while running
    packages    what pip installs before Dask starts, and how Dask finds it
    readiness   the socket that tells Kubernetes whether a worker is in service
"""
