#!/usr/bin/env bash
# A registry without TLS for the images of tests: on localhost for who pushes, on the bridge for the nodes.
#
# Two processes with one storage: clients take plain HTTP from localhost alone.
set -euo pipefail
. "$(dirname "$0")/settings.sh"
mkdir -p "$run/registry"
for address in 127.0.0.1 $gateway; do
  cat >"$run/conf/registry-$address.yml" <<CONFIG
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: "$run/registry"}, delete: {enabled: true}}
http: {addr: "$address:$registry_port"}
CONFIG
  alive "registry-$address" || start "registry-$address" env -u REGISTRY_AUTH_FILE docker-registry serve "$run/conf/registry-$address.yml"
  wait_for 60 curl -sf "http://$address:$registry_port/v2/"
done
