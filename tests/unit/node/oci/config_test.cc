#include "node/oci/config.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <nlohmann/json.hpp>

#include "node/oci/namespaces.h"

namespace cluster::oci {
namespace {

using Json = nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Optional;
using ::testing::Pair;

// A config that is right, for tests that spoil one thing of it.
Json Good() {
  return Json::parse(R"({
    "ociVersion": "1.0.2",
    "process": {"args": ["sh"], "cwd": "/", "user": {"uid": 0, "gid": 0}},
    "root": {"path": "rootfs"},
    "hostname": "web",
    "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
    "linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}, {"type": "uts"}, {"type": "ipc"},
                             {"type": "network"}, {"type": "time"}]}
  })");
}

// Good() with `value` (JSON) at `pointer`; "" takes away what is there.
Json With(const std::string& pointer, const std::string& value) {
  Json config = Good();
  const Json::json_pointer place(pointer);
  if (value.empty()) {
    config.at(place.parent_pointer()).erase(place.back());
  } else {
    config[place] = Json::parse(value);
  }
  return config;
}

std::string ErrorOf(const Json& config) {
  const auto read = ReadConfig(config.dump());
  return read.ok() ? "ok" : std::string(read.status().message());
}

TEST(OciConfig, ReadsTheSmallestConfig) {
  const auto config = ReadConfig(R"({"ociVersion": "1.0.0", "root": {"path": "/srv/root"}})");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->root_path, "/srv/root");
  EXPECT_FALSE(config->process.has_value());
  EXPECT_THAT(config->linux_.namespaces, IsEmpty());
}

TEST(OciConfig, ReadsWhoTheProcessIsAndWhatItMay) {
  const auto config = ReadConfig(With("/process", R"({
    "terminal": true, "consoleSize": {"height": 24, "width": 80},
    "user": {"uid": 1000, "gid": 100, "umask": 18, "additionalGids": [5, 6]},
    "args": ["/bin/server", "--port", "80"], "env": ["A=b"], "cwd": "/srv",
    "capabilities": {"bounding": ["CAP_CHOWN", "CAP_KILL"], "effective": ["CAP_KILL"],
                     "permitted": ["CAP_KILL"], "inheritable": [], "ambient": ["CAP_NOVEL"]},
    "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 18446744073709551615}],
    "noNewPrivileges": true, "oomScoreAdj": -500,
    "scheduler": {"policy": "SCHED_RR", "priority": 3, "flags": ["SCHED_FLAG_RESET_ON_FORK"]},
    "ioPriority": {"class": "IOPRIO_CLASS_IDLE", "priority": 7}})")
                                     .dump());
  ASSERT_TRUE(config.ok()) << config.status();
  const Process& process = *config->process;
  EXPECT_TRUE(process.terminal);
  EXPECT_EQ(process.console_size->width, 80);
  EXPECT_EQ(process.user.uid, 1000u);
  EXPECT_EQ(*process.user.umask, 022u);
  EXPECT_THAT(process.user.additional_gids, ElementsAre(5, 6));
  EXPECT_THAT(process.args, ElementsAre("/bin/server", "--port", "80"));
  EXPECT_EQ(process.capabilities->bounding, 0x21u);
  EXPECT_EQ(process.capabilities->effective, 0x20u);
  EXPECT_EQ(process.capabilities->ambient, 0u);
  EXPECT_THAT(config->warnings,
              ElementsAre(HasSubstr("process.capabilities.ambient: 'CAP_NOVEL'")));
  ASSERT_EQ(process.rlimits.size(), 1u);
  EXPECT_EQ(process.rlimits[0].resource, RLIMIT_NOFILE);
  EXPECT_EQ(process.rlimits[0].hard, RLIM_INFINITY);
  EXPECT_EQ(*process.oom_score_adj, -500);
  EXPECT_EQ(process.scheduler->policy, static_cast<uint32_t>(SCHED_RR));
  EXPECT_EQ(process.scheduler->flags, 1u);
  EXPECT_EQ(*process.io_priority, 3 << 13 | 7);
}

