#!/usr/bin/env bash
# The demo, on the cluster that KUBECONFIG and IMAGE both name, else on the embedded one. A KUBECONFIG alone may just
# stand in the user's shell: that cluster was not named for this.
set -euo pipefail
cd "$(dirname "$0")/.."
rig() { .venv/bin/python -m tests.rig "$@"; }
environment=$(rig env)
embedded=$(eval "$environment" && echo "$KUBECONFIG")
if [[ -n ${KUBECONFIG:-} && -n ${IMAGE:-} && $KUBECONFIG != "$embedded" ]]; then
  echo "==> on your cluster: KUBECONFIG=$KUBECONFIG" >&2
  command -v helm >/dev/null || PATH="$(rig tools | head -1):$PATH"
  exec .venv/bin/python -m dask_kubernetes_helm.demo "$@"
fi
rig up
eval "$environment"
exec .venv/bin/python -m dask_kubernetes_helm.demo --environment ci "$@"
