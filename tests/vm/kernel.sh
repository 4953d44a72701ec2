#!/usr/bin/env bash
# Puts Debian's own kernel below DIRECTORY, as boot/vmlinuz-VERSION and lib/modules/VERSION, and prints VERSION.
# It comes out of the package (fetched with apt-get, not installed: the machine's own kernel is left alone).
#   tests/vm/kernel.sh DIRECTORY
# Exit code 77 and one line on stderr: it cannot be had here, and why.
set -euo pipefail

directory=${1:?usage: kernel.sh DIRECTORY}
mkdir -p "$directory"
exec 9>"$directory/lock"
flock 9

give_up() {
  echo "$1" >&2
  exit 77
}

package_of_today() {
  apt-cache show linux-image-cloud-amd64 2>/dev/null |
    sed -n 's/^Depends:.*\(linux-image-[0-9][^ ,]*-cloud-amd64\).*/\1/p' | head -n 1
}

fetch() {
  local package fetched
  package=$(package_of_today)
  if [ -z "$package" ]; then
    apt-get update -qq >/dev/null 2>&1 || true
    package=$(package_of_today)
  fi
  [ -n "$package" ] || give_up "apt knows no package linux-image-cloud-amd64"
  fetched=$(mktemp -d "$directory/fetch-XXXXXX")
  if ! (cd "$fetched" && apt-get download -qq "$package" >log 2>&1); then
    # The lists may be older than what the mirror still has.
    if ! (cd "$fetched" && apt-get update -qq >log 2>&1 &&
          apt-get download -qq "$(package_of_today)" >log 2>&1); then
      local reason
      reason=$(grep '^E:' "$fetched/log" | head -n 1)
      rm -rf "$fetched"
      give_up "apt-get download $package: ${reason:-failed}"
    fi
  fi
  dpkg-deb -x "$fetched"/*.deb "$fetched/tree"
  local version
  version=$(basename "$fetched"/tree/lib/modules/*)
  busybox depmod -b "$fetched/tree" "$version"
  rm -rf "$directory/boot" "$directory/lib" "$directory/version"
  mv "$fetched/tree/boot" "$fetched/tree/lib" "$directory/"
  rm -rf "$fetched"
  echo "$version" >"$directory/version"
}

[ -f "$directory/version" ] || fetch
cat "$directory/version"
