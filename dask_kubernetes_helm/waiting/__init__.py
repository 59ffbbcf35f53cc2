"""Waiting for what Kubernetes makes of a release, and what users are told meanwhile.

Belongs here: watches, deadlines, display, and findings raised or told once. Never here: what a state means (diagnosis),
or what is waited for.

`watching` waits by watches; `checkup` looks once; `losing` notes workers that go; `trouble` explains findings and
raises them; `showing` makes rows of pods, and `progress` displays them.
"""
