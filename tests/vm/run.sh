#!/usr/bin/env bash
# Boots Debian's kernel in a virtual machine (qemu, software emulation; no network) with a pure cgroup v2 hierarchy, runs a
# program of the build there, prints its output and ends with its exit code.
#   tests/vm/run.sh PROGRAM [ARGS...]        tests/vm/run.sh build/tests/runtime_root_test --gtest_filter=*Oom*
#   tests/vm/run.sh --list FILE              one command line per line, in one boot; ends with 1 when one fails
# Programs are named as they lie in build/tests or build/bin; those there are all in the machine, at /cluster.
# Exit code 77: the machine cannot be had here; one line on stderr says why.
#   CLUSTER_BUILD_DIR  the build (default: build)
#   CLUSTER_VM_DIR     where kernel and disk are made (default: vm in the build)
#   CLUSTER_VM_TIMEOUT seconds until it is taken for hung (default: 600)
#   CLUSTER_VM_RAW     set: show the whole console
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(realpath "${CLUSTER_BUILD_DIR:-$here/../../build}")
vm=${CLUSTER_VM_DIR:-$build/vm}
limit=${CLUSTER_VM_TIMEOUT:-600}

# What the node needs of the kernel, beyond what is built in.
modules=(overlay veth bridge br_netfilter vxlan nf_tables nf_conntrack nf_nat nft_ct nft_nat nft_masq nft_fib nft_fib_inet
  nft_fib_ipv4 nft_fib_ipv6 nft_chain_nat nft_reject nft_reject_ipv4 nft_reject_inet nft_redir nft_limit nft_numgen nft_hash dummy tun
  nf_conntrack_netlink nft_meta_bridge loop bfq fuse)
boot_modules=(virtio_pci virtio_blk quota_v2)

fail() { echo "vm: $1" >&2; exit "${2:-1}"; }

command -v qemu-system-x86_64 >/dev/null || fail "qemu-system-x86_64 is not installed: deploy/packages.sh test" 77
command -v mke2fs >/dev/null || fail "mke2fs is not installed: deploy/packages.sh test" 77
[ -x /bin/busybox ] || fail "busybox is not installed: deploy/packages.sh test" 77

work=$(mktemp -d)
machine=
trap '[ -z "$machine" ] || kill "$machine" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 143' TERM INT HUP

# The program's name as it is inside of the machine.
inside() {
  local name=$1
  local -a words
  read -ra words <<<"$name"
  local base=${words[0]##*/}
  if [ -x "$build/tests/$base" ]; then words[0]=/cluster/tests/$base
  elif [ -x "$build/bin/$base" ]; then words[0]=/cluster/bin/$base
  fi
  echo "${words[*]}"
}

if [ "${1:-}" = --list ]; then
  while IFS= read -r line; do
    case $line in '' | '#'*) continue ;; esac
    inside "$line" >>"$work/programs"
  done <"$2"
