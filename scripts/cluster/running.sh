#!/usr/bin/env bash
# Whether the cluster runs, by the exit code.
. "$(dirname "$0")/settings.sh"
alive apiserver && [ -e "$run/up" ]
