#include "node/volume/volume_store.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/status.h"
#include "node/volume/group.h"
#include "node/volume/host_path.h"
#include "node/volume/mount_tree.h"
#include "node/volume/project_quota.h"
#include "node/volume/volume_files.h"

namespace cluster::node {
namespace {

constexpr char kFilesName[] = "files";
constexpr uint32_t kOpenMode = 0777;
constexpr uint32_t kOpenModeOfGroup = 02777;

absl::StatusOr<UniqueFd> OpenDirectory(const std::string& path) {
  return OpenAt(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

// Whatever the agent's umask is; the mode comes last, as chown takes setgid away.
absl::Status SetOwner(int fd, const PathOwner& owner, uint32_t mode, const std::string& name) {
  if (fchown(fd, owner.uid, owner.gid) != 0) return ErrnoStatus("chown", name);
  if (fchmod(fd, mode) != 0) return ErrnoStatus("chmod", name);
  return absl::OkStatus();
}

absl::Status LimitTo(int64_t bytes, int directory) {
  if (bytes == 0) return absl::OkStatus();
  return LimitSpace({directory}, bytes).status();
}

// A directory of at most so many bytes (0 = no limit), once. One that is there belongs to the
// containers: it is not touched.
absl::StatusOr<UniqueFd> MakeOnce(const std::string& path, const PathOwner& owner, uint32_t mode,
                                  int64_t bytes) {
  auto found = OpenDirectory(path);
  if (found.ok() || !absl::IsNotFound(found.status())) return found;
  // Under another name until it is as it should be.
  const std::string half = path + ".new";
  if (mkdir(half.c_str(), 0700) != 0 && errno != EEXIST) return ErrnoStatus("mkdir", half);
  ASSIGN_OR_RETURN(UniqueFd made, OpenDirectory(half));
  RETURN_IF_ERROR(SetOwner(made.get(), owner, mode, half));
  RETURN_IF_ERROR(LimitTo(bytes, made.get()));
  if (rename(half.c_str(), path.c_str()) != 0) return ErrnoStatus("rename", half);
  return made;
}

std::string NameOf(const VolumeBind& bind) {
  return bind.volume.empty() ? absl::StrCat("\"", bind.source, "\"")
                             : absl::StrCat("volume \"", bind.volume, "\"");
}

}  // namespace

absl::StatusOr<PathOwner> VolumeStore::OwnerOf(const VolumeSpec& volume) const {
  PathOwner owner = place_.root;
  if (!volume.group.has_value()) return owner;
  if (place_.id_count == 0) {
    owner.gid = *volume.group;
  } else if (*volume.group < place_.id_count) {
    owner.gid = place_.root.gid + *volume.group;
  } else {
    return absl::InvalidArgumentError(
        absl::StrCat("fsGroup ", *volume.group,
                     " is above the ids of a pod with users of its own, "
                     "0 to ",
                     place_.id_count - 1, "; lower it, or set hostUsers: true"));
  }
  return owner;
}

absl::StatusOr<UniqueFd> VolumeStore::OpenDisk(const VolumeSpec& volume) const {
  ASSIGN_OR_RETURN(const PathOwner owner, OwnerOf(volume));
  const std::string volumes = place_.pod_directory + "/volumes";
  if (mkdir(volumes.c_str(), 0700) != 0 && errno != EEXIST) return ErrnoStatus("mkdir", volumes);
  return MakeOnce(absl::StrCat(volumes, "/", volume.name), owner,
                  volume.group.has_value() ? kOpenModeOfGroup : kOpenMode, volume.size_limit);
}

absl::StatusOr<UniqueFd> VolumeStore::FetchTmpfs(const std::string& name, int64_t size,
                                                 uint32_t mode, const PathOwner& owner) const {
  auto kept = place_.fetch(name);
  if (kept.ok() || !absl::IsNotFound(kept.status())) return kept;
  ASSIGN_OR_RETURN(UniqueFd made, MakeTmpfs({name, size, mode, owner.uid, owner.gid}));
  if (place_.always_attach || !CanCopyDetached(made.get())) {
    RETURN_IF_ERROR(AttachOn(made.get(), absl::StrCat(place_.attach_directory, "/", name)));
  }
  RETURN_IF_ERROR(place_.keep(name, made.get()));
  return made;
}

absl::StatusOr<UniqueFd> VolumeStore::OpenMemory(const VolumeSpec& volume) const {
  ASSIGN_OR_RETURN(const PathOwner owner, OwnerOf(volume));
  return FetchTmpfs(absl::StrCat("volume.", volume.name), volume.size_limit,
                    volume.group.has_value() ? kOpenModeOfGroup : kOpenMode, owner);
}

absl::StatusOr<UniqueFd> VolumeStore::OpenFiles(const VolumeSpec& volume) const {
  ASSIGN_OR_RETURN(const PathOwner owner, OwnerOf(volume));
  ASSIGN_OR_RETURN(const UniqueFd all, FetchTmpfs(kFilesName, 0, 0755, place_.root));
  if (mkdirat(all.get(), volume.name.c_str(), 0755) != 0 && errno != EEXIST) {
    return ErrnoStatus("mkdir", volume.name);
  }
  ASSIGN_OR_RETURN(UniqueFd top,
                   OpenAt(all.get(), volume.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  RETURN_IF_ERROR(SetOwner(top.get(), owner, 0755, volume.name));
  std::vector<VolumeFile> files = volume.files;
  if (volume.group.has_value()) {
    for (VolumeFile& file : files) file.mode |= 0440;
  }
  RETURN_IF_ERROR(ReplaceFiles(top.get(), files, owner));
  return top;
}

// On the disk the ids are those inside of pods: each pod's mount of it maps them to its own.
absl::StatusOr<UniqueFd> VolumeStore::OpenClaim(const VolumeSpec& volume) const {
  RETURN_IF_ERROR(OwnerOf(volume).status());
  ASSIGN_OR_RETURN(UniqueFd top, MakeOnce(absl::StrCat(place_.claim_directory, "/", volume.source),
                                          {}, kOpenMode, volume.size_limit));
  // It may have grown since.
  RETURN_IF_ERROR(LimitTo(volume.size_limit, top.get()));
  if (!volume.group.has_value()) return top;
  // Once per pod, not for each of its containers.
  const std::string mark = absl::StrCat(place_.pod_directory, "/grouped-", volume.name);
  if (access(mark.c_str(), F_OK) == 0) return top;
  RETURN_IF_ERROR(GiveToGroup(top.get(), *volume.group, volume.group_only_on_mismatch));
  RETURN_IF_ERROR(OpenAt(AT_FDCWD, mark, O_WRONLY | O_CREAT, 0600).status());
  return top;
}

absl::StatusOr<UniqueFd> VolumeStore::Open(const VolumeSpec& volume) const {
  switch (volume.kind) {
    case VolumeKind::kDisk:
      return OpenDisk(volume);
    case VolumeKind::kMemory:
      return OpenMemory(volume);
    case VolumeKind::kFiles:
      return OpenFiles(volume);
    case VolumeKind::kHostPath:
      return OpenHostPath(volume.source, volume.check);
    case VolumeKind::kClaim:
      return OpenClaim(volume);
  }
  return absl::InternalError("a volume of no kind");
}

absl::Status VolumeStore::Make(const VolumeSpec& volume) const {
  return Annotate(Open(volume).status(), absl::StrCat("volume \"", volume.name, "\""));
}

absl::StatusOr<UniqueFd> VolumeStore::OpenTop(const VolumeBind& bind,
                                              const VolumeSpec* volume) const {
  ASSIGN_OR_RETURN(UniqueFd top, volume != nullptr
                                     ? Open(*volume)
                                     : OpenHostPath(bind.source, HostPathCheck::kAnything));
  if (bind.sub_path.empty()) return top;
  const VolumeKind kind = volume != nullptr ? volume->kind : VolumeKind::kHostPath;
  std::optional<PathOwner> make;
  if (kind != VolumeKind::kFiles) make = PathOwner();
  if (kind == VolumeKind::kDisk || kind == VolumeKind::kMemory) make = place_.root;
  auto found = OpenSubPath(top.get(), bind.sub_path, make);
  if (!absl::IsNotFound(found.status())) return found;
  return absl::FailedPreconditionError(absl::StrCat("there is no file \"", bind.sub_path,
                                                    "\" in it; add it where its files come from"));
}

absl::StatusOr<BoundVolume> VolumeStore::Bind(const VolumeBind& bind, const VolumeSpec* volume,
                                              bool privileged) const {
  const std::string name = NameOf(bind);
  auto top = OpenTop(bind, volume);
  if (!top.ok()) return Annotate(top.status(), name);
  struct stat info {};
  if (fstat(top->get(), &info) != 0) return ErrnoStatus("stat", name);
  const bool files = volume != nullptr && volume->kind == VolumeKind::kFiles;
  const bool mapped = volume != nullptr ? volume->kind == VolumeKind::kClaim : bind.map_ids;
  TreeOptions options;
  options.read_only = bind.read_only || files;
  options.recursive_read_only = bind.recursive_read_only;
  options.allow_devices = privileged;
  options.propagation = bind.propagation;
  if (mapped) options.user_namespace = place_.user_namespace.get();
  BoundVolume bound;
  ASSIGN_OR_RETURN(bound.tree, CloneTree(top->get(), options, name));
  bound.is_file = !S_ISDIR(info.st_mode);
  return bound;
}

}  // namespace cluster::node
