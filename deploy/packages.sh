#!/usr/bin/env bash
# Installs, with apt-get, the Debian 12 packages that are named and missing. Prints nothing when all are there.
#   deploy/packages.sh build     what the programs are built with
#   deploy/packages.sh test      what the tests need on top
#   deploy/packages.sh peers     managers of containers that drive cluster-oci in tests; some come with a service
#   deploy/packages.sh run       what an image is made with in the quick start, and the time zones that CronJobs name
set -euo pipefail

build=(cmake ninja-build ccache mold g++ pkg-config
  libgrpc++-dev protobuf-compiler-grpc libprotobuf-dev protobuf-compiler libabsl-dev libspdlog-dev
  libyaml-cpp-dev libgtest-dev libgmock-dev libsqlite3-dev libarchive-dev libssl-dev libc-ares-dev
  nlohmann-json3-dev libcli11-dev libbenchmark-dev libseccomp-dev libcap-dev libnftables-dev libldns-dev
  zlib1g-dev libzstd-dev libjemalloc-dev)
tests=(clang clang-format clang-tidy libclang-rt-14-dev busybox-static git patch qemu-system-x86 e2fsprogs
  tzdata redis-tools)
peers=(podman containerd docker.io crun)
run=(dpkg tar coreutils busybox-static tzdata)

wanted=()
for group in "$@"; do
  case $group in
    build) wanted+=("${build[@]}") ;;
    test) wanted+=("${tests[@]}") ;;
    peers) wanted+=("${peers[@]}") ;;
    run) wanted+=("${run[@]}") ;;
    *) echo "packages.sh: no group \"$group\": use build, test, peers or run" >&2; exit 2 ;;
  esac
done

missing=()
for package in "${wanted[@]}"; do
  if [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null)" != "ii " ]; then
    missing+=("$package")
  fi
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ]; then
  echo "packages.sh: run as root, or install these first: ${missing[*]}" >&2
  exit 1
fi
echo "installing ${#missing[@]} packages: ${missing[*]}"
log=$(mktemp)
if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
       apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "packages.sh: apt-get failed; its last lines are above" >&2
  rm -f "$log"
  exit 1
fi
rm -f "$log"
