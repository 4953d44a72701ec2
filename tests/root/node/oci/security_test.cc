#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

#include "base/file.h"
#include "tests/root/node/oci/oci_world.h"

namespace cluster::oci {
namespace {

namespace fs = std::filesystem;
using ::testing::AnyOf;
using ::testing::HasSubstr;

class OciSecurity : public OciWorld {
 protected:
  std::string ErrorOf() {
    SetCommand("true");
    const Outcome outcome = Create();
    EXPECT_EQ(outcome.code, 1);
    return outcome.err;
  }
};

// CVE-2019-5736.
TEST_F(OciSecurity, Row1_TheRuntimesProgramCannotBeOpenedForWriting) {
  const std::string before = ReadFile(Program(), 100 << 20).value();
  config["process"]["args"] = {"/proc/self/exe"};
  EXPECT_NE(Run().code, 0);
  SetCommand("sleep 1000");
  ASSERT_EQ(Create().code, 0);
  // What makes the attack work elsewhere: a handle that outlives the process.
  const std::string exe = absl::StrCat("/proc/", PidOf(), "/exe");
  const UniqueFd handle(open(exe.c_str(), O_PATH | O_CLOEXEC));
  ASSERT_TRUE(handle.valid());
  ASSERT_EQ(Call({"delete", "--force", "c"}).code, 0);
  EXPECT_EQ(open(absl::StrCat("/proc/self/fd/", handle.get()).c_str(), O_WRONLY | O_CLOEXEC), -1);
  EXPECT_EQ(errno, EROFS);
  EXPECT_EQ(ReadFile(Program(), 100 << 20).value(), before);
}

// CVE-2024-21626.
TEST_F(OciSecurity, Row2_TheWorkingDirectoryCannotBeADescriptorOfTheHost) {
  for (int fd = 3; fd < 24; ++fd) {
    config["process"]["cwd"] = absl::StrCat("/proc/self/fd/", fd);
    SetCommand("pwd; ls");
    const Outcome outcome = Run();
    EXPECT_NE(outcome.code, 0) << fd << ": " << outcome.out;
  }
  config["process"]["cwd"] = "/";
  SetCommand("sleep 1000");
  Start();
  for (int fd = 3; fd < 24; ++fd) {
    EXPECT_NE(Exec("pwd", {"--cwd", absl::StrCat("/proc/self/fd/", fd)}).code, 0) << fd;
  }
}

TEST_F(OciSecurity, Row2_NoDescriptorOfTheCallerIsHandedOn) {
  const UniqueFd inherited(dup(1));
  SetCommand("ls /proc/self/fd | wc -l");
  EXPECT_EQ(Run().out, "4\n");
  SetCommand("sleep 1000");
  Start();
  EXPECT_EQ(Exec("ls /proc/self/fd | wc -l").out, "4\n");
}

// CVE-2019-16884, CVE-2019-19921, CVE-2023-27561.
TEST_F(OciSecurity, Row3_SystemDirectoriesThatAreLinksAreRefused) {
  for (const char* name : {"/proc", "/sys", "/dev"}) {
    fs::create_directories(rootfs() + "/evil");
    fs::remove_all(rootfs() + name);
    fs::create_symlink("evil", rootfs() + name);
    EXPECT_THAT(ErrorOf(), HasSubstr("the image has something else there")) << name;
    fs::remove(rootfs() + name);
  }
}

TEST_F(OciSecurity, Row3_ProcCannotBeCovered) {
  fs::create_directories(base() + "/fake");
  AddMount("/proc", "bind", base() + "/fake", {"bind"});
  EXPECT_THAT(ErrorOf(), HasSubstr("only a procfs can be mounted on /proc"));
  config["mounts"].back()["destination"] = "/proc/self/attr";
  EXPECT_THAT(ErrorOf(), HasSubstr("/proc"));
  config["mounts"].back()["destination"] = "/proc/sys";
  EXPECT_THAT(ErrorOf(), HasSubstr("lies in /proc and cannot be covered"));
  config["mounts"].back()["destination"] = "/x/../proc/sys";
  EXPECT_THAT(ErrorOf(), HasSubstr("lies in /proc and cannot be covered"));
  node::WriteTestFile(base() + "/uptime", "1 1\n");
  config["mounts"].back() = {{"destination", "/proc/uptime"},
                             {"type", "bind"},
                             {"source", base() + "/uptime"},
                             {"options", {"bind"}}};
  SetCommand("cat /proc/uptime");
  EXPECT_EQ(Run().out, "1 1\n");
}

// CVE-2025-31133, CVE-2025-52565: masks and the console come from the host's own devices.
TEST_F(OciSecurity, Row5_LinksInDevMaskNothingElse) {
  fs::create_directories(rootfs() + "/dev");
  fs::create_symlink("/proc/sys/kernel/core_pattern", rootfs() + "/dev/null");
  const std::string pattern = ReadFile("/proc/sys/kernel/core_pattern").value();
  SetCommand(
      "cat /proc/keys /proc/timer_list; echo x 2>/dev/null > /proc/sys/kernel/core_pattern "
      "|| echo refused");
  EXPECT_EQ(Run().out, "refused\n");
  EXPECT_EQ(ReadFile("/proc/sys/kernel/core_pattern").value(), pattern);
  // With the image's own /dev in place of a tmpfs.
  config["mounts"].erase(1);
  EXPECT_THAT(ErrorOf(), HasSubstr("/dev/null"));
}

TEST_F(OciSecurity, Row8_CgroupsCannotBeWrittenAndNothingMounted) {
  SetCommand(
      "for f in /sys/fs/cgroup/*/release_agent /sys/fs/cgroup/*/cgroup.procs "
      "/sys/fs/cgroup/devices/devices.allow; do echo 1 2>/dev/null > $f && echo wrote $f; "
      "done; mount -t cgroup -o memory x /tmp 2>/dev/null || echo refused");
  EXPECT_EQ(Run().out, "refused\n");
}

TEST_F(OciSecurity, Row12_ThereIsNoWayBackToTheOldRoot) {
  for (const char* set : {"bounding", "effective", "permitted"}) {
    config["process"]["capabilities"][set].push_back("CAP_SYS_CHROOT");
  }
  node::WriteTestFile(base() + "/canary", "canary\n");
  fs::copy(fs::read_symlink("/proc/self/exe").parent_path() / "container_probe",
           rootfs() + "/bin/probe");
  config["process"]["args"] = {"probe", "double-chroot", base() + "/canary"};
  EXPECT_THAT(Run().out, HasSubstr("BLOCKED"));
}

TEST_F(OciSecurity, Row15_OnlyListedDevicesOpen) {
  for (const char* set : {"bounding", "effective", "permitted"}) {
    config["process"]["capabilities"][set].push_back("CAP_MKNOD");
    // So that nothing but the list stands in the way, whatever kernel.dmesg_restrict says.
    config["process"]["capabilities"][set].push_back("CAP_SYSLOG");
  }
  struct stat root {};
  ASSERT_EQ(stat("/", &root), 0);
  SetCommand(
      absl::StrCat("mknod /dev/disk b ", major(root.st_dev), " ", minor(root.st_dev),
                   " && head -c 1 /dev/disk >/dev/null || echo disk; mknod /dev/k c 1 11 && "
                   "head -c 1 /dev/k > /dev/null || echo kmsg; head -c 1 /dev/zero >/dev/null "
                   "&& echo zero"));
  const Outcome denied = Run();
  EXPECT_EQ(denied.out, "disk\nkmsg\nzero\n") << denied.err;
  config["linux"]["resources"]["devices"].push_back(
      {{"allow", true}, {"type", "c"}, {"major", 1}, {"minor", 11}, {"access", "r"}});
  SetCommand(
      "mknod /dev/k c 1 11 && : < /dev/k && echo kmsg; true > /dev/k || echo not for writing");
  const Outcome allowed = Run();
  EXPECT_EQ(allowed.out, "kmsg\nnot for writing\n") << allowed.err;
}

TEST_F(OciSecurity, Row16_ExecGainsNothingInheritable) {
  SetCommand("sleep 1000");
  Start();
  EXPECT_EQ(Exec("grep CapInh /proc/self/status", {"--cap", "CAP_SYS_ADMIN"}).out,
            "CapInh:\t0000000000000000\n");
}

TEST_F(OciSecurity, Row20_AStalePidIsNotSignalled) {
  SetCommand("true");
  Start();
  AwaitStatus("stopped");
  // As if the pid had been given to somebody else meanwhile.
  const std::string path = base() + "/run/c/state.json";
  Json state = Json::parse(ReadFile(path).value());
  state["pid"] = getpid();
  node::WriteTestFile(path, state.dump());
  EXPECT_EQ(StatusOf(), "stopped");
  EXPECT_EQ(Call({"kill", "c", "KILL"}).code, 1);
  EXPECT_EQ(Call({"delete", "--force", "c"}).code, 0);
}

}  // namespace
}  // namespace cluster::oci
