#!/usr/bin/env bash
# The certificates and kubeconfigs of one start of the cluster.
set -euo pipefail
. "$(dirname "$0")/settings.sh"
umask 077
cd "$pki"

key() { openssl ecparam -genkey -name prime256v1 -noout -out "$1.key"; }

authority() { # NAME
  key "$1"
  openssl req -x509 -new -key "$1.key" -subj "/CN=$2" -days 3650 -out "$1.crt"
}

certificate() { # NAME AUTHORITY SUBJECT USAGE [NAMES]
  key "$1"
  local extensions
  extensions=$(printf 'extendedKeyUsage=%s\nkeyUsage=digitalSignature,keyEncipherment\n' "$4")
  [ -z "${5:-}" ] || extensions+=$'\n'"subjectAltName=$5"
  openssl req -new -key "$1.key" -subj "$3" |
    openssl x509 -req -CA "$2.crt" -CAkey "$2.key" -CAcreateserial -days 3650 -out "$1.crt" \
      -extfile <(echo "$extensions") 2>/dev/null
}

kubeconfig() { # NAME
  cat >"$run/conf/$1.kubeconfig" <<CONFIG
apiVersion: v1
kind: Config
clusters:
  - {name: nbdeploy, cluster: {server: "https://$api:$port", certificate-authority-data: $(base64 -w0 ca.crt)}}
users:
  - {name: user, user: {client-certificate-data: $(base64 -w0 "$1.crt"), client-key-data: $(base64 -w0 "$1.key")}}
contexts:
  - {name: nbdeploy, context: {cluster: nbdeploy, user: user}}
current-context: nbdeploy
CONFIG
}

client() { # NAME SUBJECT
  certificate "$1" ca "$2" clientAuth
  kubeconfig "$1"
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