TEST(OciConfig, ReadsTheLinuxPart) {
  const auto config = ReadConfig(With("/linux", R"({
    "namespaces": [{"type": "mount"}, {"type": "uts"}, {"type": "user"}, {"type": "time"},
                   {"type": "network", "path": "/run/netns/a"}, {"type": "ipc"}],
    "uidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}],
    "gidMappings": [{"containerID": 0, "hostID": 200000, "size": 65536}],
    "devices": [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 438,
                 "uid": 1, "gid": 2}],
    "cgroupsPath": "/a/b", "rootfsPropagation": "rslave",
    "sysctl": {"net.ipv4.ip_forward": "1", "net/ipv4/conf/eth0.1/forwarding": "1"},
    "maskedPaths": ["/proc/kcore"], "readonlyPaths": ["/proc/sys"],
    "timeOffsets": {"monotonic": {"secs": -5, "nanosecs": 6}},
    "personality": {"domain": "LINUX32"},
    "seccomp": {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
                "architectures": ["SCMP_ARCH_X86_64"],
                "syscalls": [{"names": ["read", "write"], "action": "SCMP_ACT_ALLOW",
                              "args": [{"index": 1, "value": 7, "op": "SCMP_CMP_EQ"}]}]}})")
                                     .dump());
  ASSERT_TRUE(config.ok()) << config.status();
  const Linux& linux_ = config->linux_;
  EXPECT_TRUE(linux_.HasNew(CLONE_NEWUSER));
  EXPECT_TRUE(linux_.Has(CLONE_NEWNET));
  EXPECT_FALSE(linux_.HasNew(CLONE_NEWNET));
  EXPECT_FALSE(linux_.Has(CLONE_NEWPID));
  EXPECT_EQ(linux_.gid_mappings[0].host, 200000u);
  EXPECT_EQ(linux_.devices[0].type, static_cast<mode_t>(S_IFCHR));
  EXPECT_EQ(linux_.devices[0].mode, static_cast<mode_t>(0666));
  EXPECT_EQ(*linux_.rootfs_propagation, static_cast<uint64_t>(MS_SLAVE | MS_REC));
  EXPECT_THAT(linux_.sysctl, ElementsAre(Pair("net.ipv4.ip_forward", "1"),
                                         Pair("net.ipv4.conf.eth0/1.forwarding", "1")));
  EXPECT_EQ(linux_.monotonic_offset->seconds, -5);
  EXPECT_FALSE(linux_.boottime_offset.has_value());
  EXPECT_EQ(*linux_.personality, 8u);
  EXPECT_EQ(linux_.seccomp->rules[0].arguments[0].value, 7u);
  EXPECT_EQ(*linux_.seccomp->default_errno_ret, 38u);
}

TEST(OciConfig, ReadsHooksOfAllSixKinds) {
  const auto config = ReadConfig(With("/hooks", R"({
    "prestart": [{"path": "/a"}], "createRuntime": [{"path": "/b", "timeout": 5}],
    "createContainer": [{"path": "/c", "args": ["c", "x"]}],
    "startContainer": [{"path": "/d", "env": ["K=v"]}], "poststart": [{"path": "/e"}],
    "poststop": [{"path": "/f"}, {"path": "/g"}]})")
                                     .dump());
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->hooks.prestart[0].path, "/a");
  EXPECT_EQ(config->hooks.create_runtime[0].timeout_seconds, 5);
  EXPECT_THAT(config->hooks.create_container[0].args, ElementsAre("c", "x"));
  EXPECT_THAT(config->hooks.start_container[0].env, Optional(ElementsAre("K=v")));
  EXPECT_EQ(config->hooks.poststop.size(), 2u);
}

TEST(OciConfig, SkipsWhatTheSpecificationDoesNotKnow) {
  EXPECT_EQ(ErrorOf(With("/novelty", R"({"deep": [1, 2]})")), "ok");
  EXPECT_EQ(ErrorOf(With("/windows", "{}")), "ok");
}

struct Flaw {
  const char* pointer;
  const char* value;  // "" = taken away
  const char* error;
};

class OciConfigFlaw : public ::testing::TestWithParam<Flaw> {};

TEST_P(OciConfigFlaw, IsToldWithItsPath) {
  EXPECT_EQ(ErrorOf(With(GetParam().pointer, GetParam().value)), GetParam().error);
}

