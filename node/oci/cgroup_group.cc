#include "node/oci/cgroup_group.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "base/file.h"
#include "base/status.h"

namespace cluster::oci {
namespace {

constexpr char kOwnParent[] = "/cluster-oci";
constexpr int kDirectory = O_PATH | O_DIRECTORY | O_NOFOLLOW;
// Groups nested deeper than this below a container's are left to whoever made them.
constexpr int kDepth = 32;
constexpr int kMakeAttempts = 16;
constexpr absl::Duration kFreezeTime = absl::Seconds(10);
constexpr absl::Duration kFreezePoll = absl::Milliseconds(1);

bool Holds(const std::vector<std::string>& words, absl::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
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

// Lets the children of a v2 group use the controllers.
absl::Status EnableControllers(int directory, const std::vector<std::string>& controllers,
                               const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFileAt(directory, "cgroup.subtree_control"));
  const std::vector<std::string> on =
      absl::StrSplit(absl::StripAsciiWhitespace(text), ' ', absl::SkipEmpty());
  std::vector<std::string> missing;
  for (const std::string& controller : controllers) {
    if (!Holds(on, controller)) missing.push_back(absl::StrCat("+", controller));
  }
  if (missing.empty()) return absl::OkStatus();
  const absl::Status set =
      WriteControlAt(directory, "cgroup.subtree_control", absl::StrJoin(missing, " "));
  if (!absl::IsUnavailable(set)) return Annotate(set, absl::StrCat("cgroup ", path));
  return absl::FailedPreconditionError(
      absl::StrCat("cgroup ", path, " cannot pass ", absl::StrJoin(missing, " "),
                   " on: processes sit in it; move them into a child group, or choose another "
                   "linux.cgroupsPath"));
}

absl::StatusOr<std::vector<std::string>> Subdirectories(int directory) {
  ASSIGN_OR_RETURN(UniqueFd fd, OpenAt(directory, ".", O_RDONLY | O_DIRECTORY));
  DIR* stream = ::fdopendir(fd.get());
  if (stream == nullptr) return ErrnoStatus("list", "cgroup");
  fd.release();
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(stream)) {
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  ::closedir(stream);
  return names;
}

absl::Status CollectProcesses(int directory, int depth, std::set<int>* pids) {
  const auto text = ReadFileAt(directory, "cgroup.procs");
  // A v2 group in threaded mode does not say; a removed one has none.
  if (!text.ok() && !absl::IsNotFound(text.status())) return text.status();
  for (const absl::string_view line : absl::StrSplit(text.value_or(""), '\n', absl::SkipEmpty())) {
    int pid = 0;
    if (absl::SimpleAtoi(line, &pid) && pid > 0) pids->insert(pid);
  }
  if (depth == 0) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<std::string> names, Subdirectories(directory));
  for (const std::string& name : names) {
    const auto child = OpenAt(directory, name, kDirectory);
    if (absl::IsNotFound(child.status())) continue;
    RETURN_IF_ERROR(child.status());
    RETURN_IF_ERROR(CollectProcesses(child->get(), depth - 1, pids));
  }
  return absl::OkStatus();
}

absl::Status RemoveBelow(int parent, const std::string& name, int depth) {
  if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) {
    return absl::OkStatus();
  }
  const absl::Status refusal = ErrnoStatus("remove cgroup", name);
  if (errno != EBUSY || depth == 0) return refusal;
  const auto directory = OpenAt(parent, name, kDirectory);
  if (absl::IsNotFound(directory.status())) return absl::OkStatus();
  RETURN_IF_ERROR(directory.status());
  ASSIGN_OR_RETURN(const std::vector<std::string> names, Subdirectories(directory->get()));
  if (names.empty()) return refusal;
  for (const std::string& child : names) {
    RETURN_IF_ERROR(RemoveBelow(directory->get(), child, depth - 1));
  }
  if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) {
    return absl::OkStatus();
  }
  return ErrnoStatus("remove cgroup", name);
}

