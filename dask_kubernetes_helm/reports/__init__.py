"""What there is to see of a release: logs, events, how long its start took, and all of it in one archive.

Belongs here: asking for that, and putting it in a form for people. Never here: what is wrong with a release
(diagnosis), or changing anything.

`sights` asks for each; `podlogs` reads logs and `reading` hands their lines on as they come; `inventory` has all
objects and their events. On plain data: `excerpt` is which part of whose logs, `events` folds and orders them, `timing`
reads points in time and `startup` is the account of them. `collecting` is the report for a bug, with Dask's own account
by `describing`; `redaction` takes secrets out, `forms` is what they look like, `readme` comes first in it, and
`archive` is its file.
"""
