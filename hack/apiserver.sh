#!/usr/bin/env bash
# A real API server on loopback for tests and for trying things out.
#
#   hack/apiserver.sh assets [--version V]     prints the directory with the server programs, building them if need be
#   hack/apiserver.sh start  --dir D [--version V] [--controller-manager] [--more-controllers LIST] [--crd FILE]... [--owner PID]
#                            [-- extra kube-apiserver arguments]
#   hack/apiserver.sh stop   --dir D
#
# In:  KUBEBUILDER_ASSETS, if set, is taken for the default version and nothing is built; else hack/apiserver/build.sh.
# Out: `start` returns when /readyz says so and leaves in D: kubeconfig (user admin, group system:masters), tokens.csv
#      (admin, writer, viewer, nobody: the last three without any right until a test grants some), logs and pids.
#      With --owner the servers end when that process does, and etcd's data goes.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
default_version=1.37.2
ready_seconds=${APISERVER_READY_SECONDS:-120}

die() { printf 'apiserver: %s\n' "$*" >&2; exit 1; }

assets() {
  local version=$1
  if [ -n "${KUBEBUILDER_ASSETS:-}" ] && [ "$version" = "$default_version" ]; then
    [ -x "$KUBEBUILDER_ASSETS/kube-apiserver" ] || die "KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS has no kube-apiserver"
    printf '%s\n' "$KUBEBUILDER_ASSETS"
  else
    "$here/apiserver/build.sh" "$version" | tail -n 1
  fi
}

# A port on which nobody listens now, below the range from which the system hands out ports by itself.
free_port() {
  local port
  for _ in $(seq 100); do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { printf '%s\n' "$port"; return; }
  done
  die "no free port on 127.0.0.1"
}

stop() {
  local dir=$1 name pid
  for name in kube-controller-manager kube-apiserver etcd; do
    [ -f "$dir/$name.pid" ] || continue
    pid=$(cat "$dir/$name.pid")
    # Asked kindly, the API server waits for its watches and etcd for its members. What etcd has written stays written.
    kill -9 "$pid" 2>/dev/null || true
    for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    rm -f "$dir/$name.pid"
  done
}

# Runs a program detached from this shell, its output in D/NAME.log, its process id in D/NAME.pid.
launch() {
  local dir=$1 name=$2
  shift 2
  nohup "$@" >"$dir/$name.log" 2>&1 </dev/null &
  printf '%s\n' $! >"$dir/$name.pid"
  disown
}

tail_and_die() {
  local dir=$1 name=$2
  tail -n 5 "$dir/$name.log" >&2 || true
  stop "$dir"
  die "$name did not start; its log is $dir/$name.log"
}

