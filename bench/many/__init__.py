"""A worker group of thousands of pods on nodes that don't exist, and what stands in for the code that these don't run.

`experiment` puts the parts together, each a process of its own so that its memory and its processor time are its own:

- `acting`: this package as a user's Python has it, `scaling.Scaling` with a real API server and a real scheduler;
- `scheduling`: a real `distributed.Scheduler` with the chart's preload, and a simulated worker for each pod;
- `kubelet`: tells simulated workers of their pods, and Kubernetes of their readiness, as kubelets do.

KWOK binds and deletes pods. Belongs here: all of this. Never here: bounds on figures, or telling them.
"""
