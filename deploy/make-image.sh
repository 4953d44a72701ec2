#!/usr/bin/env bash
# Makes a container image out of Debian packages: a `docker save` archive with one layer.
#   deploy/make-image.sh OUT.tar NAME:TAG PACKAGE... [-- COMMAND...]
# The packages and everything that they depend on are downloaded (not installed) and unpacked; files
# below the directory named by $OVERLAY are laid on top.
set -euo pipefail

if [ $# -lt 3 ]; then
  sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
out=$(realpath -m "$1"); name=$2; shift 2
packages=(); command=()
while [ $# -gt 0 ]; do
  if [ "$1" = -- ]; then shift; command=("$@"); break; fi
  packages+=("$1"); shift
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{debs/partial,rootfs,image}

# With an empty status file apt takes nothing as installed and fetches the whole closure.
: > "$work/status"
if ! apt-get -qq -y --no-install-recommends --download-only \
     -o Dir::State::status="$work/status" -o Dir::Cache::archives="$work/debs" \
     -o APT::Sandbox::User=root install "${packages[@]}" >"$work/apt.log" 2>&1; then
  tail -n 5 "$work/apt.log" >&2
  echo "make-image.sh: apt-get could not fetch ${packages[*]}: try 'apt-get update' first" >&2
  exit 1
fi
for deb in "$work"/debs/*.deb; do
  dpkg-deb -x "$deb" "$work/rootfs"
done
# What maintainer scripts would have made.
mkdir -p "$work/rootfs"/{etc,tmp,proc,sys,dev,run,root,var/tmp}
chmod 1777 "$work/rootfs/tmp" "$work/rootfs/var/tmp"
[ -e "$work/rootfs/etc/passwd" ] || cat > "$work/rootfs/etc/passwd" <<'P'
root:x:0:0:root:/root:/bin/sh
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
P
[ -e "$work/rootfs/etc/group" ] || cat > "$work/rootfs/etc/group" <<'P'
root:x:0:
tty:x:5:
adm:x:4:
www-data:x:33:
nogroup:x:65534:
P
if [ -x "$work/rootfs/bin/busybox" ] && [ ! -e "$work/rootfs/bin/sh" ]; then
  ln -s busybox "$work/rootfs/bin/sh"
fi
[ -n "${OVERLAY:-}" ] && cp -a "$OVERLAY/." "$work/rootfs/"

tar --sort=name --mtime=@0 --numeric-owner -C "$work/rootfs" -cf "$work/image/layer.tar" .
diff_id=$(sha256sum "$work/image/layer.tar" | cut -d' ' -f1)
cmd=""
for word in "${command[@]}"; do
  word=${word//\\/\\\\}; word=${word//\"/\\\"}
  cmd="$cmd${cmd:+,}\"$word\""
done
case $(dpkg --print-architecture) in amd64) arch=amd64 ;; arm64) arch=arm64 ;; *) arch=$(dpkg --print-architecture) ;; esac
printf '{"architecture":"%s","os":"linux","config":{"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],"Cmd":[%s]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]},"history":[{"created_by":"make-image.sh"}]}' \
  "$arch" "$cmd" "$diff_id" > "$work/image/config.json"
config=$(sha256sum "$work/image/config.json" | cut -d' ' -f1).json
mv "$work/image/config.json" "$work/image/$config"
printf '[{"Config":"%s","RepoTags":["%s"],"Layers":["layer.tar"]}]' "$config" "$name" > "$work/image/manifest.json"
tar --sort=name --mtime=@0 --numeric-owner -C "$work/image" -cf "$out.tmp" manifest.json "$config" layer.tar
mv "$out.tmp" "$out"
