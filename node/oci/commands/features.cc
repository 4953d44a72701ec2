#include "absl/strings/str_cat.h"
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "node/oci/commands/command.h"

namespace cluster::oci {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr const char* kMountOptions[] = {
    "async",          "atime",         "bind",         "copy-symlink",
    "defaults",       "dest-nofollow", "dev",          "diratime",
    "dirsync",        "exec",          "idmap",        "iversion",
    "lazytime",       "loud",          "mand",         "noatime",
    "nodev",          "nodiratime",    "noexec",       "noiversion",
    "nolazytime",     "nomand",        "norelatime",   "nostrictatime",
    "nosuid",         "nosymfollow",   "private",      "ratime",
    "rbind",          "rdev",          "rdiratime",    "relatime",
    "remount",        "rexec",         "ridmap",       "rnoatime",
    "rnodev",         "rnodiratime",   "rnoexec",      "rnorelatime",
    "rnostrictatime", "rnosuid",       "rnosymfollow", "ro",
    "rprivate",       "rrelatime",     "rro",          "rrw",
    "rshared",        "rslave",        "rstrictatime", "rsuid",
    "rsymfollow",     "runbindable",   "rw",           "shared",
    "silent",         "slave",         "src-nofollow", "strictatime",
    "suid",           "symfollow",     "sync",         "tmpcopyup",
    "unbindable"};

OrderedJson Enabled(bool enabled) { return {{"enabled", enabled}}; }

OrderedJson LinuxFeatures() {
  OrderedJson capabilities = OrderedJson::array();
  for (int number = 0; number < CapabilityCount(); ++number) {
    capabilities.push_back(CapabilityName(number));
  }
  return {
      {"namespaces", {"cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"}},
      {"capabilities", capabilities},
      {"cgroup",
       {{"v1", true}, {"v2", true}, {"systemd", false}, {"systemdUser", false}, {"rdma", true}}},
      {"seccomp",
       {{"enabled", true},
        {"actions",
         {"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS",
          "SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE",
          "SCMP_ACT_TRAP"}},
        {"operators",
         {"SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT",
          "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE"}},
        {"archs", {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"}},
        {"knownFlags",
         {"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC",
          "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"}},
        {"supportedFlags",
         {"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC",
          "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"}}}},
      {"apparmor", Enabled(true)},
      {"selinux", Enabled(true)},
      {"intelRdt", Enabled(false)},
      {"mountExtensions", {{"idmap", Enabled(true)}}},
      {"netDevices", Enabled(false)}};
}

absl::StatusOr<int> RunFeatures(const Call&) {
  const OrderedJson features = {
      {"ociVersionMin", "1.0.0"},
      {"ociVersionMax", kSpecVersion},
      {"hooks",
       {"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"}},
      {"mountOptions", kMountOptions},
      {"linux", LinuxFeatures()},
      {"potentiallyUnsafeConfigAnnotations", OrderedJson::array()}};
  RETURN_IF_ERROR(Print(absl::StrCat(features.dump(2), "\n")));
  return 0;
}

}  // namespace

const Command kFeaturesCommand = {
    "features", "", 0, 0, "print what this runtime can do, as JSON", {}, false, false, RunFeatures};

}  // namespace cluster::oci
