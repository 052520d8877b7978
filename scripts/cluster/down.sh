#!/usr/bin/env bash
# End what up.sh started; its logs stay until the next start.
. "$(dirname "$0")/settings.sh"
shopt -s nullglob
# Also what another checkout started: there is one cluster a machine.
mine() { tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline" | grep -qE "$cluster|scripts/cluster/|etcd|kube-|docker-registry"; }
for file in "$run"/pid/node*.init; do
  # The kernel ends all processes of a namespace with its first one.
  pid=$(cat "$file")
  mine "$pid" && kill -9 "$pid"
done
sleep 0.5
ending=()
for file in "$run"/pid/*; do
  pid=$(cat "$file")
  mine "$pid" && kill -CONT "$pid" && kill "$pid" && ending+=("$pid")
done
for _ in $(seq 50); do
  left=()
  for pid in "${ending[@]}"; do kill -0 "$pid" 2>/dev/null && left+=("$pid"); done
  ending=("${left[@]}")
  [ ${#ending[@]} -gt 0 ] || break
  sleep 0.1
done
for pid in "${ending[@]}"; do kill -9 "$pid" 2>/dev/null; done
ip link delete $bridge 2>/dev/null
for link in /sys/class/net/kwv*; do ip link delete "$(basename "$link")" 2>/dev/null; done
for group in /sys/fs/cgroup/*/kw-node*; do find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null; done
rm -f "$run"/pid/* "$run/up"
exit 0
