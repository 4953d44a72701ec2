#include "node/cgroup/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "base/file.h"
#include "base/status.h"

namespace cluster::node {
namespace {

constexpr absl::string_view kPodPrefix = "pod";
constexpr absl::string_view kV1Controllers[] = {"cpu",  "cpuacct", "memory",
                                                "pids", "blkio",   "cpuset"};
constexpr absl::string_view kV2Controllers[] = {"cpu", "memory", "pids", "cpuset", "io"};
// Only where the machine has such pages.
constexpr absl::string_view kHugetlb = "hugetlb";
// Groups nested deeper than this below one of ours are not removed.
constexpr int kRemovalDepth = 16;

absl::Status CheckComponent(absl::string_view what, const std::string& name) {
  if (!name.empty() && name != "." && name != ".." && name.size() <= 200 &&
      name.find('/') == std::string::npos && name.find('\n') == std::string::npos &&
      name.find('\0') == std::string::npos) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(what, " '", name, "' cannot name a cgroup"));
}

std::vector<std::string> Components(const std::string& path) {
  return absl::StrSplit(path, '/', absl::SkipEmpty());
}

absl::Status CheckParent(const std::string& parent) {
  const std::vector<std::string> components = Components(parent);
  if (parent.empty() || parent[0] != '/' || components.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "cgroup parent '", parent, "' must be an absolute path below the root, like /cluster"));
  }
  for (const std::string& component : components) {
    RETURN_IF_ERROR(CheckComponent("cgroup parent component", component));
  }
  return absl::OkStatus();
}

// mkdir that is content with what is there; the directory's descriptor.
absl::StatusOr<UniqueFd> MakeDirectory(int directory, const std::string& path) {
  if (::mkdirat(directory, path.c_str(), 0755) != 0 && errno != EEXIST) {
    return ErrnoStatus("make cgroup", path);
  }
  return OpenAt(directory, path, kOpenGroup);
}

