#!/usr/bin/env bash
# Start etcd with the data that it has; a test that ended it starts it again.
set -euo pipefail
. "$(dirname "$0")/settings.sh"
start etcd etcd --data-dir "$run/etcd" --unsafe-no-fsync --log-level warn \
  --listen-client-urls http://127.0.0.1:$etcd_port --advertise-client-urls http://127.0.0.1:$etcd_port \
  --listen-peer-urls http://127.0.0.1:$((etcd_port + 1)) \
  --initial-advertise-peer-urls http://127.0.0.1:$((etcd_port + 1)) \
  --initial-cluster default=http://127.0.0.1:$((etcd_port + 1))