// 0, or the errno of the write.
int TryWrite(int directory, const std::string& file, const std::string& value) {
  const UniqueFd fd(::openat(directory, file.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return errno;
  return ::write(fd.get(), value.data(), value.size()) < 0 ? errno : 0;
}

}  // namespace

std::string GroupPathOf(const std::string& cgroups_path, const std::string& id) {
  std::vector<absl::string_view> parts = absl::StrSplit(cgroups_path, '/', absl::SkipEmpty());
  if (parts.empty()) return absl::StrCat(kOwnParent, "/", id);
  const std::string joined = absl::StrJoin(parts, "/");
  return absl::StartsWith(cgroups_path, "/") ? absl::StrCat("/", joined)
                                             : absl::StrCat(kOwnParent, "/", joined);
}

Group::Group(const node::CgroupLayout* layout, std::string path)
    : layout_(layout), path_(std::move(path)) {}

std::vector<Group::Place> Group::V1Places(const node::CgroupLayout& layout) {
  std::vector<Place> places;
  for (const node::V1Hierarchy& hierarchy : layout.v1) {
    places.push_back(Place{false, hierarchy.mount_point, hierarchy.controllers, {}, {}});
  }
  for (const node::NamedHierarchy& hierarchy : layout.named) {
    places.push_back(Place{false, hierarchy.mount_point, {}, {}, {}});
  }
  return places;
}

absl::StatusOr<Group> Group::Open(const node::CgroupLayout* layout, const std::string& path) {
  Group group(layout, path);
  std::vector<Place> places = V1Places(*layout);
  if (!layout->v2_mount_point.empty()) {
    places.insert(places.begin(),
                  Place{true, layout->v2_mount_point, layout->v2_controllers, {}, {}});
  }
  for (Place& place : places) {
    auto directory = OpenAt(AT_FDCWD, absl::StrCat(place.mount_point, path), kDirectory);
    if (absl::IsNotFound(directory.status())) continue;
    RETURN_IF_ERROR(directory.status());
    place.directory = *std::move(directory);
    group.places_.push_back(std::move(place));
  }
  return group;
}

int Group::unified_fd() const {
  const Place* unified = PlaceOf("", true);
  return unified == nullptr ? -1 : unified->directory.get();
}

absl::StatusOr<std::vector<UniqueFd>> Group::OpenTasks() const {
  std::vector<UniqueFd> tasks;
  for (const Place& place : places_) {
    if (place.v2) continue;
    ASSIGN_OR_RETURN(UniqueFd fd, OpenAt(place.directory.get(), "tasks", O_WRONLY));
    tasks.push_back(std::move(fd));
  }
  return tasks;
}

absl::StatusOr<UniqueFd> Group::OpenTasksOf(absl::string_view controller) const {
  return OpenAt(PlaceOf(controller, false)->directory.get(), "tasks", O_WRONLY);
}

absl::StatusOr<node::CgroupGroup> Group::AsNodeGroup() const {
  std::vector<node::CgroupGroup::Member> members;
  for (const Place& place : places_) {
    if (!place.directory) continue;
    UniqueFd directory(::fcntl(place.directory.get(), F_DUPFD_CLOEXEC, 3));
    if (!directory) return ErrnoStatus("duplicate descriptor of cgroup", path_);
    members.push_back({place.v2, place.controllers, std::move(directory)});
  }
  return node::CgroupGroup(path_, std::move(members));
}

absl::Status Group::MakeUnified(const std::vector<std::string>& controllers) {
  if (layout_->v2_mount_point.empty()) return absl::OkStatus();
  const bool alone = layout_->v1.empty();
  Place place{true, layout_->v2_mount_point, layout_->v2_controllers, {}, {}};
  const absl::Status made = Make(&place, alone ? layout_->v2_controllers : controllers);
  places_.push_back(std::move(place));
  return Annotate(made, absl::StrCat("in ", layout_->v2_mount_point));
}

absl::Status Group::MakeRest() {
  for (Place& place : V1Places(*layout_)) {
    const absl::Status made = Make(&place, {});
    places_.push_back(std::move(place));
    RETURN_IF_ERROR(Annotate(made, absl::StrCat("in ", places_.back().mount_point)));
  }
  return absl::OkStatus();
}

absl::Status Group::Make(Place* place, const std::vector<std::string>& enabled) {
  absl::Status made;
  // Whoever removes the last group of a parent removes the parent: it may go under our feet.
  for (int attempt = 0; attempt < kMakeAttempts; ++attempt) {
    made = Walk(place, enabled);
    if (!absl::IsNotFound(made)) break;
  }
  return made;
}

absl::Status Group::Walk(Place* place, const std::vector<std::string>& enabled) {
  ASSIGN_OR_RETURN(UniqueFd at, OpenAt(AT_FDCWD, place->mount_point, O_PATH | O_DIRECTORY));
  const std::vector<std::string> parts = absl::StrSplit(path_, '/', absl::SkipEmpty());
  std::string path;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (place->v2 && !enabled.empty()) {
      RETURN_IF_ERROR(EnableControllers(at.get(), enabled, path.empty() ? "/" : path));
    }
    absl::StrAppend(&path, "/", parts[i]);
    const bool fresh = ::mkdirat(at.get(), parts[i].c_str(), 0755) == 0;
    if (!fresh && errno != EEXIST) return ErrnoStatus("make cgroup", path);
    if (fresh) place->made.push_back(path);
    ASSIGN_OR_RETURN(at, OpenAt(at.get(), parts[i], kDirectory));
    if (Holds(place->controllers, "cpuset") && !place->v2) {
      RETURN_IF_ERROR(Annotate(FillCpuset(at.get()), absl::StrCat("cgroup ", path)));
    }
    if (i + 1 < parts.size()) continue;
    place->directory = std::move(at);
    const absl::Status free = fresh ? absl::OkStatus() : RefuseOccupied(*place);
    // Somebody else's: the failed start's end must not kill, thaw or remove anything of it.
    if (!free.ok()) place->directory.reset();
    return free;
  }
  return absl::OkStatus();
}