absl::StatusOr<std::vector<std::string>> Subdirectories(int directory, const std::string& path) {
  ASSIGN_OR_RETURN(UniqueFd fd, OpenAt(directory, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  DIR* stream = ::fdopendir(fd.get());
  if (stream == nullptr) return ErrnoStatus("list cgroup", path);
  fd.release();
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(stream)) {
    const std::string name = entry->d_name;
    if (entry->d_type == DT_DIR && name != "." && name != "..") names.push_back(name);
  }
  ::closedir(stream);
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status RemoveDirectory(int directory, const std::string& path, int depth) {
  if (::unlinkat(directory, path.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) {
    return absl::OkStatus();
  }
  const absl::Status refusal = ErrnoStatus("remove cgroup", path);
  if (errno != EBUSY || depth == 0) return refusal;
  // Busy with groups of its own, or with processes.
  const auto children = Subdirectories(directory, path);
  if (absl::IsNotFound(children.status())) return absl::OkStatus();
  RETURN_IF_ERROR(children.status());
  if (children->empty()) return refusal;
  for (const std::string& child : *children) {
    RETURN_IF_ERROR(RemoveDirectory(directory, absl::StrCat(path, "/", child), depth - 1));
  }
  if (::unlinkat(directory, path.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) {
    return absl::OkStatus();
  }
  return ErrnoStatus("remove cgroup", path);
}

// A v1 cpuset group starts without cpus and memory nodes, and nobody can enter it like that.
absl::Status FillCpuset(int directory) {
  for (const char* file : {"cpuset.cpus", "cpuset.mems"}) {
    ASSIGN_OR_RETURN(const std::string own, ReadFileAt(directory, file));
    if (!absl::StripAsciiWhitespace(own).empty()) continue;
    ASSIGN_OR_RETURN(const std::string parents, ReadFileAt(directory, absl::StrCat("../", file)));
    RETURN_IF_ERROR(WriteControlAt(directory, file, absl::StripAsciiWhitespace(parents)));
  }
  return absl::OkStatus();
}

// Before Linux 5.11 a v1 memory group counts its children only when told to, before it has any.
absl::Status CountChildren(int directory) {
  const auto hierarchical = ReadFileAt(directory, "memory.use_hierarchy");
  if (absl::IsNotFound(hierarchical.status())) return absl::OkStatus();
  RETURN_IF_ERROR(hierarchical.status());
  if (absl::StripAsciiWhitespace(*hierarchical) != "0") return absl::OkStatus();
  return WriteControlAt(directory, "memory.use_hierarchy", "1");
}

// Lets the children of a v2 group use the controllers.
absl::Status EnableControllers(int directory, const std::vector<std::string>& controllers,
                               const std::string& path) {
  if (controllers.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string text, ReadFileAt(directory, "cgroup.subtree_control"));
  const std::vector<std::string> enabled =
      absl::StrSplit(absl::StripAsciiWhitespace(text), ' ', absl::SkipEmpty());
  std::vector<std::string> missing;
  for (const std::string& controller : controllers) {
    if (!HoldsController(enabled, controller)) missing.push_back(absl::StrCat("+", controller));
  }
  if (missing.empty()) return absl::OkStatus();
  const absl::Status set =
      WriteControlAt(directory, "cgroup.subtree_control", absl::StrJoin(missing, " "));
  if (!absl::IsUnavailable(set)) return Annotate(set, absl::StrCat("cgroup ", path));
  return absl::FailedPreconditionError(
      absl::StrCat("cgroup ", path, " cannot pass ", absl::StrJoin(missing, " "),
                   " on: processes sit in it; move them into a child group, or choose another "
                   "parent (",
                   set.message(), ")"));
}

}  // namespace

CgroupTree::CgroupTree(CgroupLayout layout, std::string parent)
    : layout_(std::move(layout)), parent_(std::move(parent)) {}

// A program works wherever there is a v2 tree, holds from a container's first instruction on, and
// spares the containers one more hierarchy; some kernels and some privileges have none.
absl::Status CgroupTree::ChooseDeviceGuard() {
  absl::Status refusal = absl::NotFoundError("there is no v2 tree");
  if (!layout_.v2_mount_point.empty()) refusal = DevicePrograms::Probe();
  guards_by_program_ = refusal.ok();
  if (guards_by_program_ || layout_.V1Of("devices") != nullptr) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("nothing here keeps containers from the machine's devices: neither a program on "
                   "the v2 tree (",
                   refusal.message(),
                   ") nor the v1 devices controller; give the agent CAP_BPF and CAP_NET_ADMIN, or "
                   "mount that controller"));
}

std::vector<CgroupTree::Root> CgroupTree::PlanRoots() const {
  std::vector<Root> roots;
  // The v2 tree first: it is the one that says whether a process is left.
  if (!layout_.v2_mount_point.empty()) {
    Root root{true, layout_.v2_mount_point, {}, {}};
    for (const absl::string_view controller : kV2Controllers) {
      if (layout_.HasV2Controller(controller)) root.controllers.emplace_back(controller);
    }
    if (!layout_.hugepages.empty() && layout_.HasV2Controller(kHugetlb)) {
      root.controllers.emplace_back(kHugetlb);
    }
    roots.push_back(std::move(root));
  }
  std::vector<absl::string_view> wanted(std::begin(kV1Controllers), std::end(kV1Controllers));
  if (layout_.v2_mount_point.empty()) wanted.push_back("freezer");
  if (!guards_by_program_) wanted.push_back("devices");
  if (!layout_.hugepages.empty()) wanted.push_back(kHugetlb);
  for (const V1Hierarchy& hierarchy : layout_.v1) {
    Root root{false, hierarchy.mount_point, {}, {}};
    for (const absl::string_view controller : wanted) {
      if (HoldsController(hierarchy.controllers, controller)) {
        root.controllers.emplace_back(controller);
      }
    }
    if (!root.controllers.empty()) roots.push_back(std::move(root));
  }
  return roots;
}

absl::StatusOr<std::unique_ptr<CgroupTree>> CgroupTree::Open(CgroupLayout layout,
                                                             std::string parent) {
  RETURN_IF_ERROR(CheckParent(parent));
  auto tree = std::unique_ptr<CgroupTree>(new CgroupTree(std::move(layout), std::move(parent)));
  RETURN_IF_ERROR(tree->ChooseDeviceGuard());
  tree->roots_ = tree->PlanRoots();
  for (Root& root : tree->roots_) {
    RETURN_IF_ERROR(Annotate(tree->MakeParent(root), absl::StrCat("in ", root.mount_point)));
  }
  return tree;
}

absl::Status CgroupTree::MakeParent(Root& root) {
  ASSIGN_OR_RETURN(UniqueFd at, OpenAt(AT_FDCWD, root.mount_point, O_PATH | O_DIRECTORY));
  std::string path;
  if (root.v2) RETURN_IF_ERROR(EnableControllers(at.get(), root.controllers, "/"));
  for (const std::string& component : Components(parent_)) {
    absl::StrAppend(&path, "/", component);
    const bool fresh = ::faccessat(at.get(), component.c_str(), F_OK, 0) != 0;
    ASSIGN_OR_RETURN(at, MakeDirectory(at.get(), component));
    RETURN_IF_ERROR(PrepareInner(root, at.get(), path));
    if (fresh) RETURN_IF_ERROR(WeighAsTheMachine(root, at.get()));
  }
  root.directory = std::move(at);
  return absl::OkStatus();
}

// The default weight would make all pods together worth one core against whatever else runs here.
absl::Status CgroupTree::WeighAsTheMachine(const Root& root, int directory) {
  if (!HoldsController(root.controllers, "cpu")) return absl::OkStatus();
  const int64_t shares = CpuSharesOf(::sysconf(_SC_NPROCESSORS_ONLN) * 1000);
  return root.v2 ? WriteControlAt(directory, "cpu.weight", absl::StrCat(CpuWeightOf(shares)))
                 : WriteControlAt(directory, "cpu.shares", absl::StrCat(shares));
}

absl::Status CgroupTree::PrepareInner(const Root& root, int directory, const std::string& path) {
  if (root.v2) return EnableControllers(directory, root.controllers, path);
  if (HoldsController(root.controllers, "cpuset")) RETURN_IF_ERROR(FillCpuset(directory));
  if (HoldsController(root.controllers, "memory")) RETURN_IF_ERROR(CountChildren(directory));
  return absl::OkStatus();
}

absl::StatusOr<CgroupGroup> CgroupTree::Make(const std::string& path, bool inner,
                                             const CgroupLimits& limits) {
  const std::string full = absl::StrCat(parent_, "/", path);
  const bool wants_cpuset = !limits.cpuset_cpus.empty() || !limits.cpuset_mems.empty();
  std::vector<CgroupGroup::Member> members;
  for (const Root& root : roots_) {
    // Without a cpuset of its own, a group stays in its parent's: two directories less for each.
    const bool cpuset_alone = !root.v2 && root.controllers == std::vector<std::string>{"cpuset"};
    if (cpuset_alone && !wants_cpuset && !InOwnCpuset(root, path)) continue;
    auto directory = MakeDirectory(root.directory.get(), path);
    if (!directory.ok()) {
      return Annotate(directory.status(), absl::StrCat("in ", root.mount_point, parent_));
    }
    if (inner) {
      RETURN_IF_ERROR(PrepareInner(root, directory->get(), full));
    } else if (!root.v2 && HoldsController(root.controllers, "cpuset")) {
      RETURN_IF_ERROR(FillCpuset(directory->get()));
    }
    members.push_back({root.v2, root.controllers, *std::move(directory)});
  }
  CgroupGroup group(full, std::move(members));
  RETURN_IF_ERROR(group.Apply(PlanWrites(layout_, limits)));
  if (limits.devices) RETURN_IF_ERROR(LimitDevices(group, *limits.devices));
  return group;
}

absl::Status CgroupTree::LimitDevices(const CgroupGroup& group, const DeviceRules& rules) {
  return Annotate(guards_by_program_ ? programs_.Attach(group.unified_fd(), rules)
                                     : group.Apply(PlanDeviceWrites(rules)),
                  absl::StrCat("devices of cgroup ", group.path()));
}

absl::Status CgroupTree::LimitWhole(const CgroupLimits& limits) {
  ASSIGN_OR_RETURN(const CgroupGroup whole, FindWhole());
  return whole.Apply(PlanWrites(layout_, limits));
}

bool CgroupTree::InOwnCpuset(const Root& root, const std::string& path) const {
  const std::string pod = path.substr(0, path.find('/'));
  struct stat status;
  return ::fstatat(root.directory.get(), pod.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
}

absl::StatusOr<CgroupGroup> CgroupTree::Find(const std::string& path) {
  std::vector<CgroupGroup::Member> members;
  for (const Root& root : roots_) {
    auto directory = OpenAt(root.directory.get(), path, kOpenGroup);
    if (absl::IsNotFound(directory.status())) continue;
    RETURN_IF_ERROR(directory.status());
    members.push_back({root.v2, root.controllers, *std::move(directory)});
  }
  if (members.empty()) return absl::NotFoundError(absl::StrCat("no cgroup ", parent_, "/", path));
  return CgroupGroup(absl::StrCat(parent_, "/", path), std::move(members));
}

absl::Status CgroupTree::Remove(const std::string& path) {
  absl::Status first;
  for (const Root& root : roots_) {
    first.Update(Annotate(RemoveDirectory(root.directory.get(), path, kRemovalDepth),
                          absl::StrCat("in ", root.mount_point, parent_)));
  }
  return first;
}

absl::StatusOr<CgroupGroup> CgroupTree::MakePod(const std::string& uid,
                                                const CgroupLimits& limits) {
  RETURN_IF_ERROR(CheckComponent("pod uid", uid));
  return Make(absl::StrCat(kPodPrefix, uid), true, limits);
}

absl::StatusOr<CgroupGroup> CgroupTree::MakeLeaf(const std::string& uid, const std::string& leaf,
                                                 const CgroupLimits& limits) {
  RETURN_IF_ERROR(CheckComponent("pod uid", uid));
  RETURN_IF_ERROR(CheckComponent("cgroup leaf", leaf));
  return Make(absl::StrCat(kPodPrefix, uid, "/", leaf), false, limits);
}

absl::StatusOr<CgroupGroup> CgroupTree::MakeInitLeaf(const std::string& uid,
                                                     const CgroupLimits& limits) {
  RETURN_IF_ERROR(CheckComponent("pod uid", uid));
  if (!roots_.front().v2 || roots_.size() == 1) return MakeLeaf(uid, kInitLeaf, limits);
  const std::string pod = absl::StrCat(kPodPrefix, uid);
  const std::string path = absl::StrCat(pod, "/", kInitLeaf);
  std::vector<CgroupGroup::Member> members;
  for (const Root& root : roots_) {
    auto directory = root.v2 ? MakeDirectory(root.directory.get(), path)
                             : OpenAt(root.directory.get(), pod, kOpenGroup);
    // A pod without a cpuset of its own.
    if (!root.v2 && absl::IsNotFound(directory.status())) continue;
    RETURN_IF_ERROR(directory.status());
    members.push_back({root.v2, root.controllers, *std::move(directory)});
  }
  CgroupGroup group(absl::StrCat(parent_, "/", path), std::move(members));
  std::vector<ControlWrite> writes = PlanWrites(layout_, limits);
  std::erase_if(writes, [](const ControlWrite& write) { return !write.v2; });
  RETURN_IF_ERROR(group.Apply(writes));
  return group;
}

absl::StatusOr<UniqueFd> CgroupTree::MakeBirthplace(const std::string& uid,
                                                    const std::string& leaf) {
  RETURN_IF_ERROR(CheckComponent("pod uid", uid));
  RETURN_IF_ERROR(CheckComponent("cgroup leaf", leaf));
  for (const Root& root : roots_) {
    if (!root.v2 || !root.controllers.empty() || roots_.size() == 1) continue;
    const std::string pod = absl::StrCat(kPodPrefix, uid);
    RETURN_IF_ERROR(MakeDirectory(root.directory.get(), pod).status());
    return MakeDirectory(root.directory.get(), absl::StrCat(pod, "/", leaf));
  }
  return UniqueFd();
}

absl::StatusOr<CgroupGroup> CgroupTree::FindPod(const std::string& uid) {
  RETURN_IF_ERROR(CheckComponent("pod uid", uid));
  return Find(absl::StrCat(kPodPrefix, uid));
}

absl::StatusOr<CgroupGroup> CgroupTree::FindLeaf(const std::string& uid, const std::string& leaf) {
  RETURN_IF_ERROR(CheckComponent("pod uid", uid));
  RETURN_IF_ERROR(CheckComponent("cgroup leaf", leaf));
  return Find(absl::StrCat(kPodPrefix, uid, "/", leaf));
}

absl::Status CgroupTree::RemovePod(const std::string& uid) {
  RETURN_IF_ERROR(CheckComponent("pod uid", uid));
  return Remove(absl::StrCat(kPodPrefix, uid));
}

absl::Status CgroupTree::RemoveLeaf(const std::string& uid, const std::string& leaf) {
  RETURN_IF_ERROR(CheckComponent("pod uid", uid));
  RETURN_IF_ERROR(CheckComponent("cgroup leaf", leaf));
  return Remove(absl::StrCat(kPodPrefix, uid, "/", leaf));
}

absl::StatusOr<std::vector<FoundPod>> CgroupTree::List() {
  std::map<std::string, std::set<std::string>> pods;
  for (const Root& root : roots_) {
    ASSIGN_OR_RETURN(const std::vector<std::string> names,
                     Subdirectories(root.directory.get(), "."));
    for (const std::string& name : names) {
      if (!absl::StartsWith(name, kPodPrefix)) continue;
      const auto leaves = Subdirectories(root.directory.get(), name);
      if (absl::IsNotFound(leaves.status())) continue;
      RETURN_IF_ERROR(leaves.status());
      pods[name.substr(kPodPrefix.size())].insert(leaves->begin(), leaves->end());
    }
  }
  std::vector<FoundPod> found;
  for (const auto& [uid, leaves] : pods) {
    found.push_back(FoundPod{uid, {leaves.begin(), leaves.end()}});
  }
  return found;
}

absl::Status CgroupTree::RemoveParent() {
  absl::Status first;
  const std::vector<std::string> components = Components(parent_);
  for (const Root& root : roots_) {
    ASSIGN_OR_RETURN(UniqueFd mount, OpenAt(AT_FDCWD, root.mount_point, O_PATH | O_DIRECTORY));
    for (size_t depth = components.size(); depth > 0; --depth) {
      const std::string path = absl::StrJoin(
          components.begin(), components.begin() + static_cast<ptrdiff_t>(depth), "/");
      if (::unlinkat(mount.get(), path.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) continue;
      // An ancestor may well hold others; the parent itself may not.
      if (depth == components.size()) {
        first.Update(ErrnoStatus("remove cgroup", absl::StrCat(root.mount_point, "/", path)));
      }
      break;
    }
  }
  return first;
}

}  // namespace cluster::node
