# Functions that sign certificates by the cluster's authority, and write kubeconfigs; sourced after settings.sh.
umask 077
cd "$pki"

key() { openssl ecparam -genkey -name prime256v1 -noout -out "$1.key"; }

certificate() { # NAME AUTHORITY SUBJECT USAGE [NAMES]
  key "$1"
  local extensions
  extensions=$(printf 'extendedKeyUsage=%s\nkeyUsage=digitalSignature,keyEncipherment\n' "$4")
  [ -z "${5:-}" ] || extensions+=$'\n'"subjectAltName=$5"
  openssl req -new -key "$1.key" -subj "$3" |
    openssl x509 -req -CA "$2.crt" -CAkey "$2.key" -CAcreateserial -days 3650 -out "$1.crt" \
      -extfile <(echo "$extensions") 2>/dev/null
}

kubeconfig() { # NAME
  cat >"$run/conf/$1.kubeconfig" <<CONFIG
apiVersion: v1
kind: Config
clusters:
  - {name: nbdeploy, cluster: {server: "https://$api:$port", certificate-authority-data: $(base64 -w0 ca.crt)}}
users:
  - {name: user, user: {client-certificate-data: $(base64 -w0 "$1.crt"), client-key-data: $(base64 -w0 "$1.key")}}
contexts:
  - {name: nbdeploy, context: {cluster: nbdeploy, user: user}}
current-context: nbdeploy
CONFIG
}

client() { # NAME SUBJECT
  certificate "$1" ca "$2" clientAuth
  kubeconfig "$1"
}
