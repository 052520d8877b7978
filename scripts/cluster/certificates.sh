#!/usr/bin/env bash
# The certificates and kubeconfigs of one start of the cluster.
set -euo pipefail
. "$(dirname "$0")/settings.sh"
. "$scripts/signing.sh"

authority() { # NAME
  key "$1"
  openssl req -x509 -new -key "$1.key" -subj "/CN=$2" -days 3650 -out "$1.crt"
}

authority ca kubernetes-ca
authority front-proxy front-proxy-ca
openssl genrsa -out sa.key 2048 2>/dev/null
openssl rsa -in sa.key -pubout -out sa.pub 2>/dev/null
names=DNS:localhost
for name in kubernetes kubernetes.default kubernetes.default.svc kubernetes.default.svc.cluster.local; do
  names+=,DNS:$name
done
certificate api ca /CN=kube-apiserver serverAuth "$names,IP:127.0.0.1,IP:$gateway,IP:10.96.0.1"
certificate api-kubelet ca /O=system:masters/CN=kube-apiserver-kubelet-client clientAuth
certificate front-proxy-client front-proxy /CN=front-proxy-client clientAuth
certificate metrics ca /CN=metrics serverAuth DNS:metrics.kube-system.svc
client admin /O=system:masters/CN=admin
client kcm /CN=system:kube-controller-manager
client scheduler /CN=system:kube-scheduler
client proxy /CN=system:kube-proxy
for i in $(seq 1 "$NODES"); do
  certificate "node$i" ca "/O=system:nodes/CN=system:node:node$i" serverAuth,clientAuth "DNS:node$i,IP:$network.$((10 + i))"
  kubeconfig "node$i"
done
cp "$run/conf/admin.kubeconfig" "$run/kubeconfig"
