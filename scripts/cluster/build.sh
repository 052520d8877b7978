#!/usr/bin/env bash
# Build Kubernetes 1.20.2 from Debian's source package, and unpack what its nodes run: once a machine.
#
# Some eight minutes on two processors, 4.5 GB of disk meanwhile and 0.8 GB afterwards; apt alone is used. Killed at any
# moment, the next call goes on. NICE (10) and JOBS (2) say how much of the machine the compiler takes.
set -euo pipefail
. "$(dirname "$0")/settings.sh"
[ ! -e "$cluster/ready" ] || exit 0
export DEBIAN_FRONTEND=noninteractive
version=v1.20.2
source_version='1.20.5+really1.20.2-1.1+deb12u1'
source_digest=b83c0780efb182d928dc63d46488a847f161f04e40a94b96bf5247dd671ecdfc
programs="kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy"

mkdir -p "$cluster"
exec 9>"$cluster/.building"
flock 9
[ ! -e "$cluster/ready" ] || exit 0

say() { echo "cluster: $*"; }
needs() { [ -e "$1" ] || missing+=("$2"); }
missing=()
needs /usr/bin/gcc gcc
needs /usr/lib/x86_64-linux-gnu/libc.a libc6-dev
needs /usr/bin/openssl openssl
needs /usr/sbin/ip iproute2
needs /usr/bin/curl curl
if [ ${#missing[@]} -gt 0 ]; then
  [ "$(id -u)" = 0 ] || { echo "cluster: ask for: apt-get install ${missing[*]}" >&2; exit 2; }
  say "installing ${missing[*]}"
  apt-get -qq update
  apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
fi

cd "$cluster"
mkdir -p debs root source bin images gopath/src/k8s.io
tree=$cluster/gopath/src/k8s.io/kubernetes

# Lists of apt of our own, with one suite: the system's stay as they are, and need no sources of programs.
apt_for() { # NAME TYPES SUITE
  local folder=$cluster/apt-$1 system=/etc/apt/sources.list.d/debian.sources
  [ -e "$system" ] || { echo "cluster: $system is missing: apt's sources of Debian 13 in deb822 format" >&2; exit 2; }
  mkdir -p "$folder/sources" "$folder/lists/partial"
  if [ "$3" = trixie ]; then # with its updates
    cp "$system" "$folder/sources/x.sources"
  else
    sed -En '1,/^$/p' "$system" | sed -E "s/^Types: .*/Types: $2/; s/^Suites: .*/Suites: $3/" >"$folder/sources/x.sources"
  fi
  cat >"$folder/apt.conf" <<CONF
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$folder/sources";
Dir::State::lists "$folder/lists";
Dir::Cache::srcpkgcache "$folder/s.bin";
Dir::Cache::pkgcache "$folder/p.bin";
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::Retries "3";
CONF
  export APT_CONFIG=$folder/apt.conf
  apt-get -qq update
}

if [ ! -e "$root/unpacked" ]; then
  say "downloading Go, etcd, containerd and kubectl"
  apt_for trixie deb trixie
  rm -f debs/*.deb # of a call that was killed, perhaps of other versions
  (cd debs && apt-get -qq download golang-1.24-go golang-1.24-src golang-github-modern-go-reflect2-dev \
    etcd-server etcd-client kubectl containerd runc containernetworking-plugins busybox-static iptables conntrack \
    libxtables12 libnftnl11 libnfnetlink0 libnetfilter-conntrack3 libip4tc2 libip6tc2 libmnl0)
  for package in debs/*.deb; do dpkg -x "$package" "$root"; done
  touch "$root/unpacked"
fi

if [ ! -d "$tree" ]; then
  say "downloading the sources of Kubernetes $version"
  apt_for bookworm deb-src bookworm
  (cd source && apt-get -qq source --download-only "kubernetes=$source_version" &&
    echo "$source_digest  $(ls kubernetes_1.20.5*.orig.tar.gz)" | sha256sum --check --quiet)
  rm -rf "$tree.part"
  mkdir -p "$tree.part"
  tar -xzf source/kubernetes_1.20.5*.orig.tar.gz --strip-components=1 -C "$tree.part"
  # Go 1.18 and later need reflect2 1.0.2, where the tarball has 1.0.1: the one change that the compiler asks for.
  vendored=$tree.part/vendor/github.com/modern-go/reflect2
  rm -f "$vendored"/*.go "$vendored"/*.s
  cp "$root"/usr/share/gocode/src/github.com/modern-go/reflect2/*.{go,s} "$vendored/"
  rm -f "$vendored"/*_test.go
  bash "$scripts/autoscaling_v2.sh" "$tree.part"
  python3 "$scripts/indexed_jobs.py" "$tree.part"
  mv "$tree.part" "$tree"
fi

export GOROOT=$root/usr/lib/go-1.24 GOPATH=$cluster/gopath GOCACHE=$cluster/gocache HOME=$cluster
export GO111MODULE=off GOPROXY=off GOTOOLCHAIN=local GOFLAGS= CGO_ENABLED=0
compile() { nice -n "${NICE:-10}" "$GOROOT/bin/go" build -p "${JOBS:-2}" "$@"; }
cd "$tree"

# The tarball lacks one generated file; this is how Makefile.generated_files makes it.
if [ ! -f pkg/generated/openapi/zz_generated.openapi.go ]; then
  say "generating the OpenAPI document"
  compile -o "$cluster/bin/openapi-gen" k8s.io/kubernetes/vendor/k8s.io/kube-openapi/cmd/openapi-gen
  folders=$(grep -rl --include='*.go' '+k8s:openapi-gen=' cmd pkg plugin staging/src |
    grep -vE '/_examples/|/code-generator/|/sample-apiserver/|/testdata/' | xargs -n1 dirname | LC_ALL=C sort -u |
    sed 's#^staging/src/#vendor/#; s#^#k8s.io/kubernetes/#' | paste -sd,)
  nice -n "${NICE:-10}" "$cluster/bin/openapi-gen" --logtostderr -i "$folders" -O zz_generated.openapi \
    -p k8s.io/kubernetes/pkg/generated/openapi -h vendor/k8s.io/code-generator/hack/boilerplate.go.txt \
    -r "$cluster/openapi-violations.report" 2>"$cluster/openapi-gen.log"
fi

stamp=""
for package in k8s.io/client-go/pkg/version k8s.io/component-base/version; do
  stamp+=" -X k8s.io/kubernetes/vendor/$package.gitVersion=$version"
  stamp+=" -X k8s.io/kubernetes/vendor/$package.gitMajor=1 -X k8s.io/kubernetes/vendor/$package.gitMinor=20"
  stamp+=" -X k8s.io/kubernetes/vendor/$package.gitTreeState=archive"
done
for program in $programs; do
  [ ! -x "$cluster/bin/$program" ] || continue
  say "compiling $program"
  compile -trimpath -ldflags "-s -w$stamp" -o "$cluster/bin/.$program" "k8s.io/kubernetes/cmd/$program"
  mv "$cluster/bin/.$program" "$cluster/bin/$program"
done
ln -sf ../root/usr/bin/etcd "$cluster/bin/etcd"
ln -sf ../root/usr/bin/kubectl "$cluster/bin/kubectl"

# The two images that every node has: the sandbox of a pod, and a shell for tests.
gcc -Os -static -s -DVERSION=3.2 -o "$images/pause" build/pause/linux/pause.c
cd "$project"
links=()
for name in $("$root/usr/bin/busybox" --list); do [ "$name" = busybox ] || links+=("bin/$name->busybox"); done
python3 -m scripts.cluster.image "$images/pause.tar" localhost/pause:3.2 --entrypoint /pause "pause=$images/pause"
python3 -m scripts.cluster.image "$images/busybox.tar" localhost/busybox:1 --command sh \
  "bin/busybox=$root/usr/bin/busybox" "${links[@]}"

rm -f "$root/unpacked" # Go goes: a call that is killed here begins anew
rm -rf "$cluster"/{gopath,gocache,source,debs,apt-*,bin/openapi-gen,images/pause}
rm -rf "$root"/usr/{lib/go-1.24,share/go-1.24,share/gocode}
touch "$cluster/ready"
say "Kubernetes $version is in $cluster"
