#!/usr/bin/env bash
# Make or refresh a virtual environment: [VENV=.venv] [PYTHON=python3.13] scripts/setup.sh EXTRAS [system packages …]
# As root, missing Debian packages are installed; an ordinary user is told which ones to ask for.
set -euo pipefail
cd "$(dirname "$0")/.."
extras=$1
shift
venv=${VENV:-.venv}

missing=()
services=()
python=""
lab=""
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
# Want Debian's packages of these libraries of R, if one is missing.
r_libraries() {
  local name
  Rscript -e 'for (name in commandArgs(TRUE)) loadNamespace(name)' "$@" >/dev/null 2>&1 ||
    for name in "$@"; do missing+=("r-cran-${name,,}"); done
}
for package in "$@"; do
  case "$package" in
    git) command -v git >/dev/null || missing+=(git) ;;
    node) lab=yes; command -v npm >/dev/null || missing+=(nodejs npm) ;;
    chromium-headless-shell) command -v chromium-headless-shell >/dev/null || missing+=(chromium-headless-shell) ;;
    r)
      command -v Rscript >/dev/null || missing+=(r-base-core)
      r_libraries IRkernel httr2 ranger kernlab nnet rpart randomForest glmnet
      ;;
    r-models) # the libraries of tests/contract/models_of_r.py, and of the tutorials in R
      r_libraries MASS caret class e1071 earth ggplot2 glmnet kernlab lme4 mgcv nlme nnet randomForest ranger rpart survival
      ;;
    plumber) r_libraries plumber ;;
    prometheus) command -v promtool >/dev/null || { missing+=(prometheus); services+=(prometheus); } ;;
    alertmanager)
      command -v prometheus-alertmanager >/dev/null ||
        { missing+=(prometheus-alertmanager); services+=(prometheus-alertmanager); }
      ;;
    keyring)
      command -v gnome-keyring-daemon >/dev/null || missing+=(gnome-keyring)
      command -v dbus-run-session >/dev/null || missing+=(dbus-daemon)
      ;;
    nats-server)
      PATH="$PATH:/usr/sbin" command -v nats-server >/dev/null || { missing+=(nats-server); services+=(nats-server); }
      ;;
    redis-server) command -v redis-server >/dev/null || { missing+=(redis-server); services+=(redis-server); } ;;
    rabbitmq-server)
      PATH="$PATH:/usr/sbin" command -v rabbitmq-server >/dev/null ||
        { missing+=(rabbitmq-server); services+=(rabbitmq-server); }
      command -v epmd >/dev/null || services+=(epmd.socket epmd.service)
      ;;
    mosquitto)
      PATH="$PATH:/usr/sbin" command -v mosquitto >/dev/null || { missing+=(mosquitto); services+=(mosquitto); }
      ;;
    postgresql)
      compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || { missing+=(postgresql); services+=(postgresql); }
      ;;
    wrk) command -v wrk >/dev/null || missing+=(wrk) ;;
    java) command -v java >/dev/null || missing+=(default-jre-headless) ;;
    # The C++ compiler and interface of ONNX Runtime, for the client of an export.
    onnxruntime)
      { command -v c++ >/dev/null && [ -f /usr/include/onnxruntime/onnxruntime_cxx_api.h ]; } ||
        missing+=(g++ libonnxruntime-dev)
      ;;
    curl) command -v curl >/dev/null || missing+=(curl) ;;
    # What podman makes networks with; it looks for the second in its own folder.
    uidmap) command -v newuidmap >/dev/null || missing+=(uidmap) ;;
    nftables) PATH="$PATH:/usr/sbin" command -v nft >/dev/null || missing+=(nftables) ;;
    aardvark-dns) [ -x /usr/lib/podman/aardvark-dns ] || [ -x /usr/libexec/podman/aardvark-dns ] || missing+=(aardvark-dns) ;;
    # runc lies where only root looks.
    podman | skopeo | cosign | docker-registry | mmdebstrap | openssl | runc)
      PATH="$PATH:/usr/sbin" command -v "$package" >/dev/null || missing+=("$package")
      ;;
    *) echo "setup: do not know how to look for '$package'" >&2; exit 2 ;;
  esac
done

if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "setup: installing ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    # Debian starts what it installs; the tests start their own.
    for service in ${services[@]+"${services[@]}"}; do
      systemctl disable --now "$service" >/dev/null 2>&1 || true
    done
    [ -n "$python" ] || python=${PYTHON:-python3}
  else
    echo "setup: these system packages are missing: ${missing[*]}" >&2
    echo "       ask for: apt-get install ${missing[*]}   (Python has to be 3.11 or newer)" >&2
    exit 2
  fi
fi

# npm downloads what the extension is built with while Python's packages are installed.
downloading=""
trap '[ -z "$downloading" ] || kill "$downloading" 2>/dev/null || true' EXIT
if [ -n "$lab" ]; then
  if ! node -e 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)'; then
    echo "setup: JupyterLab's extension is built by node 20 or newer; this is $(node --version)" >&2
    exit 2
  fi
  if ! cmp -s labextension/package-lock.json labextension/node_modules/.nbdeploy-lock; then
    echo "setup: installing what JupyterLab's extension is built with"
    (cd labextension && npm ci --ignore-scripts --silent && cp package-lock.json node_modules/.nbdeploy-lock) &
    downloading=$!
  fi
fi

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
venv=$(realpath "$venv")
# What was installed last is noted, so that a second 'make test' does not ask the package index again.
wanted="$extras $(sha256sum pyproject.toml | cut -d' ' -f1)"
if [ "$(cat "$venv/.installed" 2>/dev/null || true)" != "$wanted" ]; then
  echo "setup: installing nbdeploy[$extras] into $venv (a few minutes the first time)"
  # Where a link leads to the extension's build, what is installed would be written into that.
  [ ! -L "$venv/share/jupyter/labextensions/nbdeploy" ] || rm "$venv/share/jupyter/labextensions/nbdeploy"
  # uv takes a fifth of pip's time; pip's settings are handed on. JupyterLab's extension is built below.
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv
  SKIP_JUPYTER_BUILDER=1 "$venv/bin/python" -m scripts.install "$extras"
  echo "$wanted" > "$venv/.installed"
fi

[ -n "$lab" ] || exit 0
if [ -n "$downloading" ]; then
  wait "$downloading"
  downloading=""
fi
cd labextension
built=$(find src style schema scripts install.json package.json package-lock.json tsconfig*.json -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)
if [ "$(cat lib/.built 2>/dev/null || true)" != "$built" ] || [ ! -f ../jupyter_deploy/labextension/package.json ] || [ ! -f ../jupyter_deploy/faces/panel/static/panel.js ]; then
  echo "setup: building JupyterLab's extension"
  PATH="$venv/bin:$PATH" npm run --silent build:prod >/dev/null
  echo "$built" > lib/.built
fi
# A link, so that a build is seen without installing again (an installed copy is replaced).
place=$venv/share/jupyter/labextensions
if [ ! -L "$place/nbdeploy" ]; then
  mkdir -p "$place"
  rm -rf "$place/nbdeploy"
  ln -s "$(realpath ../jupyter_deploy/labextension)" "$place/nbdeploy"
fi
