#include "cli/local/local_cluster.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "cli/local/groups.h"
#include "cli/local/hub.h"
#include "cli/local/namespaces.h"
#include "cli/local/process.h"

#include "base/file.h"
#include "base/status.h"

namespace cluster::cli {
namespace {

// All nodes share the machine's disk and memory with whoever works on it: a disk that is nine
// tenths full is no reason to end pods there. What is left is a machine that is about to stand
// still.
constexpr char kEviction[] =
    "memory.available<100Mi,nodefs.available<512Mi,nodefs.inodesFree<1%,pid.available<2%";

// Each node's share of the ids that are set aside for containers (subuid(5), FIRST:COUNT): nodes of
// one machine must not give the same ones to their pods.
std::string UserIdsOf(const Definition& definition, const LocalNode& node) {
  constexpr uint64_t kFirst = 0x80000;
  constexpr uint64_t kEnd = 0x70000000;
  constexpr uint64_t kOfPod = 65536;
  const uint64_t share = (kEnd - kFirst) / kOfPod / definition.nodes.size() * kOfPod;
  const auto index = static_cast<uint64_t>(definition.Find(node.name) - definition.nodes.data());
  return absl::StrCat(kFirst + index * share, ":", share);
}

// Held while a cluster is being changed. Gone with the process.
absl::StatusOr<UniqueFd> LockLocalClusters() {
  if (geteuid() != 0) {
    return absl::PermissionDeniedError(
        "local clusters need root, for namespaces and cgroups: run this with sudo");
  }
  RETURN_IF_ERROR(MakeDirectories(kLocalRunRoot));
  ASSIGN_OR_RETURN(UniqueFd lock,
                   OpenAt(AT_FDCWD, absl::StrCat(kLocalRunRoot, "/lock"), O_RDWR | O_CREAT, 0600));
  if (flock(lock.get(), LOCK_EX) != 0) return ErrnoStatus("lock", kLocalRunRoot);
  return lock;
}

absl::Status RemoveTree(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return ErrnoStatus(error.value(), "remove", path);
  return absl::OkStatus();
}

// Parents that no other cluster uses any more; one that is not empty stays.
void RemoveEmptyParents() {
  for (const char* path :
       {"/run/cluster/local", "/run/cluster", "/var/lib/cluster/local", "/var/lib/cluster"}) {
    std::error_code error;
    if (std::string(path) == kLocalRunRoot) {
      bool other = false;
      for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
        other = other || entry.is_directory(error);
      }
      if (!other) std::filesystem::remove(std::string(path) + "/lock", error);
    }
    std::filesystem::remove(path, error);
  }
}

// Until somebody accepts on the unix socket, as long as `pid_file`'s program runs.
absl::Status WaitForSocket(const std::string& path, const std::string& pid_file) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  for (;;) {
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket) return ErrnoStatus("socket");
    if (connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
      return absl::OkStatus();
    }
    if (!IsRunning(pid_file)) return absl::AbortedError("the controller ended as it started");
    if (absl::Now() > deadline) return ErrnoStatus("connect", path);
    poll(nullptr, 0, 5);
  }
}

}  // namespace

LocalCluster::LocalCluster(std::string name, std::string bin_dir)
    : layout_{std::move(name)}, bin_dir_(std::move(bin_dir)) {}

absl::Status LocalCluster::Up(int nodes, const Progress& progress) {
  RETURN_IF_ERROR(CheckClusterName(layout_.name));
  ASSIGN_OR_RETURN(const UniqueFd lock, LockLocalClusters());
  absl::StatusOr<Definition> definition = LoadDefinition(layout_);
  if (absl::IsNotFound(definition.status())) {
    definition = MakeDefinition(layout_.name, nodes);
    RETURN_IF_ERROR(MakeDirectories(layout_.State() + "/logs"));
    RETURN_IF_ERROR(SaveDefinition(layout_, *definition));
  }
  RETURN_IF_ERROR(definition.status());
  if (nodes != static_cast<int>(definition->nodes.size())) {
    return absl::AlreadyExistsError(absl::StrCat(
        "local cluster \"", layout_.name, "\" exists with ", definition->nodes.size(),
        " nodes: take it down first with 'clusterctl local down --name ", layout_.name, "'"));
  }
  RETURN_IF_ERROR(MakeDirectories(layout_.Run() + "/pids"));
  RETURN_IF_ERROR(MakePinDirectory(layout_.Namespaces()));
  RETURN_IF_ERROR(MakeHub(layout_, *definition));
  progress(absl::StrCat("controller at ", layout_.Server()));
  RETURN_IF_ERROR(StartController(*definition));
  for (const LocalNode& node : definition->nodes) {
    progress(absl::StrCat(node.name, " at ", node.address));
    RETURN_IF_ERROR(StartNode(*definition, node));
  }
  return absl::OkStatus();
}