// A group that is there already and in use is somebody else's; a frozen one would never let the
// container run.
absl::Status Group::RefuseOccupied(const Place& place) const {
  const int directory = place.directory.get();
  const std::string processes = ReadFileAt(directory, "cgroup.procs").value_or("");
  if (!processes.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "cgroup ", path_, " exists and holds processes: choose another linux.cgroupsPath"));
  }
  const auto state = ReadFileAt(directory, place.v2 ? "cgroup.freeze" : "freezer.state");
  if (!state.ok() || *state == "0\n" || *state == "THAWED\n") return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("container's cgroup unexpectedly frozen: ", path_, ": thaw or remove it first"));
}

void Group::TakeBack() {
  for (Place& place : places_) {
    for (auto path = place.made.rbegin(); path != place.made.rend(); ++path) {
      ::rmdir(absl::StrCat(place.mount_point, *path).c_str());
    }
    place.made.clear();
  }
}

const Group::Place* Group::PlaceOf(absl::string_view controller, bool v2) const {
  for (const Place& place : places_) {
    if (place.v2 != v2 || !place.directory) continue;
    if ((v2 && controller.empty()) || Holds(place.controllers, controller)) return &place;
  }
  return nullptr;
}

const Group::Place* Group::LifeCycle() const {
  const Place* unified = PlaceOf("", true);
  return unified != nullptr ? unified : PlaceOf("freezer", false);
}

int Group::DirectoryOf(absl::string_view controller, bool* v2) const {
  for (const bool version : {false, true}) {
    if (const Place* place = PlaceOf(controller, version); place != nullptr) {
      *v2 = version;
      return place->directory.get();
    }
  }
  return -1;
}

absl::Status Group::Apply(const std::vector<GroupWrite>& writes) const {
  std::vector<const GroupWrite*> again;
  const auto put = [&](const GroupWrite& write, bool last) -> absl::Status {
    const Place* place = PlaceOf(write.controller, write.v2);
    if (place == nullptr) {
      return absl::FailedPreconditionError(
          absl::StrCat("cgroup ", path_, " has no ", write.controller, " controller"));
    }
    std::string file = write.file;
    int error = TryWrite(place->directory.get(), file, write.value);
    if ((error == ENOENT || error == EPERM || error == EACCES) && !write.other_file.empty()) {
      file = write.other_file;
      error = TryWrite(place->directory.get(), file, write.other_value);
    }
    if (error == 0 || (error == ENOENT && write.optional)) return absl::OkStatus();
    if (error == EINVAL && !last) {
      again.push_back(&write);
      return absl::OkStatus();
    }
    return ErrnoStatus(error, absl::StrCat("write '", write.value, "' to"),
                       absl::StrCat(place->mount_point, path_, "/", file));
  };
  for (const GroupWrite& write : writes) RETURN_IF_ERROR(put(write, false));
  const std::vector<const GroupWrite*> rest = std::move(again);
  for (const GroupWrite* write : rest) RETURN_IF_ERROR(put(*write, true));
  return absl::OkStatus();
}