INSTANTIATE_TEST_SUITE_P(
    All, OciConfigFlaw,
    ::testing::Values(
        Flaw{"/ociVersion", "", "ociVersion: is required"},
        Flaw{"/ociVersion", "1", "ociVersion: must be a string"},
        Flaw{"/ociVersion", R"("1.0")", "ociVersion: must be a version like 1.2.0"},
        Flaw{"/ociVersion", R"("2.0.0")",
             "ociVersion: '2.0.0' is not supported: this runtime speaks version 1"},
        Flaw{"/root", "", "root: is required"},
        Flaw{"/root/path", R"("a\u0000b")", "root.path: must not hold a NUL character"},
        Flaw{"/process/args", "[]", "process.args: must name a program"},
        Flaw{"/process/args", R"(["a", 1])", "process.args: must be a string"},
        Flaw{"/process/cwd", R"("tmp")", "process.cwd: must be absolute"},
        Flaw{"/process/user", "7", "process.user: must be an object"},
        Flaw{"/process/user/uid", "-1",
             "process.user.uid: must be an integer from 0 to 4294967295"},
        Flaw{"/process/user/uid", "4294967295", "process.user.uid: 4294967295 is no user"},
        Flaw{"/process/user/gid", "1.5", "process.user.gid: must be an integer"},
        Flaw{"/process/user/umask", "512", "process.user.umask: must be at most 511 (octal 777)"},
        Flaw{"/process/rlimits", R"([{"type": "RLIMIT_FUN", "soft": 1, "hard": 1}])",
             "process.rlimits[0].type: 'RLIMIT_FUN' is no resource limit"},
        Flaw{"/process/rlimits",
             R"([{"type": "RLIMIT_CPU", "soft": 1, "hard": 1},
                 {"type": "RLIMIT_CPU", "soft": 1, "hard": 1}])",
             "process.rlimits[1].type: RLIMIT_CPU stands there twice"},
        Flaw{"/process/rlimits", R"([{"type": "RLIMIT_CPU", "soft": 2, "hard": 1}])",
             "process.rlimits[0].soft: is above the hard limit"},
        Flaw{"/process/oomScoreAdj", "1001", "process.oomScoreAdj: must be from -1000 to 1000"},
        Flaw{"/process/scheduler", R"({"policy": "SCHED_BEST"})",
             "process.scheduler.policy: 'SCHED_BEST' is no policy"},
        Flaw{"/process/scheduler", R"({"policy": "SCHED_OTHER", "priority": 1})",
             "process.scheduler.priority: is for SCHED_FIFO and SCHED_RR"},
        Flaw{"/process/ioPriority", R"({"class": "IOPRIO_CLASS_BE", "priority": 8})",
             "process.ioPriority.priority: must be from 0 to 7"},
        Flaw{"/mounts", "{}", "mounts: must be a list"},
        Flaw{"/mounts/0/destination", "", "mounts[0].destination: is required"},
        Flaw{"/mounts/0/options", R"(["tmpcopyup"])", "mounts of /proc: tmpcopyup is for tmpfs"},
        Flaw{"/mounts/0/options", R"(["bind"])", "ok"},
        Flaw{"/hooks", R"({"prestart": [{"path": "bin/x"}]})",
             "hooks.prestart[0].path: must be absolute"},
        Flaw{"/hooks", R"({"poststop": [{"path": "/x", "timeout": 0}]})",
             "hooks.poststop[0].timeout: must be greater than 0"},
        Flaw{"/linux/namespaces", R"([{"type": "mnt"}])",
             "linux.namespaces[0].type: 'mnt' is no namespace"},
        Flaw{"/linux/namespaces", R"([{"type": "pid"}, {"type": "pid"}])",
             "linux.namespaces[1].type: pid stands there twice"},
        Flaw{"/linux/namespaces", R"([{"type": "pid", "path": "x"}])",
             "linux.namespaces[0].path: must be absolute"},
        Flaw{"/linux/namespaces", R"([{"type": "mount"}])",
             "hostname: needs a uts namespace in linux.namespaces"},
        Flaw{"/linux/namespaces", R"([{"type": "uts"}])",
             "mounts: needs a mount namespace in linux.namespaces"},
        Flaw{"/linux/uidMappings", R"([{"containerID": 0, "hostID": 1, "size": 1}])",
             "linux.uidMappings: needs a user namespace in linux.namespaces"},
        Flaw{"/linux/namespaces/2", R"({"type": "user"})",
             "hostname: needs a uts namespace in linux.namespaces"},
        Flaw{"/linux/cgroupsPath", R"("/a/../b")", "linux.cgroupsPath: must not hold '..'"},
        Flaw{"/linux/rootfsPropagation", R"("open")",
             "linux.rootfsPropagation: 'open' is no propagation"},
        Flaw{"/linux/maskedPaths", R"(["proc"])", "linux.maskedPaths: 'proc' must be absolute"},
        Flaw{"/linux/timeOffsets", R"({"boottime": {"nanosecs": 1000000000}})",
             "linux.timeOffsets.boottime.nanosecs: must be below 1000000000"},
        Flaw{"/linux/personality", R"({"domain": "BSD"})",
             "linux.personality.domain: must be LINUX or LINUX32"},
        Flaw{"/linux/devices", R"([{"path": "/dev/x", "type": "d"}])",
             "linux.devices[0].type: must be c, b, u or p"},
        Flaw{"/linux/devices", R"([{"path": "/dev/x", "type": "c", "major": 1}])",
             "linux.devices[0].minor: is required"},
        Flaw{"/linux/seccomp", R"({"defaultAction": "ALLOW"})",
             "linux.seccomp.defaultAction: 'ALLOW' is not one of those that Linux has"},
        Flaw{"/linux/seccomp",
             R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": []}]})",
             "linux.seccomp.syscalls[0].names: must name a system call"},
        Flaw{"/linux/intelRdt", R"({"closID": "x"})", "linux.intelRdt: is not supported"},
        Flaw{"/linux/netDevices", R"({"eth0": {}})", "linux.netDevices: is not supported"},
        Flaw{"/linux/resources", R"({"memory": {"limit": "64m"}})",
             "linux.resources.memory.limit: must be an integer"},
        Flaw{"/linux/resources", R"({"memory": {"swappiness": 101}})",
             "linux.resources.memory.swappiness: must be from 0 to 100"},
        Flaw{"/linux/resources", R"({"devices": [{"allow": true, "access": "rx"}]})",
             "linux.resources.devices[0].access: must be of the letters r, w and m"},
        Flaw{"/linux/resources", R"({"blockIO": {"weight": 9}})",
             "linux.resources.blockIO.weight: must be from 10 to 1000"},
        Flaw{"/linux/resources", R"({"hugepageLimits": [{"pageSize": "../2MB", "limit": 1}]})",
             "linux.resources.hugepageLimits[0].pageSize: must be a size like 2MB"},
        Flaw{"/linux/resources", R"({"unified": {"../x.y": "1"}})",
             "linux.resources.unified.../x.y: must be the name of a control file, like "
             "memory.high"}));