elif [ $# -gt 0 ]; then
  program=$(inside "$1")
  shift
  echo "$program${*:+ ${*@Q}}" >"$work/programs"
else
  fail "usage: run.sh PROGRAM [ARGS...] | run.sh --list FILE" 2
fi

if ! version=$("$here/kernel.sh" "$vm/kernel" 2>"$work/reason"); then
  fail "$(tail -n 1 "$work/reason")" 77
fi
kernel=$vm/kernel

# Modules and what they need, in the place where modprobe looks for them.
copy_modules() {
  local into=$1 name file needs
  shift
  local from=$kernel/lib/modules/$version
  mkdir -p "$into/lib/modules/$version"
  cp "$from"/modules.* "$into/lib/modules/$version/"
  for name in "$@"; do
    # "path/name.ko: needed.ko needed.ko"; names are written with - or _.
    while read -r file needs; do
      for file in "${file%:}" $needs; do
        [ -f "$into/lib/modules/$version/$file" ] || install -D -m 644 "$from/$file" "$into/lib/modules/$version/$file"
      done
    done < <(grep -E "/${name//_/[-_]}\.ko:" "$from/modules.dep" || true)
  done
}

make_initramfs() {
  local root=$work/initramfs
  mkdir -p "$root/bin"
  cp /bin/busybox "$root/bin/"
  ln -s busybox "$root/bin/sh"
  install -m 755 "$here/early_init.sh" "$root/init"
  copy_modules "$root" "${boot_modules[@]}"
  (cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null) >"$work/initramfs.cpio"
}

make_disk() {
  local root=$work/root program
  mkdir -p "$root"/{proc,sys,dev,run,root,vm,cluster,usr/bin,usr/sbin,usr/lib/x86_64-linux-gnu,usr/lib64,etc,var}
  mkdir -m 1777 "$root/tmp"
  for name in bin sbin lib lib64; do ln -s "usr/$name" "$root/$name"; done
  cp /bin/busybox "$root/bin/"
  busybox --list | grep -vx busybox | while read -r name; do ln -sf busybox "$root/bin/$name"; done
  mkdir -p "$root/cluster/tests" "$root/cluster/bin"
  for program in $(wanted_programs); do
    cp "$program" "$root/cluster/${program#"$build"/}"
    ldd "$program" 2>/dev/null | grep -oE '/[^ ]+ \(0x' | sed 's/ (0x//' || true
  done | sort -u | while read -r library; do
    cp -L "$library" "$root/usr${library#/usr}"
  done
  copy_modules "$root" "${modules[@]}"
  echo "${modules[*]}" >"$root/vm/modules"
  cp "$work/programs" "$root/vm/programs"
  install -m 755 "$here/init.sh" "$root/vm/init"
  printf 'root:x:0:0:root:/root:/bin/sh\n' >"$root/etc/passwd"
  printf 'root:x:0:\n' >"$root/etc/group"
  : >"$root/vm/environment"
  truncate -s 3G "$work/disk"
  mke2fs -q -t ext4 -O quota,project,^has_journal -E lazy_itable_init=1,quotatype=prjquota -d "$root" "$work/disk"
  rm -rf "$root"
}

# The programs that are to run, and what they may start in turn.
wanted_programs() {
  local word
  for word in $(cut -d ' ' -f 1 "$work/programs" | sort -u); do
    [ -x "$build/${word#/cluster/}" ] && echo "$build/${word#/cluster/}"
  done
  find "$build/bin" -maxdepth 1 -type f -perm -u+x \( -name 'cluster-init*' -o -name cluster-oci \)
  for word in test_agent container_probe; do
    [ -x "$build/tests/$word" ] && echo "$build/tests/$word"
  done
  true
}

make_initramfs
make_disk

show() {
  if [ -n "${CLUSTER_VM_RAW:-}" ]; then cat; else sed -un '/^@@vm up/,$p' | sed -u '/^@@vm \(begin\|done\)/d; s/^@@vm/vm:/'; fi
}

# What the programs print, as they print it; everything is kept for the verdict. Nothing runs in the foreground, so that
# whoever ends this script ends the machine too.
started=$SECONDS
mkfifo "$work/serial"
tr -d '\r' <"$work/serial" | tee "$work/console" | show &
printer=$!
timeout "$limit" qemu-system-x86_64 -accel tcg,thread=multi -cpu max,la57=off -smp 2 -m 1536 \
  -nodefaults -no-user-config -nic none -display none -no-reboot -serial stdio -monitor none \
  -kernel "$kernel/boot/vmlinuz-$version" -initrd "$work/initramfs.cpio" \
  -append "console=ttyS0 panic=-1 cgroup_no_v1=all loglevel=1 mitigations=off random.trust_cpu=on" \
  -drive "file=$work/disk,format=raw,if=virtio,cache=unsafe" </dev/null >"$work/serial" 2>&1 &
machine=$!
wait "$machine" || true
machine=
wait "$printer" || true

if ! grep -q '^@@vm done$' "$work/console" || grep -q '^@@vm broken' "$work/console"; then
  echo "vm: the machine did not get to its end in $((SECONDS - started)) s; its console:" >&2
  tail -n 200 "$work/console" >&2
  exit 1
fi
codes=$(sed -n 's/^@@vm end \([0-9]*\) .*/\1/p' "$work/console")
if [ "$(wc -l <<<"$codes")" -ne "$(wc -l <"$work/programs")" ]; then
  fail "not every program ran to its end"
fi
[ "$(wc -l <<<"$codes")" -gt 1 ] || exit "$codes"
! grep -qvx 0 <<<"$codes"