absl::Status LocalCluster::Down(const Progress& progress) {
  RETURN_IF_ERROR(CheckClusterName(layout_.name));
  ASSIGN_OR_RETURN(const UniqueFd lock, LockLocalClusters());
  const absl::StatusOr<Definition> definition = LoadDefinition(layout_);
  // The whole group at once: whatever was started for this cluster is in it, also what a broken
  // definition no longer names.
  progress("ending every process");
  RETURN_IF_ERROR(KillGroup(layout_.CgroupRoot()));
  RETURN_IF_ERROR(RemoveGroup(layout_.CgroupRoot()));
  std::error_code error;
  for (const auto& pin : std::filesystem::directory_iterator(layout_.Namespaces(), error)) {
    RETURN_IF_ERROR(Unpin(pin.path().string()));
  }
  RETURN_IF_ERROR(RemovePinDirectory(layout_.Namespaces()));
  progress("removing its files");
  RETURN_IF_ERROR(RemoveTree(layout_.Run()));
  RETURN_IF_ERROR(RemoveTree(layout_.State()));
  RemoveEmptyParents();
  return absl::OkStatus();
}

absl::Status LocalCluster::StartController(const Definition& definition) {
  if (IsRunning(layout_.PidFile(kController))) return absl::OkStatus();
  LaunchSpec spec;
  ASSIGN_OR_RETURN(spec.cgroup, MakeAgentGroup(layout_.Cgroup(kController)));
  RETURN_IF_ERROR(MakeDirectories(layout_.State() + "/controller", 0700));
  spec.argv = {bin_dir_ + "/cluster-controller",
               "--state-dir",
               layout_.State() + "/controller",
               "--socket",
               layout_.Socket(),
               "--listen",
               absl::StrCat(definition.controller_address, ":", definition.controller_port)};
  spec.log_file = layout_.LogFile(kController);
  spec.net_ns = layout_.NetNs("hub");
  spec.pid_file = layout_.PidFile(kController);
  RETURN_IF_ERROR(Launch(spec));
  return Annotate(WaitForSocket(layout_.Socket(), spec.pid_file),
                  absl::StrCat("the controller does not answer; see ", spec.log_file));
}

absl::Status LocalCluster::StartNode(const Definition& definition, const LocalNode& node) {
  if (IsRunning(layout_.PidFile(node.name))) return absl::OkStatus();
  RETURN_IF_ERROR(ConnectNode(layout_, node));
  RETURN_IF_ERROR(PinNewMountns(layout_.MountNs(node.name)));
  LaunchSpec spec;
  ASSIGN_OR_RETURN(spec.cgroup, MakeAgentGroup(layout_.Cgroup(node.name)));
  const std::string state = layout_.State() + "/" + node.name;
  const std::string run = layout_.Run() + "/" + node.name;
  RETURN_IF_ERROR(MakeDirectories(state, 0700));
  RETURN_IF_ERROR(MakeDirectories(run, 0700));
  spec.argv = {bin_dir_ + "/cluster-node",
               "--controller",
               absl::StrCat(definition.controller_address, ":", definition.controller_port),
               "--name",
               node.name,
               "--address",
               node.address,
               "--state-dir",
               state,
               "--run-dir",
               run,
               "--cgroup-parent",
               layout_.Cgroup(node.name),
               "--user-ids",
               UserIdsOf(definition, node),
               "--eviction-hard",
               kEviction};
  spec.log_file = layout_.LogFile(node.name);
  spec.mount_ns = layout_.MountNs(node.name);
  spec.net_ns = layout_.NetNs(node.name);
  spec.pid_file = layout_.PidFile(node.name);
  return Launch(spec);
}

absl::Status LocalCluster::StopNode(const LocalNode& node) {
  // The cable first, as when the power goes: nothing that dies is reported.
  if (IsPinned(layout_.NetNs(node.name))) RETURN_IF_ERROR(SetNodeLink(layout_, node, false));
  RETURN_IF_ERROR(KillGroup(layout_.Cgroup(node.name)));
  RETURN_IF_ERROR(RemoveGroup(layout_.Cgroup(node.name)));
  RETURN_IF_ERROR(DisconnectNode(layout_, node));
  RETURN_IF_ERROR(Unpin(layout_.MountNs(node.name)));
  // What a machine loses with its power: /run, and with it the node's boot id.
  return RemoveTree(layout_.Run() + "/" + node.name);
}

