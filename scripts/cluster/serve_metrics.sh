#!/usr/bin/env bash
# Serve metrics.k8s.io, which autoscalers read.
set -euo pipefail
. "$(dirname "$0")/settings.sh"
cd "$project"
start metrics python3 -m scripts.cluster.metrics $gateway 4443 "https://$api:$port" "$pki"
kubectl --kubeconfig "$run/kubeconfig" apply -f - >/dev/null <<OBJECTS
apiVersion: v1
kind: Service
metadata: {name: metrics, namespace: kube-system}
spec: {ports: [{port: 443, targetPort: 4443}]}
---
apiVersion: v1
kind: Endpoints
metadata: {name: metrics, namespace: kube-system}
subsets: [{addresses: [{ip: $gateway}], ports: [{port: 4443}]}]
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta1.metrics.k8s.io}
spec:
  group: metrics.k8s.io
  version: v1beta1
  groupPriorityMinimum: 100
  versionPriority: 100
  service: {name: metrics, namespace: kube-system}
  caBundle: $(base64 -w0 "$pki/ca.crt")
OBJECTS
