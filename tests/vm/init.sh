#!/bin/sh
# First process of the virtual machine, on its disk. Runs what /vm/programs lists (one command line each), one by one, and
# marks begin and end of each for the host, which reads the console.
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root TMPDIR=/tmp
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t tmpfs -o mode=755 run /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup || echo "@@vm broken: no cgroup2"
hostname vm
ip link set lo up
modprobe -a $(cat /vm/modules) || echo "@@vm broken: modules are missing"
echo 16 >/proc/sys/vm/nr_hugepages
. /vm/environment
cd /tmp

echo "@@vm up $(uname -r) $(cut -d ' ' -f 1 /proc/uptime)"
while IFS= read -r line; do
  echo "@@vm begin $line"
  before=$(dmesg | wc -l)
  started=$(cut -d . -f 1 /proc/uptime)
  # A session of its own, so that nothing reads the console or is ended by it.
  setsid sh -c "$line" </dev/null 2>&1
  code=$?
  [ "$code" -eq 0 ] || dmesg | tail -n "+$((before + 1))" | tail -n 40
  echo "@@vm end $code $(($(cut -d . -f 1 /proc/uptime) - started)) $line"
done </vm/programs
echo "@@vm done"
poweroff -f