absl::StatusOr<const LocalNode*> LocalCluster::FindNode(const Definition& definition,
                                                        const std::string& part) const {
  if (const LocalNode* node = definition.Find(part)) return node;
  std::vector<std::string> names;
  for (const LocalNode& node : definition.nodes) names.push_back(node.name);
  return absl::NotFoundError(absl::StrCat("local cluster \"", layout_.name, "\" has no node \"",
                                          part, "\"; it has ", absl::StrJoin(names, ", ")));
}

absl::Status LocalCluster::Stop(const std::string& part) {
  ASSIGN_OR_RETURN(const UniqueFd lock, LockLocalClusters());
  ASSIGN_OR_RETURN(const Definition definition, LoadDefinition(layout_));
  if (part == kController) return End(layout_.PidFile(kController), SIGTERM, absl::Seconds(15));
  ASSIGN_OR_RETURN(const LocalNode* node, FindNode(definition, part));
  return StopNode(*node);
}

absl::Status LocalCluster::Start(const std::string& part) {
  ASSIGN_OR_RETURN(const UniqueFd lock, LockLocalClusters());
  ASSIGN_OR_RETURN(const Definition definition, LoadDefinition(layout_));
  RETURN_IF_ERROR(MakeDirectories(layout_.Run() + "/pids"));
  RETURN_IF_ERROR(MakePinDirectory(layout_.Namespaces()));
  RETURN_IF_ERROR(MakeHub(layout_, definition));
  if (part == kController) return StartController(definition);
  ASSIGN_OR_RETURN(const LocalNode* node, FindNode(definition, part));
  return StartNode(definition, *node);
}

absl::Status LocalCluster::Kill(const std::string& part) {
  ASSIGN_OR_RETURN(const UniqueFd lock, LockLocalClusters());
  ASSIGN_OR_RETURN(const Definition definition, LoadDefinition(layout_));
  if (part != kController) RETURN_IF_ERROR(FindNode(definition, part).status());
  if (!IsRunning(layout_.PidFile(part))) {
    return absl::FailedPreconditionError(absl::StrCat(part,
                                                      " does not run; start it with "
                                                      "'clusterctl local start ",
                                                      part, "'"));
  }
  return End(layout_.PidFile(part), SIGKILL, absl::Seconds(10));
}

absl::Status LocalCluster::SetLink(const std::string& node, bool up) {
  ASSIGN_OR_RETURN(const UniqueFd lock, LockLocalClusters());
  ASSIGN_OR_RETURN(const Definition definition, LoadDefinition(layout_));
  ASSIGN_OR_RETURN(const LocalNode* found, FindNode(definition, node));
  if (!IsPinned(layout_.NetNs(node))) {
    return absl::FailedPreconditionError(absl::StrCat(node, " is powered off"));
  }
  return SetNodeLink(layout_, *found, up);
}

absl::StatusOr<int> LocalCluster::Exec(const std::string& node,
                                       const std::vector<std::string>& argv) {
  ASSIGN_OR_RETURN(const Definition definition, LoadDefinition(layout_));
  if (node != kController) RETURN_IF_ERROR(FindNode(definition, node).status());
  const std::string pin = layout_.NetNs(node == kController ? "hub" : node);
  if (!IsPinned(pin)) return absl::FailedPreconditionError(absl::StrCat(node, " is powered off"));
  return RunInNetns(pin, argv);
}

absl::StatusOr<std::vector<PartState>> LocalCluster::States() const {
  ASSIGN_OR_RETURN(const Definition definition, LoadDefinition(layout_));
  std::vector<PartState> states;
  const auto add = [&](const std::string& part, const std::string& address) {
    const absl::StatusOr<ProcessRecord> running = FindRunning(layout_.PidFile(part));
    states.push_back(
        {part, address, running.ok() ? "running" : "stopped", running.ok() ? running->pid : 0});
  };
  add(kController, definition.controller_address);
  for (const LocalNode& node : definition.nodes) {
    add(node.name, node.address);
    if (!IsPinned(layout_.NetNs(node.name))) {
      if (states.back().state != "running") states.back().state = "off";
      continue;
    }
    const absl::StatusOr<bool> cut = IsPartitioned(layout_, node);
    if (cut.ok() && *cut) states.back().state += ",partitioned";
  }
  return states;
}

}  // namespace cluster::cli
