# Settings that all scripts of this folder share; they are sourced.
#
#   NBDEPLOY_KUBERNETES   folder of the build and of the running cluster (default: the user's cache)
#   NODES                 number of nodes (default 3); 0: the control plane alone, on 127.0.0.1
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
project=$(cd "$scripts/../.." && pwd)
cluster=${NBDEPLOY_KUBERNETES:-${XDG_CACHE_HOME:-$HOME/.cache}/nbdeploy-kubernetes}
root=$cluster/root run=$cluster/run images=$cluster/images
pki=$run/pki
NODES=${NODES:-3}
export NODES NBDEPLOY_KUBERNETES=$cluster

# Addresses are fixed: there is one cluster a machine.
bridge=kwbr0 network=10.199.0
gateway=$network.1
pods=10.244 services=10.96.0.0/16 dns=10.96.0.10
port=6443 etcd_port=2379 registry_port=5005
if [ "$NODES" -gt 0 ]; then api=$gateway; else api=127.0.0.1; fi

libraries=$root/usr/lib/x86_64-linux-gnu
export PATH=$cluster/nodebin:$cluster/bin:$root/usr/bin:$root/usr/sbin:$PATH

# start NAME COMMAND…: run it in the background; its process id and its log are files.
start() {
  local name=$1
  shift
  setsid "$@" >"$run/log/$name.log" 2>&1 </dev/null &
  echo $! >"$run/pid/$name"
}

# alive NAME: whether what was started under this name runs.
alive() {
  [ -e "$run/pid/$1" ] && kill -0 "$(cat "$run/pid/$1")" 2>/dev/null
}

# wait_for SECONDS COMMAND…: until it succeeds.
wait_for() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || { echo "cluster: gave up waiting for: $*" >&2; return 1; }
    sleep 0.1
  done
}
