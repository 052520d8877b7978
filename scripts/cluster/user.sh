#!/usr/bin/env bash
# A user of the running cluster: user.sh NAME GROUP prints a kubeconfig with a certificate; bindings of Roles give rights.
set -euo pipefail
. "$(dirname "$0")/settings.sh"
. "$scripts/signing.sh"
[ $# = 2 ] || { echo "cluster: user.sh NAME GROUP" >&2; exit 2; }
client "user-$1" "/O=$2/CN=$1"
cat "$run/conf/user-$1.kubeconfig"
