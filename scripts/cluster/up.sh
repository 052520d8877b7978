#!/usr/bin/env bash
# Start the cluster that build.sh built: some 20 seconds and 1.4 GB of memory for three nodes; root is needed.
#
# Afterwards: KUBECONFIG=<cluster>/run/kubeconfig. What is pushed to localhost:5005 is pulled by the nodes under the same
# name, since each node sends that name to the registry on the bridge. A cluster that runs is left alone.
set -euo pipefail
. "$(dirname "$0")/settings.sh"
[ -e "$cluster/ready" ] || { echo "cluster: build it first: scripts/cluster/build.sh" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "cluster: root is needed to make namespaces and a bridge" >&2; exit 2; }
exec 9>"$cluster/.starting"
flock 9
if alive apiserver && alive etcd && [ -e "$run/up" ]; then
  [ "$(cat "$run/up")" = "$NODES" ] || echo "cluster: it runs with $(cat "$run/up") nodes" >&2
  exit 0
fi
explained() { # the ends of all logs, where a part does not come up
  local ended=$?
  [ $ended = 0 ] || tail -n 15 "$run"/log/*.log >&2 || true
  exit $ended
}
trap explained EXIT
bash "$scripts/down.sh" 9>&- # what a killed start or a reboot left
rm -rf "$run"
mkdir -p "$run"/{log,pid,pki,etcd,conf}
began=$(date +%s)
say() { echo "cluster: $(($(date +%s) - began)) s: $*"; }
bash "$scripts/certificates.sh" 9>&-

if [ "$NODES" -gt 0 ]; then
  ip link add $bridge type bridge
  ip addr add $gateway/24 dev $bridge
  ip link set $bridge up
  bash "$scripts/registry.sh" 9>&-
fi
exec 8>&9 9>&- # the programs must not keep the lock

bash "$scripts/etcd.sh" 8>&-
bash "$scripts/apiserver.sh" 8>&-
export KUBECONFIG=$run/kubeconfig
say "the API server is ready"

bash "$scripts/controllers.sh" 8>&-
start scheduler kube-scheduler --bind-address=127.0.0.1 --port=0 --leader-elect=false \
  --kubeconfig="$run/conf/scheduler.kubeconfig" --authentication-kubeconfig="$run/conf/scheduler.kubeconfig" \
  --authorization-kubeconfig="$run/conf/scheduler.kubeconfig" 8>&-
wait_for 60 kubectl get serviceaccount default

if [ "$NODES" -gt 0 ]; then
  mkdir -p "$cluster/nodebin"
  wrap() { # NAME PROGRAM: run it with the libraries that were unpacked
    printf '#!/bin/sh\nexport LD_LIBRARY_PATH=%s XTABLES_LIBDIR=%s/xtables\nexec %s/usr/sbin/%s "$@"\n' \
      "$libraries" "$libraries" "$root" "$2" >"$cluster/nodebin/$1"
    chmod +x "$cluster/nodebin/$1"
  }
  for name in {ip,ip6}tables{,-save,-restore}; do wrap "$name" "${name/tables/tables-legacy}"; done
  wrap conntrack conntrack
  kubectl create clusterrolebinding kube-proxy-node --clusterrole=system:node-proxier --user=system:kube-proxy >/dev/null
  for node in $(seq 1 "$NODES"); do bash "$scripts/start_node.sh" "$node" 8>&-; done
  for node in $(seq 1 "$NODES"); do wait_for 180 kubectl get node "node$node"; done
  kubectl wait --for=condition=Ready node --all --timeout=180s >/dev/null
  ip route replace $services via $network.11 dev $bridge
  bash "$scripts/serve_metrics.sh" 8>&-
fi
echo "$NODES" >"$run/up"
say "up: export KUBECONFIG=$run/kubeconfig; kubectl is $cluster/bin/kubectl"
