#!/usr/bin/env bash
# From a fresh Debian 12 to a running three-node cluster that serves a page. Run it again: it is quick
# and changes nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

started=$SECONDS
step() { printf '\n==> %s\n' "$*"; }
fail() { printf '\nquickstart: %s\n' "$*" >&2; exit 1; }

[ "$(id -u)" -eq 0 ] || fail "containers need root: run it with sudo"
[ -r /etc/debian_version ] || fail "this script installs with apt-get: on another system install what deploy/packages.sh names, build with cmake, and go on from there"

step "packages"
deploy/packages.sh build run || fail "see above; then run this again"

step "build"
[ -f build/build.ninja ] || cmake --preset release -DCLUSTER_UNITY=ON >build.log 2>&1 || { tail -n 30 build.log >&2; fail "cmake failed; its output is above"; }
ninja -C build clusterctl cluster-controller cluster-node cluster-init || fail "the build failed; its output is above"
rm -f build.log
export PATH="$PWD/build/bin:$PATH"

step "a local cluster of three nodes, in network namespaces of its own"
clusterctl local up --nodes 3 || fail "see above; 'clusterctl local down' cleans up"

step "an image with nginx, out of Debian's packages"
image=build/quickstart-web.tar
if [ ! -f "$image" ]; then
  OVERLAY=deploy/samples/web-overlay deploy/make-image.sh "$image" web:1 nginx-light busybox \
    -- nginx -g "daemon off;" || fail "the image could not be made"
fi
clusterctl image load "$image" || fail "the image could not be loaded"

step "apply deploy/samples/web.yaml"
clusterctl apply -f deploy/samples/web.yaml --wait --timeout 60s || {
  clusterctl get pods -o wide >&2 || true
  fail "the pods did not become ready; 'clusterctl describe pod NAME' says why"
}

step "nodes and pods"
clusterctl get nodes -o wide
clusterctl get pods -o wide

step "a page from a pod on one node, fetched by a pod on another"
pods=($(clusterctl get pods -l app=web -o jsonpath='{range .items[*]}{.metadata.name}{" "}{end}'))
nodes=($(clusterctl get pods -l app=web -o jsonpath='{range .items[*]}{.spec.nodeName}{" "}{end}'))
ips=($(clusterctl get pods -l app=web -o jsonpath='{range .items[*]}{.status.podIP}{" "}{end}'))
other=1
for i in "${!nodes[@]}"; do [ "${nodes[$i]}" != "${nodes[0]}" ] && other=$i; done
echo "\$ clusterctl exec ${pods[0]} -- busybox wget -qO- http://${ips[$other]}/      # ${nodes[0]} -> ${nodes[$other]}"
clusterctl exec "${pods[0]}" -- busybox wget -qO- "http://${ips[$other]}/" || fail "no answer from ${pods[$other]}"

step "done in $((SECONDS - started)) s; the cluster keeps running. Next, for example:"
cat <<'T'
  export PATH="$PWD/build/bin:$PATH"
  clusterctl get pods -o wide -w                     # watch
  clusterctl scale deploy/web --replicas 6
  clusterctl logs -f deploy/web
  clusterctl exec -it deploy/web -- sh
  clusterctl local stop node2                        # power a node off: its pods run elsewhere in seconds
  clusterctl local start node2
  clusterctl local down                              # leaves nothing behind
T
