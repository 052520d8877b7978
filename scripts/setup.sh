#!/usr/bin/env bash
# Make or refresh a virtual environment: [VENV=.venv] [PYTHON=python3.13] scripts/setup.sh EXTRAS [system packages …]
# As root, missing Debian packages are installed; an ordinary user is told which ones to ask for.
set -euo pipefail
cd "$(dirname "$0")/.."
extras=$1
shift
venv=${VENV:-.venv}

missing=()
python=""
for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3}; do
  if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
[ -n "$python" ] || missing+=("${PYTHON:-python3}")
if [ -z "$python" ] || ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  missing+=("${PYTHON:-python3}-venv")
fi
for package in "$@"; do
  case "$package" in
    git) command -v git >/dev/null || missing+=(git) ;;
    chromium) command -v chromium >/dev/null || missing+=(chromium) ;;
    *) echo "setup: do not know how to look for '$package'" >&2; exit 2 ;;
  esac
done

if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "setup: installing ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    [ -n "$python" ] || python=${PYTHON:-python3}
  else
    echo "setup: these system packages are missing: ${missing[*]}" >&2
    echo "       ask for: apt-get install ${missing[*]}   (Python has to be 3.11 or newer)" >&2
    exit 2
  fi
fi

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
# What was installed last is noted, so that a second 'make test' does not ask the package index again.
wanted="$extras $(sha256sum pyproject.toml | cut -d' ' -f1)"
if [ "$(cat "$venv/.installed" 2>/dev/null || true)" != "$wanted" ]; then
  echo "setup: installing nbdeploy[$extras] into $venv (a few minutes the first time)"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -e ".[$extras]"
  echo "$wanted" > "$venv/.installed"
fi
