#include <fcntl.h>
#include <grp.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

#include "base/file.h"
#include "tests/root/node/oci/oci_world.h"

namespace cluster::oci {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class OciProcess : public OciWorld {
 protected:
  std::string OutputOf(const std::string& script) {
    SetCommand(script);
    const Outcome outcome = Run();
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out;
  }
  void UseUserNamespace() {
    config["linux"]["namespaces"].push_back({{"type", "user"}});
    config["linux"]["uidMappings"] = {{{"containerID", 0}, {"hostID", 100000}, {"size", 65536}}};
    config["linux"]["gidMappings"] = {{{"containerID", 0}, {"hostID", 200000}, {"size", 65536}}};
    for (const char* path : {"", "/tmp"}) {
      ASSERT_EQ(chown((rootfs() + path).c_str(), 100000, 200000), 0);
    }
    fs::permissions(base(), fs::perms(0755));
  }
};

TEST_F(OciProcess, IsWhoItsConfigSays) {
  config["process"]["user"] = {
      {"uid", 1000}, {"gid", 10}, {"additionalGids", {29, 30}}, {"umask", 027}};
  EXPECT_EQ(OutputOf("id -u; id -G; umask; pwd; echo $HOME"),
            "1000\n10 29 30\n0027\n/\n/home/app\n");
  // Without a shell, which would put its own in.
  config["process"]["args"] = {"cat", "/proc/self/environ"};
  EXPECT_EQ(Run().out, std::string("PATH=/bin\0HOME=/home/app\0", 25));
}

TEST_F(OciProcess, HasExactlyTheFiveSetsOfCapabilities) {
  config["process"]["capabilities"] = {{"bounding", {"CAP_KILL", "CAP_CHOWN"}},
                                       {"permitted", {"CAP_KILL", "CAP_CHOWN"}},
                                       {"effective", {"CAP_KILL"}},
                                       {"inheritable", {"CAP_CHOWN"}},
                                       {"ambient", {"CAP_CHOWN"}}};
  config["process"]["user"] = {{"uid", 1000}, {"gid", 0}};
  config["process"]["noNewPrivileges"] = true;
  EXPECT_EQ(OutputOf("grep -E 'Cap|NoNew' /proc/self/status"),
            "CapInh:\t0000000000000001\nCapPrm:\t0000000000000001\nCapEff:\t0000000000000001\n"
            "CapBnd:\t0000000000000021\nCapAmb:\t0000000000000001\nNoNewPrivs:\t1\n");
}

TEST_F(OciProcess, WithoutCapabilitiesHasNone) {
  config["process"].erase("capabilities");
  config["process"]["noNewPrivileges"] = false;
  EXPECT_THAT(OutputOf("grep -E 'Cap|NoNew' /proc/self/status"),
              AllOf(HasSubstr("CapEff:\t0000000000000000"), HasSubstr("CapBnd:\t0000000000000000"),
                    HasSubstr("NoNewPrivs:\t0")));
}

TEST_F(OciProcess, LimitsSchedulingAndScoreAreSet) {
  config["process"]["rlimits"] = {{{"type", "RLIMIT_NOFILE"}, {"soft", 77}, {"hard", 99}},
                                  {{"type", "RLIMIT_CORE"}, {"soft", 0}, {"hard", 0}}};
  config["process"]["oomScoreAdj"] = 321;
  config["process"]["scheduler"] = {{"policy", "SCHED_BATCH"}, {"nice", 7}};
  config["process"]["ioPriority"] = {{"class", "IOPRIO_CLASS_IDLE"}, {"priority", 0}};
  EXPECT_EQ(OutputOf("ulimit -Sn; ulimit -Hn; ulimit -Sc; cat /proc/self/oom_score_adj; "
                     "cut -d' ' -f19,41 /proc/self/stat; ionice -p $$"),
            "77\n99\n0\n321\n7 3\nidle\n");
}

TEST_F(OciProcess, KnowsItsMachinesNames) {
  config["hostname"] = "web";
  config["domainname"] = "example.test";
  EXPECT_EQ(OutputOf("hostname; cat /proc/sys/kernel/domainname"), "web\nexample.test\n");
}

TEST_F(OciProcess, SysctlsAreItsNamespaces) {
  config["linux"]["sysctl"] = {{"net.ipv4.ip_forward", "1"}, {"kernel.msgmax", "4242"}};
  EXPECT_EQ(OutputOf("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax"), "1\n4242\n");
  EXPECT_NE(ReadFile("/proc/sys/kernel/msgmax").value(), "4242\n");
}

TEST_F(OciProcess, LoopbackIsUpInANewNetwork) {
  EXPECT_THAT(OutputOf("ip link show lo"), HasSubstr("UP"));
}

TEST_F(OciProcess, PersonalityIsSet) {
  config["linux"]["personality"] = {{"domain", "LINUX32"}};
  EXPECT_EQ(OutputOf("uname -m"), "i686\n");
}

TEST_F(OciProcess, TimeNamespacesHaveOffsets) {
  config["linux"]["namespaces"].push_back({{"type", "time"}});
  config["linux"]["timeOffsets"] = {{"boottime", {{"secs", 500000000}}},
                                    {"monotonic", {{"secs", 7}, {"nanosecs", 5}}}};
  EXPECT_EQ(OutputOf("cat /proc/self/timens_offsets; cut -c1 /proc/uptime"),
            "monotonic           7         5\nboottime    500000000         0\n5\n");
}

TEST_F(OciProcess, NamespacesCanBeJoinedByPath) {
  SetCommand("sleep 1000");
  Start();
  const std::string its = absl::StrCat("/proc/", PidOf(), "/ns/");
  Json joined = config;
  for (Json& name_space : joined["linux"]["namespaces"]) {
    if (name_space["type"] == "network") name_space["path"] = its + "net";
    if (name_space["type"] == "ipc") name_space["path"] = its + "ipc";
    if (name_space["type"] == "pid") name_space["path"] = its + "pid";
  }
  joined["linux"]["cgroupsPath"] = group() + "-2";
  joined["process"]["args"] = {
      "sh", "-c", "readlink /proc/self/ns/net; readlink /proc/self/ns/ipc; cat /proc/1/cmdline"};
  node::WriteTestFile(bundle() + "/config.json", joined.dump());
  const Outcome outcome = Call({"run", "--bundle", bundle(), "d"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const std::string net = fs::read_symlink(its + "net");
  const std::string ipc = fs::read_symlink(its + "ipc");
  EXPECT_EQ(outcome.out, absl::StrCat(net, "\n", ipc, "\n",
                                      std::string("sleep\0"
                                                  "1000\0",
                                                  11)));
}

TEST_F(OciProcess, ANamespacePathOfAnotherKindIsRefused) {
  for (Json& name_space : config["linux"]["namespaces"]) {
    if (name_space["type"] == "network") name_space["path"] = "/proc/self/ns/uts";
  }
  SetCommand("true");
  EXPECT_THAT(Create().err, HasSubstr("is of another kind"));
}

TEST_F(OciProcess, UserNamespacesMapIds) {
  UseUserNamespace();
  EXPECT_EQ(OutputOf("id -u; cat /proc/self/uid_map | tr -s ' '; echo x > /tmp/made; "
                     "echo y > /dev/null && echo devices; mount | grep -c ' /proc '"),
            "0\n 0 100000 65536\ndevices\n1\n");
  struct stat made {};
  ASSERT_EQ(stat((rootfs() + "/tmp/made").c_str(), &made), 0);
  EXPECT_EQ(made.st_uid, 100000u);
  EXPECT_EQ(made.st_gid, 200000u);
}

TEST_F(OciProcess, ExecEntersUserNamespaces) {
  UseUserNamespace();
  config["process"]["rlimits"] = {{{"type", "RLIMIT_NOFILE"}, {"soft", 55}, {"hard", 66}}};
  SetCommand("sleep 1000");
  Start();
  EXPECT_EQ(Exec("id -u; ulimit -Hn; readlink /proc/self/ns/user").out,
            absl::StrCat("0\n66\n", Exec("readlink /proc/1/ns/user").out));
}

TEST_F(OciProcess, WithoutMountsItIsAChroot) {
  config["linux"]["namespaces"] = {{{"type", "pid"}}};
  config["linux"].erase("maskedPaths");
  config["linux"].erase("readonlyPaths");
  config.erase("mounts");
  config.erase("hostname");
  EXPECT_EQ(OutputOf("ls /bin/busybox; echo $$"), "/bin/busybox\n1\n");
}

// One that the machine does not have, and that belongs to whom the bundle says.
TEST_F(OciProcess, DevicesOfAUserNamespaceBelongToTheirOwner) {
  utsname kernel{};
  ASSERT_EQ(uname(&kernel), 0);
  int major = 0;
  int minor = 0;
  ASSERT_EQ(sscanf(kernel.release, "%d.%d", &major, &minor), 2);
  UseUserNamespace();
  config["linux"]["devices"] = {{{"path", "/dev/nobodys"},
                                 {"type", "c"},
                                 {"major", 1},
                                 {"minor", 3},
                                 {"fileMode", 0662},
                                 {"uid", 10},
                                 {"gid", 11}}};
  if (std::pair(major, minor) < std::pair(6, 15)) {
    // It clones no mount that is attached nowhere.
    const Outcome refused = Run();
    EXPECT_NE(refused.code, 0);
    EXPECT_THAT(refused.err, HasSubstr("gets only devices that the machine has itself"));
    return;
  }
  EXPECT_EQ(OutputOf("stat -c '%F %u:%g %a' /dev/nobodys; echo x > /dev/nobodys && echo written"),
            "character special file 10:11 662\nwritten\n");
}

TEST_F(OciProcess, PreservedDescriptorsArriveAndNoOthers) {
  node::WriteTestFile(base() + "/given", "given\n");
  SetCommand("cat <&3; ls /proc/self/fd | wc -l");
  WriteConfig();
  const UniqueFd given(open((base() + "/given").c_str(), O_RDONLY));
  // The spawned program inherits them without close-on-exec.
  ASSERT_EQ(dup2(given.get(), 3), 3);
  ASSERT_EQ(dup2(given.get(), 9), 9);
  const Outcome outcome = Call({"run", "--preserve-fds", "1", "--bundle", bundle(), "c"});
  close(3);
  close(9);
  // 0, 1, 2, 3 and the listing's own.
  EXPECT_EQ(outcome.out, "given\n5\n") << outcome.err;
}

TEST_F(OciProcess, PreservedDescriptorsThatAreNotOpenArePassedOver) {
  node::WriteTestFile(base() + "/given", "given\n");
  SetCommand("cat <&7; ls -l /proc/self/fd");
  WriteConfig();
  const UniqueFd given(open((base() + "/given").c_str(), O_RDONLY));
  ASSERT_EQ(dup2(given.get(), 7), 7);
  const Outcome outcome = Call({"run", "--preserve-fds", "90", "--bundle", bundle(), "c"});
  close(7);
  EXPECT_THAT(outcome.out, StartsWith("given\n")) << outcome.err;
  // Nothing of the runtime's took a place that was free.
  EXPECT_THAT(outcome.out, AllOf(Not(HasSubstr("anon_inode:")), Not(HasSubstr("socket:")),
                                 Not(HasSubstr("memfd:"))));
}

TEST_F(OciProcess, ConfigurationCanHaveAnotherName) {
  SetCommand("echo other");
  WriteConfig();
  ASSERT_EQ(rename((bundle() + "/config.json").c_str(), (bundle() + "/other.json").c_str()), 0);
  EXPECT_THAT(Call({"run", "--bundle", bundle(), "c"}).err, HasSubstr("config.json"));
  EXPECT_EQ(Call({"run", "--bundle", bundle(), "--config", "other.json", "c"}).out, "other\n");
  const std::string absolute = bundle() + "/other.json";
  EXPECT_EQ(Call({"run", "--bundle", bundle(), "-f", absolute, "c"}).out, "other\n");
}

TEST_F(OciProcess, WorkingDirectoryIsMadeInARootThatIsReadOnly) {
  SetCommand("pwd; touch x 2>&1");
  config["root"]["readonly"] = true;
  config["process"]["cwd"] = "/made/for/it";
  WriteConfig();
  EXPECT_THAT(Call({"run", "--bundle", bundle(), "c"}).out,
              AllOf(HasSubstr("/made/for/it\n"), HasSubstr("Read-only")));
}

TEST_F(OciProcess, KeepsTheCallersGroupsWhereAnAnnotationSaysSo) {
  SetCommand("grep Groups /proc/self/status");
  const gid_t groups[] = {11, 12};
  std::vector<gid_t> before(static_cast<size_t>(getgroups(0, nullptr)));
  ASSERT_EQ(getgroups(static_cast<int>(before.size()), before.data()),
            static_cast<int>(before.size()));
  WriteConfig();
  ASSERT_EQ(setgroups(2, groups), 0);
  const Outcome without = Call({"run", "--bundle", bundle(), "c"});
  config["annotations"] = {{"run.oci.keep_original_groups", "1"}};
  WriteConfig();
  const Outcome with = Call({"run", "--bundle", bundle(), "c"});
  ASSERT_EQ(setgroups(before.size(), before.data()), 0);
  EXPECT_THAT(without.out, Not(HasSubstr("11 12"))) << without.err;
  EXPECT_THAT(with.out, HasSubstr("11 12")) << with.err;
}

TEST_F(OciProcess, ResourcesReachTheGroupsItIsIn) {
  config["linux"]["resources"] = {
      {"memory", {{"limit", 50 << 20}, {"reservation", 20 << 20}}},
      {"cpu", {{"shares", 512}, {"quota", 50000}, {"period", 100000}, {"cpus", "0"}}},
      {"pids", {{"limit", 33}}},
      {"blockIO", {{"weight", 200}}}};
  SetCommand("sleep 1000");
  Start();
  EXPECT_EQ(ReadGroup("memory", "memory.limit_in_bytes", "memory.max"), "52428800\n");
  EXPECT_EQ(ReadGroup("memory", "memory.soft_limit_in_bytes", "memory.low"), "20971520\n");
  EXPECT_EQ(ReadGroup("cpu", "cpu.shares", "cpu.weight"), IsPureV2() ? "59\n" : "512\n");
  EXPECT_EQ(ReadGroup("cpu", "cpu.cfs_quota_us", "cpu.max"),
            IsPureV2() ? "50000 100000\n" : "50000\n");
  EXPECT_EQ(ReadGroup("cpuset", "cpuset.cpus", "cpuset.cpus"), "0\n");
  EXPECT_EQ(ReadGroup("pids", "pids.max", "pids.max"), "33\n");
  for (const char* controller :
       {"memory", "cpu", "cpuset", "pids", "devices", "freezer", "blkio"}) {
    EXPECT_EQ(ReadGroup(controller, "cgroup.procs", "cgroup.procs"), absl::StrCat(PidOf(), "\n"))
        << controller;
  }
}

TEST_F(OciProcess, WhatTheKernelLacksIsRefusedByName) {
  SetCommand("true");
  if (ReadFile("/sys/module/apparmor/parameters/enabled").value_or("") != "Y\n") {
    config["process"]["apparmorProfile"] = "strict";
    EXPECT_THAT(Create().err, HasSubstr("process.apparmorProfile: AppArmor is not enabled"));
    config["process"].erase("apparmorProfile");
  }
  config["process"]["selinuxLabel"] = "a:b:c";
  EXPECT_THAT(Create().err, HasSubstr("process.selinuxLabel: SELinux is not enabled"));
  config["process"].erase("selinuxLabel");
  config["linux"]["intelRdt"] = {{"closID", "fast"}};
  EXPECT_THAT(Create().err, HasSubstr("linux.intelRdt: is not supported"));
}

}  // namespace
}  // namespace cluster::oci
