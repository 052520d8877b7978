#!/usr/bin/env bash
# Start the controller manager, whose autoscaler looks every HPA_SECONDS (2); a test that ended it starts it again.
set -euo pipefail
. "$(dirname "$0")/settings.sh"
start kcm kube-controller-manager --bind-address=127.0.0.1 --port=0 --leader-elect=false \
  --use-service-account-credentials=true \
  --kubeconfig="$run/conf/kcm.kubeconfig" --authentication-kubeconfig="$run/conf/kcm.kubeconfig" \
  --authorization-kubeconfig="$run/conf/kcm.kubeconfig" \
  --controllers='*,bootstrapsigner,tokencleaner,-nodeipam,-service,-route,-cloud-node-lifecycle' \
  --service-account-private-key-file="$pki/sa.key" --root-ca-file="$pki/ca.crt" \
  --cluster-signing-cert-file="$pki/ca.crt" --cluster-signing-key-file="$pki/ca.key" \
  --cluster-cidr=$pods.0.0/16 --allocate-node-cidrs=false \
  --node-monitor-period=1s --node-monitor-grace-period=12s --node-startup-grace-period=10s --pod-eviction-timeout=5s \
  --horizontal-pod-autoscaler-sync-period="${HPA_SECONDS:-2}s" \
  --horizontal-pod-autoscaler-downscale-stabilization=10s \
  --horizontal-pod-autoscaler-initial-readiness-delay=2s --horizontal-pod-autoscaler-cpu-initialization-period=60s
