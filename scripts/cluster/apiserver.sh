#!/usr/bin/env bash
# Start the API server, and wait until it is ready; a test that ended it starts it again.
set -euo pipefail
. "$(dirname "$0")/settings.sh"
reconciler=()
[ "$NODES" -gt 0 ] || reconciler=(--endpoint-reconciler-type=none)
start apiserver kube-apiserver "${reconciler[@]}" --etcd-servers=http://127.0.0.1:$etcd_port \
  --bind-address=$api --advertise-address=$api --secure-port=$port --insecure-port=0 \
  --service-cluster-ip-range=$services --allow-privileged=true --authorization-mode=Node,RBAC \
  --enable-admission-plugins=NodeRestriction --client-ca-file="$pki/ca.crt" \
  --tls-cert-file="$pki/api.crt" --tls-private-key-file="$pki/api.key" \
  --service-account-key-file="$pki/sa.pub" --service-account-signing-key-file="$pki/sa.key" \
  --service-account-issuer=https://kubernetes.default.svc.cluster.local \
  --kubelet-client-certificate="$pki/api-kubelet.crt" --kubelet-client-key="$pki/api-kubelet.key" \
  --kubelet-certificate-authority="$pki/ca.crt" --kubelet-preferred-address-types=InternalIP \
  --requestheader-client-ca-file="$pki/front-proxy.crt" --requestheader-allowed-names=front-proxy-client \
  --requestheader-extra-headers-prefix=X-Remote-Extra- --requestheader-group-headers=X-Remote-Group \
  --requestheader-username-headers=X-Remote-User --proxy-client-cert-file="$pki/front-proxy-client.crt" \
  --proxy-client-key-file="$pki/front-proxy-client.key" --enable-aggregator-routing=true \
  --default-not-ready-toleration-seconds=5 --default-unreachable-toleration-seconds=5
ready() {
  alive apiserver || { tail -20 "$run/log/apiserver.log" >&2; exit 1; }
  curl -sf --cacert "$pki/ca.crt" --cert "$pki/admin.crt" --key "$pki/admin.key" "https://$api:$port/readyz"
}
wait_for 120 ready
