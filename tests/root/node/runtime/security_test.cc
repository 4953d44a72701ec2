// The holes that other runtimes had, tried on ours from inside. Numbers are the rows of the
// security profile that this project keeps.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "tests/root/node/runtime/security_world.h"

namespace cluster::node {
namespace {

namespace fs = std::filesystem;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// Rows 12 and 21. The same probe in a bare chroot gets out, so it bites.
TEST_F(SecurityTest, Row12_AChrootCannotBeLeftTwice) {
  EXPECT_THAT(Probe({"double-chroot", canary_}), StartsWith("BLOCKED"));
  int out[2];
  ASSERT_EQ(pipe(out), 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(out[1], 1);
    if (chroot(world_.layer().c_str()) != 0 || chdir("/") != 0) _exit(1);
    execl("/bin/probe", "probe", "double-chroot", canary_.c_str(), nullptr);
    _exit(1);
  }
  close(out[1]);
  char text[64] = {};
  EXPECT_GT(read(out[0], text, sizeof text - 1), 0);
  waitpid(child, nullptr, 0);
  close(out[0]);
  EXPECT_STREQ(text, "EXPOSED\n") << "the control: a chroot alone holds nobody";
}

TEST_F(SecurityTest, Row12_OnlyTheContainersOwnMountsAreSeen) {
  const auto outcome = world_.Run("pod-a", {"cat", "/proc/self/mountinfo"});
  EXPECT_THAT(outcome.log, HasSubstr(" / / "));
  for (const char* foreign : {"/sys/fs/cgroup/", " /boot", " /var", " /home", "devtmpfs"}) {
    EXPECT_THAT(outcome.log, Not(HasSubstr(foreign)));
  }
  // Whatever is not the root is one of the mounts of the plan.
  for (const std::string& line :
       {std::string("proc"), std::string("sysfs"), std::string("devpts")}) {
    EXPECT_THAT(outcome.log, HasSubstr(absl::StrCat(" - ", line)));
  }
}

TEST_F(SecurityTest, Row2_NoWorkingDirectoryOutside) {
  for (int fd = 3; fd < 24; ++fd) {
    ContainerSpec spec = world_.Spec(absl::StrCat("fd-", fd), {"pwd"});
    spec.working_dir = absl::StrCat("/proc/self/fd/", fd);
    const auto outcome = world_.RunSpec(spec);
    EXPECT_EQ(outcome.state.exit_code, 128) << spec.working_dir;
    EXPECT_THAT(outcome.state.message, HasSubstr("working directory")) << spec.working_dir;
    ASSERT_TRUE(world_.runtime().Remove(spec.pod_uid).ok());
  }
  ContainerSpec inside = world_.Spec("inside", {"pwd"});
  inside.working_dir = "/proc/sys";
  EXPECT_EQ(world_.RunSpec(inside).log, "/proc/sys\n") << "the control: /proc is no hindrance";
}

TEST_F(SecurityTest, Rows3And5_ImagesWithLinksForSystemDirectoriesAreRefused) {
  const std::string host = world_.base() + "/host";
  fs::create_directories(host);
  for (const char* path : {"/proc", "/sys", "/dev"}) {
    for (const std::string& target :
         {host, std::string("../../../../../tmp"), std::string("tmp")}) {
      const auto outcome = RunWithLink(path, target, {"true"});
      EXPECT_EQ(outcome.state.exit_code, 128) << path << " -> " << target;
      EXPECT_THAT(outcome.state.message, HasSubstr(path));
    }
  }
  EXPECT_TRUE(fs::is_empty(host));
  EXPECT_EQ(RunWithLink("/data", host, {"true"}).state.exit_code, 0) << "the control: other links";
}

TEST_F(SecurityTest, Row5_LinksInsideOfDevMeanNothing) {
  // The image's /dev lies under the container's.
  const auto outcome =
      RunWithLink("/dev/null", "/proc/sys/kernel/core_pattern",
                  {"sh", "-c", "echo x > /dev/null; cat /proc/keys /proc/kcore; ls -l /dev/null"});
  EXPECT_THAT(outcome.log, HasSubstr("crw-rw-rw-"));
  EXPECT_THAT(ReadFile("/proc/sys/kernel/core_pattern").value(), Not(StartsWith("x")));
  const std::string layer = world_.base() + "/layer-chroot";
  MakeBusyboxLayer(layer);
  fs::create_directories(layer + "/dev");
  fs::create_symlink("/followed", layer + "/dev/null");
  const pid_t child = fork();
  if (child == 0) {
    if (chroot(layer.c_str()) != 0 || chdir("/") != 0) _exit(1);
    execl("/bin/busybox", "sh", "-c", "echo x > /dev/null", nullptr);
    _exit(1);
  }
  waitpid(child, nullptr, 0);
  EXPECT_EQ(ReadFile(layer + "/followed").value_or(""), "x\n")
      << "the control: a chroot follows it";
}

TEST_F(SecurityTest, Row7_LinksInEtcCreateNothingOnTheHost) {
  const std::string host = world_.base() + "/host";
  fs::create_directories(host);
  const auto up = RunWithLink("/etc/resolv.conf", "../../../../../../../.." + canary_,
                              {"sh", "-c", "cat /etc/resolv.conf; echo evil > /etc/resolv.conf"});
  EXPECT_THAT(up.log, StartsWith("nameserver"));
  EXPECT_EQ(ReadFile(canary_).value(), "of the host\n");
  const auto absolute = RunWithLink("/etc/hosts", host + "/made", {"cat", "/etc/hosts"});
  EXPECT_THAT(absolute.log, HasSubstr("localhost"));
  EXPECT_TRUE(fs::is_empty(host));
}

TEST_F(SecurityTest, Rows14And22_KernelSettingsAreReadOnlyOrHidden) {
  for (const char* path :
       {"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sysrq-trigger",
        "/proc/sys/vm/panic_on_oom", "/proc/irq/default_smp_affinity", "/sys/kernel/uevent_helper",
        "/sys/power/state", "/sys/kernel/mm/ksm/run", "/proc/sys/net/ipv4/ip_forward"}) {
    EXPECT_THAT(Probe({"write", path}),
                AnyOf("BLOCKED EROFS\n", "BLOCKED EACCES\n", "BLOCKED ENOENT\n"))
        << path;
  }
  for (const char* path : {"/proc/sys/kernel/core_pattern", "/proc/sys/vm/panic_on_oom"}) {
    EXPECT_EQ(ProbeOpen({"write", path}), "EXPOSED\n") << path << ", the control";
  }
  const std::vector<std::string> look = {
      "sh", "-c",
      "for f in /proc/kcore /proc/keys /proc/timer_list /proc/interrupts /proc/acpi/* "
      "/sys/firmware/*; do [ -e $f ] && head -c 10 $f; done; echo end"};
  EXPECT_EQ(world_.Run("pod-a", look).log, "end\n");
  EXPECT_GT(RunOpen(world_.Spec("pod-b", look)).log.size(), sizeof "end\n") << "the control";
}

TEST_F(SecurityTest, Row15_NoDeviceCanBeMade) {
  struct stat root {};
  ASSERT_EQ(stat("/", &root), 0);
  EXPECT_EQ(Probe({"mknod", absl::StrCat(major(root.st_dev)), absl::StrCat(minor(root.st_dev))}),
            "BLOCKED EPERM\n");
  EXPECT_EQ(Probe({"mount"}), "BLOCKED EPERM\n");
}

TEST_F(SecurityTest, Row16_CapabilitiesAreTheSmallSetAndNotInherited) {
  const std::vector<std::string> look = {"grep", "-E", "Cap|NoNewPrivs", "/proc/self/status"};
  const auto root = world_.Run("pod-a", look);
  for (const char* line :
       {"CapInh:\t0000000000000000", "CapPrm:\t00000000800405fb", "CapEff:\t00000000800405fb",
        "CapBnd:\t00000000800405fb", "CapAmb:\t0000000000000000", "NoNewPrivs:\t1"}) {
    EXPECT_THAT(root.log, HasSubstr(line));
  }
  ContainerSpec spec = world_.Spec("pod-b", look);
  spec.user = "app";
  const auto user = world_.RunSpec(spec);
  EXPECT_THAT(user.log, HasSubstr("CapEff:\t0000000000000000"));
  EXPECT_THAT(user.log, HasSubstr("CapBnd:\t00000000800405fb"));
  spec = world_.Spec("pod-c", look);
  const auto open = RunOpen(spec);
  EXPECT_THAT(open.log, Not(HasSubstr("CapBnd:\t00000000800405fb"))) << "the control";
  EXPECT_THAT(open.log, HasSubstr("NoNewPrivs:\t0")) << "the control";
}

TEST_F(SecurityTest, Row17_SetuidProgramsGainNothing) {
  ASSERT_EQ(chmod((world_.layer() + "/bin/probe").c_str(), 04755), 0);
  EXPECT_EQ(Probe({"euid"}, "app"), "1000\n");
  EXPECT_EQ(ProbeOpen({"euid"}, "app"), "0\n") << "the control: without no_new_privs";
}

TEST_F(SecurityTest, Row5_AConsoleOfTheImageIsNotTaken) {
  const std::string layer = world_.base() + "/layer-console";
  MakeBusyboxLayer(layer);
  fs::create_directories(layer + "/dev");
  fs::create_symlink(canary_, layer + "/dev/console");
  ContainerSpec spec =
      world_.Spec("pod-a", {"sh", "-c", "tty; [ -L /dev/console ] || echo none; echo x > $(tty)"});
  spec.rootfs.layers = {layer};
  spec.tty = true;
  EXPECT_THAT(world_.RunSpec(spec).log, HasSubstr("/dev/pts/0\r\nnone\r\n"));
  EXPECT_EQ(ReadFile(canary_).value(), "of the host\n");
}

// CVE-2019-5736: the program that set the container up must not be there to be overwritten.
TEST_F(SecurityTest, Row1_TheRuntimesProgramCannotBeOpenedForWriting) {
  const std::string program = world_.base() + "/cluster-init";
  const std::string before = ReadFile(program).value();
  const auto outcome = world_.Run("pod-a", {"/proc/self/exe"});
  EXPECT_NE(outcome.state.exit_code, 0);
  world_.Prepare("pod-b");
  const Census census = world_.TakeCensus();
  ASSERT_FALSE(census.processes.empty());
  const std::string exe = absl::StrCat("/proc/", *census.processes.begin(), "/exe");
  const UniqueFd handle(open(exe.c_str(), O_PATH | O_CLOEXEC));
  ASSERT_TRUE(handle.valid());
  // What makes the attack work elsewhere: the handle outlives the process that kept the file busy.
  ASSERT_TRUE(world_.runtime().Remove("pod-a").ok());
  ASSERT_TRUE(world_.runtime().Remove("pod-b").ok());
  world_.StopAgent();  // and with it the template
  EXPECT_EQ(open(absl::StrCat("/proc/self/fd/", handle.get()).c_str(), O_WRONLY | O_CLOEXEC), -1);
  EXPECT_EQ(errno, EROFS);
  EXPECT_EQ(ReadFile(program).value(), before);
  EXPECT_TRUE(UniqueFd(open(program.c_str(), O_WRONLY | O_CLOEXEC)).valid())
      << "the control: the file itself is anybody's who is root";
}

TEST_F(SecurityTest, Row19_ACuriousClusterInitHoldsNoOtherPodsNamespaces) {
  const auto holds = [](const std::string& process, const std::string& kind, std::string but) {
    for (const auto& fd : fs::directory_iterator("/proc/" + process + "/fd")) {
      const std::string what = fs::read_symlink(fd.path()).string();
      if (absl::StartsWith(what, kind) && what != but) return true;
    }
    return false;
  };
  const UniqueFd foreign(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
  EXPECT_TRUE(holds("self", "mnt:", "")) << "the control: one that does is seen";
  for (int i = 0; i < 12; ++i) world_.Prepare(absl::StrCat("pod-", i));
  for (const std::string& pid : world_.TakeCensus().processes) {
    EXPECT_FALSE(holds(pid, "net:", fs::read_symlink("/proc/" + pid + "/ns/net").string()));
    EXPECT_FALSE(holds(pid, "mnt:", ""));
  }
}

}  // namespace
}  // namespace cluster::node