absl::StatusOr<bool> Group::Frozen() const {
  const Place* place = LifeCycle();
  if (place == nullptr) return false;
  if (place->v2) {
    const auto events = ReadFileAt(place->directory.get(), "cgroup.events");
    if (!events.ok()) return false;
    return absl::StrContains(*events, "frozen 1");
  }
  return ReadFileAt(place->directory.get(), "freezer.state").value_or("") == "FROZEN\n";
}

absl::Status Group::Freeze() const {
  const Place* place = LifeCycle();
  if (place == nullptr) return absl::FailedPreconditionError("no cgroup can freeze here");
  const int directory = place->directory.get();
  const absl::Time deadline = absl::Now() + kFreezeTime;
  UniqueFd events;
  if (place->v2) {
    ASSIGN_OR_RETURN(events, OpenAt(directory, "cgroup.events", O_RDONLY));
    RETURN_IF_ERROR(WriteControlAt(directory, "cgroup.freeze", "1"));
  }
  for (;;) {
    // v1 wants to be told again while new processes keep coming.
    if (!place->v2) RETURN_IF_ERROR(WriteControlAt(directory, "freezer.state", "FROZEN"));
    char text[256];
    if (events && ::pread(events.get(), text, sizeof text, 0) < 0) {
      return ErrnoStatus("read", "cgroup.events");
    }
    ASSIGN_OR_RETURN(const bool frozen, Frozen());
    if (frozen) return absl::OkStatus();
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) break;
    pollfd ready{events.get(), POLLPRI, 0};
    ::poll(&ready, 1, static_cast<int>(absl::ToInt64Milliseconds(events ? left : kFreezePoll)) + 1);
  }
  RETURN_IF_ERROR(Thaw());
  return absl::UnavailableError(absl::StrCat("cgroup ", path_, ": a process does not stand still"));
}

absl::Status Group::Thaw() const {
  const Place* place = LifeCycle();
  if (place == nullptr) return absl::FailedPreconditionError("no cgroup can freeze here");
  return place->v2 ? WriteControlAt(place->directory.get(), "cgroup.freeze", "0")
                   : WriteControlAt(place->directory.get(), "freezer.state", "THAWED");
}

absl::Status Group::Reclaim(int pid) const {
  const Place* place = PlaceOf("freezer", false);
  if (place == nullptr) return absl::OkStatus();
  const auto groups = ReadFile(absl::StrCat("/proc/", pid, "/cgroup"));
  if (absl::IsNotFound(groups.status())) return absl::OkStatus();
  RETURN_IF_ERROR(groups.status());
  for (const absl::string_view line : absl::StrSplit(*groups, '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3 || parts[1] != "freezer") continue;
    const bool ours = parts[2] == path_ || absl::StartsWith(parts[2], path_ + "/");
    if (ours) return absl::OkStatus();
    return WriteControlAt(place->directory.get(), "cgroup.procs", absl::StrCat(pid));
  }
  return absl::OkStatus();
}

absl::Status Group::Kill() const {
  if (empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const node::CgroupGroup group, AsNodeGroup());
  return group.Kill();
}

absl::Status Group::AwaitEmpty(absl::Duration timeout) const {
  if (empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const node::CgroupGroup group, AsNodeGroup());
  return group.AwaitEmpty(timeout);
}

absl::StatusOr<std::vector<int>> Group::Processes() const {
  std::set<int> pids;
  if (!places_.empty() && places_.front().directory) {
    RETURN_IF_ERROR(CollectProcesses(places_.front().directory.get(), kDepth, &pids));
  }
  return std::vector<int>(pids.begin(), pids.end());
}

absl::Status Group::Remove() {
  absl::Status first;
  for (Place& place : places_) {
    place.directory.reset();
    const auto root = OpenAt(AT_FDCWD, place.mount_point, O_PATH | O_DIRECTORY);
    if (!root.ok()) {
      first.Update(root.status());
      continue;
    }
    first.Update(Annotate(RemoveBelow(root->get(), path_.substr(1), kDepth),
                          absl::StrCat("in ", place.mount_point)));
    // Ours and of no use when empty; another container may be there, or on its way.
    if (absl::StartsWith(path_, absl::StrCat(kOwnParent, "/"))) {
      ::unlinkat(root->get(), kOwnParent + 1, AT_REMOVEDIR);
    }
  }
  return first;
}

}  // namespace cluster::oci