// Row 26 of the security profile: only what a namespace of the container's holds.
TEST(OciConfig, Row26_SysctlsOfTheMachineAreRefused) {
  for (const char* name : {"net.ipv4.ip_forward", "net.core.somaxconn", "kernel.shmmax",
                           "kernel.msgmni", "kernel.sem", "kernel.shm_rmid_forced",
                           "fs.mqueue.msg_max", "kernel.domainname", "net/ipv4/ip_forward"}) {
    EXPECT_EQ(ErrorOf(With("/linux/sysctl", Json{{name, "1"}}.dump())), "ok") << name;
  }
  for (const char* name : {"kernel.core_pattern", "kernel.sysrq", "kernel.panic", "vm.overcommit",
                           "fs.file-max", "user.max_user_namespaces", "kernel.shmmaxx", "kernel",
                           "kernel/core_pattern", "net..ipv4", "", "dev.cdrom.autoclose"}) {
    EXPECT_NE(ErrorOf(With("/linux/sysctl", Json{{name, "1"}}.dump())), "ok") << name;
  }
  EXPECT_EQ(ErrorOf(With("/linux/sysctl", R"({"kernel.hostname": "x"})")),
            "linux.sysctl.kernel.hostname: use hostname instead");
  Json shared = With("/linux/sysctl", R"({"net.ipv4.ip_forward": "1"})");
  shared["linux"]["namespaces"].erase(4);
  EXPECT_EQ(ErrorOf(shared),
            "linux.sysctl.net.ipv4.ip_forward: needs a network namespace in linux.namespaces");
}

TEST(OciConfig, FlawsOfTheJsonItselfHaveLineAndColumn) {
  const auto read = ReadConfig("{\n  \"ociVersion\": }\n");
  EXPECT_EQ(read.status().message(), "line 2, column 17: this is no JSON");
  EXPECT_FALSE(ReadConfig("").ok());
  EXPECT_FALSE(ReadConfig("[]").ok());
  EXPECT_FALSE(ReadConfig(std::string(100'000, '[')).ok());
}

}  // namespace
}  // namespace cluster::oci
