#!/bin/sh
# /init of the initial file system: finds the disk and goes on there.
/bin/busybox mkdir -p /proc /sys /dev /disk /sbin
/bin/busybox --install -s /bin
export PATH=/bin:/sbin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
modprobe -a virtio_pci virtio_blk quota_v2 || echo "@@vm broken: modules of the disk are missing"
for i in 1 2 3 4 5 6 7 8 9 10; do
  [ -b /dev/vda ] && break
  sleep 0.2
done
mount -t ext4 -o prjquota /dev/vda /disk || echo "@@vm broken: cannot mount the disk"
umount /proc /dev
exec switch_root /disk /vm/init
