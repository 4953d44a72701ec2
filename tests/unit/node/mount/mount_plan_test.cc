#include "node/mount/mount_plan.h"

#include "gtest/gtest.h"

namespace cluster::node {
namespace {

TEST(PlanMounts, IsWhatContainersExpect) {
  EXPECT_EQ(Describe(PlanMounts({"/pod/etc", true, false})),
            R"(mount proc /proc nosuid,nodev,noexec source=proc
mount tmpfs /dev nosuid,strictatime source=dev mode=755 size=65536k
mount devpts /dev/pts nosuid,noexec source=devpts newinstance ptmxmode=0666 mode=0620 gid=5
shm shm /dev/shm nosuid,nodev,noexec
mount mqueue /dev/mqueue nosuid,nodev,noexec source=mqueue
mount sysfs /sys ro,nosuid,nodev,noexec source=sysfs
bind /pod/etc/hosts /etc/hosts nosuid,nodev,noexec
bind /pod/etc/hostname /etc/hostname nosuid,nodev,noexec
bind /pod/etc/resolv.conf /etc/resolv.conf nosuid,nodev,noexec
device null 0666 1:3
device zero 0666 1:5
device full 0666 1:7
device random 0666 1:8
device urandom 0666 1:9
device tty 0666 5:0
link fd /proc/self/fd
link stdin /proc/self/fd/0
link stdout /proc/self/fd/1
link stderr /proc/self/fd/2
link core /proc/kcore
link ptmx pts/ptmx
read-only /proc/bus
read-only /proc/fs
read-only /proc/irq
read-only /proc/sys
read-only /proc/sysrq-trigger
mask /proc/acpi
mask /proc/asound
mask /proc/interrupts
mask /proc/kcore
mask /proc/keys
mask /proc/latency_stats
mask /proc/sched_debug
mask /proc/scsi
mask /proc/timer_list
mask /proc/timer_stats
mask /sys/firmware
mask /sys/devices/virtual/powercap
)");
}

TEST(PlanMounts, GivesPrivateSharedMemoryAndTheCgroupTreeWhenAsked) {
  const std::string plan = Describe(PlanMounts({"/pod/etc", false, true}));
  EXPECT_NE(
      plan.find("mount tmpfs /dev/shm nosuid,nodev,noexec source=shm mode=1777 size=65536k\n"),
      std::string::npos);
  EXPECT_NE(plan.find("mount cgroup2 /sys/fs/cgroup ro,nosuid,nodev,noexec source=cgroup2\n"),
            std::string::npos);
}

TEST(PlanMounts, GivesDevicesToThePodsRoot) {
  MountInputs inputs{"/pod/etc"};
  inputs.first_id = 524288;
  const MountPlan plan = PlanMounts(inputs);
  EXPECT_NE(Describe(plan).find("mount tmpfs /dev nosuid,strictatime source=dev mode=755 "
                                "size=65536k uid=524288 gid=524288\n"),
            std::string::npos);
  for (const PlannedMount& mount : plan.mounts) {
    EXPECT_EQ((mount.flags & init::kMadeByNode) != 0, mount.target == "/dev") << mount.target;
  }
}

TEST(PlanMounts, HidesNothingWhenAskedTo) {
  MountInputs inputs{"/pod/etc"};
  inputs.hide = false;
  const std::string plan = Describe(PlanMounts(inputs));
  EXPECT_EQ(plan.find("mask "), std::string::npos);
  EXPECT_EQ(plan.find("read-only "), std::string::npos);
  EXPECT_NE(plan.find("mount sysfs /sys ro,"), std::string::npos);
}

TEST(PlanMounts, GivesThePrivilegedTheNode) {
  MountInputs inputs{"/pod/etc"};
  inputs.privileged = true;
  inputs.cgroup2 = true;
  inputs.node_devices = {{"vda", 0060660, 254, 0}, {"net/tun", 0020666, 10, 200}};
  const std::string plan = Describe(PlanMounts(inputs));
  EXPECT_EQ(plan.find("mask "), std::string::npos);
  EXPECT_EQ(plan.find(" ro,"), std::string::npos);
  EXPECT_NE(plan.find("device net/tun "), std::string::npos);
  EXPECT_EQ(plan.find("device null "), std::string::npos);
}

TEST(PlanMounts, LaysVolumesByDepthAfterTheSystem) {
  MountInputs inputs{"/pod/etc"};
  inputs.volumes = {{"deep", "/etc/app/conf.d"}, {"hosts", "/etc/hosts", true}, {"top", "/data"}};
  const std::string plan = Describe(PlanMounts(inputs));
  EXPECT_NE(plan.find(R"(mount sysfs /sys ro,nosuid,nodev,noexec source=sysfs
volume top /data -
volume hosts /etc/hosts -
bind /pod/etc/hostname /etc/hostname nosuid,nodev,noexec
bind /pod/etc/resolv.conf /etc/resolv.conf nosuid,nodev,noexec
volume deep /etc/app/conf.d -
device null)"),
            std::string::npos)
      << plan;
  EXPECT_EQ(VolumeOrder(inputs.volumes), (std::vector<size_t>{2, 1, 0}));
}

TEST(PlanMounts, PutsTheFilesOfEtcIntoAVolumeOverEtcWhereItHasThem) {
  MountInputs inputs{"/pod/etc"};
  inputs.volumes = {{"etc", "/etc"}};
  const MountPlan plan = PlanMounts(inputs);
  bool after = false;
  for (const PlannedMount& mount : plan.mounts) {
    if (mount.target == "/etc") after = true;
    if (mount.target != "/etc/hosts") continue;
    EXPECT_TRUE(after);
    EXPECT_NE(mount.flags & init::kOnlyWhereFound, 0u);
  }
}

TEST(CheckUserTarget, LetsPrivilegedContainersHideAllButProc) {
  EXPECT_TRUE(CheckUserTarget("/dev", true).ok());
  EXPECT_TRUE(CheckUserTarget("/sys/fs/bpf", true).ok());
  EXPECT_FALSE(CheckUserTarget("/proc", true).ok());
}

TEST(CheckUserTarget, RefusesWhatWouldUndermineThePlan) {
  for (const char* bad : {"", "/", "data", "/proc", "/proc/self", "/sys/fs", "/dev", "/dev/pts",
                          "/a/../proc", "/a//b", "/a/./b", "/a/"}) {
    EXPECT_FALSE(CheckUserTarget(bad).ok()) << bad;
  }
  for (const char* good :
       {"/data", "/etc/app/config", "/process", "/dev/shm", "/dev/shm/x", "/sysroot"}) {
    EXPECT_TRUE(CheckUserTarget(good).ok()) << good;
  }
}

}  // namespace
}  // namespace cluster::node
