#!/usr/bin/env bash
# The first process of a node's namespaces; start_node.sh starts it.
. "$(dirname "$0")/settings.sh"
i=$1 node=node$1 folder=$run/node$1 address=$network.$((10 + $1))
socket=/run/containerd/containerd.sock

mount --make-rprivate /
hostname "$node"
mount -t tmpfs tmpfs /run
mount --bind "$folder/varlib" /var/lib
mkdir -p /var/lib/kubelet
mount --bind /var/lib/kubelet /var/lib/kubelet
mount --make-rshared /var/lib/kubelet
mount --bind "$folder/log" /var/log

# The kubelet writes these settings of the kernel, which the machine shares: it gets files that have them already.
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
  kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
  file=$folder/fake/${setting//[\/=]/_}
  echo "${setting#*=}" >"$file"
  mount --bind "$file" "/proc/sys/${setting%=*}"
done

ip link set lo up
until ip link show eth0 >/dev/null 2>&1; do sleep 0.02; done
ip addr add "$address/24" dev eth0
ip link set eth0 up
ip route add default via $gateway
for other in $(seq 1 "$NODES"); do
  [ "$other" = "$i" ] || ip route add $pods.$other.0/24 via $network.$((10 + other))
done
ip route add unreachable 169.254.0.0/16 # the kubelet looks for a cloud there
export AWS_EC2_METADATA_DISABLED=true
echo "nameserver 127.0.0.1" >"$folder/resolv.self"
mount --bind "$folder/resolv.self" "$(readlink -f /etc/resolv.conf)"
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables

for hierarchy in /sys/fs/cgroup/*/; do mkdir -p "$hierarchy/kw-$node" 2>/dev/null; done
for kind in cpus mems; do
  cat "/sys/fs/cgroup/cpuset/cpuset.$kind" >"/sys/fs/cgroup/cpuset/kw-$node/cpuset.$kind"
done

# Names of the registry on this machine lead to the bridge.
mkdir -p "$folder/certs.d/localhost:$registry_port"
cat >"$folder/certs.d/localhost:$registry_port/hosts.toml" <<CONFIG
server = "http://$gateway:$registry_port"
[host."http://$gateway:$registry_port"]
  capabilities = ["pull", "resolve"]
CONFIG
without='"io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.nri.v1.nri"'
without+=', "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.blockfile"'
without+=', "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp"'
cat >"$folder/containerd.toml" <<CONFIG
version = 2
root = "$folder/containerd"
state = "/run/containerd"
disabled_plugins = [$without]
[grpc]
  address = "$socket"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:3.2"
  restrict_oom_score_adj = true # without CAP_SYS_RESOURCE it cannot be lowered
  disable_apparmor = true
  enable_selinux = false
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "$folder/certs.d"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$root/usr/lib/cni"
    conf_dir = "$folder/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "$root/usr/sbin/runc"
        SystemdCgroup = false
CONFIG
cat >"$folder/cni/10-bridge.conflist" <<CONFIG
{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "$pods.$i.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
CONFIG
echo "nameserver $dns" >"$folder/resolv.conf"
cat >"$folder/kubelet.yaml" <<CONFIG
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $address
healthzBindAddress: 127.0.0.1
readOnlyPort: 0
tlsCertFile: $pki/$node.crt
tlsPrivateKeyFile: $pki/$node.key
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $pki/ca.crt}}
authorization: {mode: Webhook}
cgroupDriver: cgroupfs
cgroupRoot: /kw-$node
cgroupsPerQOS: true
enforceNodeAllocatable: [pods]
clusterDomain: cluster.local
clusterDNS: [$dns]
resolvConf: $folder/resolv.conf
failSwapOn: false
hairpinMode: none
nodeStatusUpdateFrequency: 2s
nodeStatusReportFrequency: 2s
nodeLeaseDurationSeconds: 8
syncFrequency: 5s
evictionHard: {memory.available: "100Mi"}
imageGCHighThresholdPercent: 100
maxPods: 60
serializeImagePulls: false
CONFIG

rm -rf /var/lib/cni # addresses of the pods that a killed node had
containerd -c "$folder/containerd.toml" >"$run/log/$node.containerd.log" 2>&1 &
until ctr -a $socket version >/dev/null 2>&1; do sleep 0.1; done
imports=()
for archive in "$images"/*.tar; do
  ctr -a $socket -n k8s.io images import "$archive" &
  imports+=($!)
done
wait "${imports[@]}"
while :; do
  until [ ! -e "$folder/no-kubelet" ]; do sleep 0.1; done
  kubelet --config="$folder/kubelet.yaml" --kubeconfig="$run/conf/$node.kubeconfig" --container-runtime=remote \
    --container-runtime-endpoint=unix://$socket --hostname-override="$node" --node-ip="$address" \
    --root-dir=/var/lib/kubelet --oom-score-adj=0 --housekeeping-interval=1s --v=2 >>"$run/log/$node.kubelet.log" 2>&1
  sleep 0.2
done &
kube-proxy --kubeconfig="$run/conf/proxy.kubeconfig" --cluster-cidr=$pods.0.0/16 --hostname-override="$node" \
  --proxy-mode=iptables --healthz-bind-address=127.0.0.1:10256 --metrics-bind-address=127.0.0.1:10249 \
  --oom-score-adj=0 --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0s \
  --conntrack-tcp-timeout-close-wait=0s >>"$run/log/$node.kube-proxy.log" 2>&1 &
while :; do
  wait -n
  [ $? != 127 ] || sleep 1 # it reaps what its namespace leaves
done