start() {
  local dir=$1 version=$2 controller_manager=$3 owner=$4 extra=("${@:5}")
  local bin token port etcd_port peer_port server
  bin=$(assets "$version")
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  [ ! -f "$dir/kube-apiserver.pid" ] || die "$dir is in use: stop it first"
  etcd_port=$(free_port) peer_port=$(free_port) port=$(free_port)
  openssl genrsa -out "$dir/sa.key" 2048 2>/dev/null
  openssl rsa -in "$dir/sa.key" -pubout -out "$dir/sa.pub" 2>/dev/null
  # A certificate authority of our own: clients other than Go's do not take a server certificate for one.
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=kubectl-skills-tests -keyout "$dir/ca.key" -out "$dir/ca.crt" \
    -addext basicConstraints=critical,CA:TRUE 2>/dev/null
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=kube-apiserver -keyout "$dir/server.key" -out "$dir/server.csr" 2>/dev/null
  openssl x509 -req -in "$dir/server.csr" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -CAcreateserial -days 30 -out "$dir/server.crt" \
    -extfile <(printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n') 2>/dev/null
  token=$(openssl rand -hex 16)
  printf '%s-%s,%s,%s%s\n' admin "$token" admin 1 ',"system:masters"' writer "$token" writer 2 '' \
    viewer "$token" viewer 3 '' nobody "$token" nobody 4 '' >"$dir/tokens.csv"
  server=https://127.0.0.1:$port
  cat >"$dir/kubeconfig" <<YAML
apiVersion: v1
kind: Config
clusters:
  - {name: test, cluster: {server: "$server", certificate-authority: ca.crt}}
users:
  - {name: admin, user: {token: admin-$token}}
  - {name: writer, user: {token: writer-$token}}
  - {name: viewer, user: {token: viewer-$token}}
  - {name: nobody, user: {token: nobody-$token}}
  - {name: expired, user: {token: expired-$token}}
contexts:
  - {name: test, context: {cluster: test, user: admin, namespace: default}}
current-context: test
YAML
  launch "$dir" etcd "$bin/etcd" --data-dir "$dir/etcd" --unsafe-no-fsync --log-level warn \
    --listen-client-urls "http://127.0.0.1:$etcd_port" --advertise-client-urls "http://127.0.0.1:$etcd_port" \
    --listen-peer-urls "http://127.0.0.1:$peer_port" --initial-advertise-peer-urls "http://127.0.0.1:$peer_port" \
    --initial-cluster "default=http://127.0.0.1:$peer_port"
  launch "$dir" kube-apiserver "$bin/kube-apiserver" --etcd-servers "http://127.0.0.1:$etcd_port" \
    --bind-address 127.0.0.1 --secure-port "$port" --cert-dir "$dir/certs" \
    --tls-cert-file "$dir/server.crt" --tls-private-key-file "$dir/server.key" \
    --service-account-key-file "$dir/sa.pub" --service-account-signing-key-file "$dir/sa.key" \
    --service-account-issuer https://kubernetes.default.svc --service-cluster-ip-range 10.96.0.0/24 \
    --token-auth-file "$dir/tokens.csv" --authorization-mode RBAC --disable-admission-plugins ServiceAccount \
    --allow-privileged "${extra[@]}"
  if [ -n "$owner" ]; then
    # Ends the servers when the process that asked for them is gone, however it went.
    (
      trap '' HUP INT
      while kill -0 "$owner" 2>/dev/null && [ -f "$dir/kube-apiserver.pid" ]; do sleep 1; done
      stop "$dir"
      # Logs stay for who looks for a failure; what etcd held, some 130 MB each time, would only fill the disk.
      rm -rf "$dir/etcd"
    ) >/dev/null 2>&1 </dev/null &
    disown
  fi
  local deadline=$((SECONDS + ready_seconds))
  until curl -sf --max-time 2 --cacert "$dir/ca.crt" -H "Authorization: Bearer admin-$token" "$server/readyz" >/dev/null 2>&1; do
    kill -0 "$(cat "$dir/etcd.pid")" 2>/dev/null || tail_and_die "$dir" etcd
    kill -0 "$(cat "$dir/kube-apiserver.pid")" 2>/dev/null || tail_and_die "$dir" kube-apiserver
    [ "$SECONDS" -lt "$deadline" ] || tail_and_die "$dir" kube-apiserver
    sleep 0.2
  done
  local crd
  for crd in "${crds[@]}"; do
    curl -sf --max-time 20 --cacert "$dir/ca.crt" -H "Authorization: Bearer admin-$token" -H 'Content-Type: application/apply-patch+yaml' \
      -X PATCH --data-binary "@$crd" -o /dev/null \
      "$server/apis/apiextensions.k8s.io/v1/customresourcedefinitions/$(sed -n 's/^  name: *//p' "$crd" | head -n 1)?fieldManager=test&force=true" ||
      { stop "$dir"; die "$crd: the API server did not take it"; }
    # Its schema is served a little later; who looks for it before would find no such kind.
    until curl -sf --max-time 5 --cacert "$dir/ca.crt" -H "Authorization: Bearer admin-$token" "$server/openapi/v3" |
      grep -q "apis/$(sed -n 's/^  group: *//p' "$crd" | head -n 1)/"; do
      [ "$SECONDS" -lt "$deadline" ] || { stop "$dir"; die "$crd: its schema is not served"; }
      sleep 0.1
    done
  done
  if [ "$controller_manager" = yes ]; then
    launch "$dir" kube-controller-manager "$bin/kube-controller-manager" --kubeconfig "$dir/kubeconfig" --secure-port 0 \
      --leader-elect=false --service-account-private-key-file "$dir/sa.key" \
      --controllers deployment-controller,replicaset-controller,statefulset-controller,namespace-controller,garbage-collector-controller${more_controllers:+,$more_controllers}
  fi
  printf '%s\n' "$dir/kubeconfig"
}

command=${1:-}
shift || true
dir='' version=$default_version controller_manager=no more_controllers='' owner='' crds=() extra=()
while [ $# -gt 0 ]; do
  case $1 in
    --dir) dir=$2; shift 2 ;;
    --version) version=${2#v}; shift 2 ;;
    --controller-manager) controller_manager=yes; shift ;;
    --more-controllers) more_controllers=$2; shift 2 ;;
    --crd) crds+=("$2"); shift 2 ;;
    --owner) owner=$2; shift 2 ;;
    --) shift; extra=("$@"); break ;;
    *) die "unknown argument $1" ;;
  esac
done
case $command in
  assets) assets "$version" ;;
  start) [ -n "$dir" ] || die "start needs --dir"; start "$dir" "$version" "$controller_manager" "$owner" "${extra[@]}" ;;
  stop) [ -n "$dir" ] || die "stop needs --dir"; stop "$dir" ;;
  *) sed -n '2,/^set /{s/^# \{0,1\}//;/^set /d;p}' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
