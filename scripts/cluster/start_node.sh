#!/usr/bin/env bash
# Start node $1 (1, 2, …): namespaces of this machine with a containerd, a kubelet and a kube-proxy of its own.
#
# It dies as a whole by `kill -9 $(cat run/pid/nodeN.init)`, after which this script starts it again. Its kubelet is
# started again when it ends, unless the file run/nodeN/no-kubelet exists.
set -euo pipefail
. "$(dirname "$0")/settings.sh"
i=$1 node=node$1 folder=$run/node$1
mkdir -p "$folder"/{varlib,log,containerd,cni,fake,certs.d}
rm -f "$folder/no-kubelet"
ip link delete "kwv$i" 2>/dev/null || true
start "$node" unshare --mount --net --uts --ipc --pid --fork --kill-child=KILL --mount-proc bash "$scripts/node.sh" "$i"
child() { init=$(cat /proc/"$(cat "$run/pid/$node")"/task/*/children 2>/dev/null | tr -d ' ') && [ -n "$init" ]; }
separate() { [ "$(readlink "/proc/$init/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }
wait_for 60 child
wait_for 60 separate
echo "$init" >"$run/pid/$node.init"
# With an address of its own, or the others would send to that of a node that died, until they forget it.
ip link add "kwv$i" type veth peer name eth0 address "02:00:0a:c7:00:1$i" netns "$init"
ip link set "kwv$i" master $bridge up
ip route replace $pods.$i.0/24 via $network.$((10 + i)) dev $bridge
