#include "node/runtime/launch_plan.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "node/runtime/pod_directory.h"

namespace cluster::node {
namespace {

constexpr char kDefaultPath[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
// Enough for servers that ask for nothing; programs that close every possible descriptor one by
// one still end.
constexpr uint64_t kOpenFiles = 1 << 20;

void AddWhenMissing(std::vector<std::string>& env, const std::string& assignment) {
  const std::string prefix = assignment.substr(0, assignment.find('=') + 1);
  for (const std::string& variable : env) {
    if (absl::StartsWith(variable, prefix)) return;
  }
  env.push_back(assignment);
}

uint32_t FlagsOf(const LaunchInputs& inputs) {
  const SecuritySpec& security = inputs.spec->security;
  uint32_t flags = 0;
  const auto set = [&flags](bool condition, uint32_t flag) {
    if (condition) flags |= flag;
  };
  set(security.no_new_privileges, init::kNoNewPrivileges);
  set(security.read_only_root, init::kReadOnlyRoot);
  set(inputs.cgroup2_alone, init::kCgroup2Alone);
  set(security.gid.has_value(), init::kSetGid);
  set(security.must_not_be_root, init::kMustNotBeRoot);
  set(!security.groups_of_image, init::kOnlyListedGroups);
  set(inputs.spec->time_offsets.has_value(), init::kTimeNamespace);
  const bool joins = !inputs.spec->pid_namespace_of.empty() && !inputs.sandbox->host_pid;
  set(inputs.sandbox->share_process_namespace || joins, init::kSharedProcesses);
  set(inputs.sandbox->host_pid, init::kNodeProcesses);
  set(inputs.memory_on_v1 && inputs.spec->oom_policy == OomPolicy::kContainer, init::kOomKillsAll);
  set(inputs.spec->tty, init::kTerminal);
  set(inputs.spec->stdin, init::kKeepStdin);
  set(inputs.spec->stdin_once, init::kStdinOnce);
  return flags;
}

MountPlan MountsOf(const LaunchInputs& inputs) {
  MountInputs mounts;
  mounts.etc_directory = inputs.etc_directory;
  mounts.cgroup2 = inputs.cgroup2_alone;
  mounts.first_id = inputs.first_id.value_or(0);
  mounts.hide = inputs.spec->security.masked_paths;
  mounts.privileged = inputs.spec->security.privileged;
  mounts.node_devices = inputs.node_devices;
  mounts.volumes = inputs.volumes;
  return PlanMounts(mounts);
}

}  // namespace

LaunchPlan PlanLaunch(const LaunchInputs& inputs) {
  const ContainerSpec& spec = *inputs.spec;
  const SecuritySpec& security = spec.security;
  LaunchPlan plan;
  plan.name = spec.name;
  plan.attempt = spec.attempt;
  plan.flags = FlagsOf(inputs);
  plan.capabilities = security.capabilities;
  plan.oom_score_adj = spec.oom_score_adj;
  plan.instance_path = inputs.instance_path;
  plan.working_dir = spec.working_dir;
  plan.user = security.uid.has_value() ? absl::StrCat(*security.uid) : spec.user;
  plan.gid = security.gid.value_or(0);
  plan.groups = security.supplemental_groups;
  plan.argv = spec.argv;
  plan.env = spec.env;
  AddWhenMissing(plan.env, kDefaultPath);
  AddWhenMissing(plan.env, absl::StrCat("HOSTNAME=", inputs.sandbox->hostname));
  plan.layers = {inputs.skeleton};
  plan.layers.insert(plan.layers.end(), spec.rootfs.layers.begin(), spec.rootfs.layers.end());
  plan.mounts = MountsOf(inputs);
  if (!spec.termination_message_path.empty()) {
    plan.mounts.mounts.push_back(TerminationLog(
        absl::StrCat(inputs.instance_path, "/", kTerminationFile), spec.termination_message_path));
  }
  if (inputs.open_files != 0) {
    const uint64_t files = std::min(inputs.open_files, kOpenFiles);
    plan.limits.push_back({RLIMIT_NOFILE, files, files});
  }
  if (spec.time_offsets.has_value()) {
    plan.boottime_offset = spec.time_offsets->boottime;
    plan.monotonic_offset = spec.time_offsets->monotonic;
  }
  plan.filter = inputs.filter;
  // Where they see each other's anyway, there is nothing to join.
  if (!inputs.sandbox->share_process_namespace) plan.pid_namespace_of = spec.pid_namespace_of;
  plan.log_max_bytes = static_cast<uint64_t>(inputs.log_max_bytes);
  plan.log_max_files = static_cast<uint32_t>(inputs.log_max_files);
  return plan;
}

std::vector<PlannedDevice> ListNodeDevices(const std::string& dev) {
  namespace fs = std::filesystem;
  std::vector<PlannedDevice> devices;
  std::error_code error;
  for (fs::recursive_directory_iterator at(dev, error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().lexically_relative(dev).string();
    if (name == "pts" || name == "shm" || name == "mqueue") at.disable_recursion_pending();
    struct stat node {};
    if (lstat(at->path().c_str(), &node) != 0) continue;  // it went away
    if (!S_ISCHR(node.st_mode) && !S_ISBLK(node.st_mode)) continue;
    if (name == "ptmx" || name == "console") continue;  // of the container's own terminals
    devices.push_back({name, node.st_mode, major(node.st_rdev), minor(node.st_rdev)});
  }
  return devices;
}

}  // namespace cluster::node
