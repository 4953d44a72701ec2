#include "node/volume/volume_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include <openssl/sha.h>

#include "base/file.h"
#include "base/status.h"
#include "node/volume/remove_tree.h"

namespace cluster::node {
namespace {

constexpr char kData[] = "..data";
constexpr char kNewData[] = "..data_tmp";

std::string TopOf(const std::string& path) { return path.substr(0, path.find('/')); }

std::string LinkAt(int dir, const std::string& name) {
  char target[PATH_MAX];
  const ssize_t length = readlinkat(dir, name.c_str(), target, sizeof target);
  return length < 0 ? "" : std::string(target, static_cast<size_t>(length));
}

absl::StatusOr<std::vector<std::string>> NamesAt(int dir) {
  ASSIGN_OR_RETURN(UniqueFd again, OpenAt(dir, ".", O_RDONLY | O_DIRECTORY));
  DIR* stream = fdopendir(again.get());
  if (stream == nullptr) return ErrnoStatus("fdopendir", "volume");
  again.release();
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = readdir(stream)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  const int error = errno;
  closedir(stream);
  if (error != 0) return ErrnoStatus(error, "readdir", "volume");
  return names;
}

absl::Status MakeParents(int dir, const std::string& path, const PathOwner& owner) {
  for (size_t slash = path.find('/'); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const std::string parent = path.substr(0, slash);
    if (mkdirat(dir, parent.c_str(), 0755) != 0) {
      if (errno == EEXIST) continue;
      return ErrnoStatus("mkdir", parent);
    }
    // Whatever the agent's umask is.
    if (fchmodat(dir, parent.c_str(), 0755, 0) != 0 ||
        fchownat(dir, parent.c_str(), owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) != 0) {
      return ErrnoStatus("chown", parent);
    }
  }
  return absl::OkStatus();
}

absl::Status WriteState(int dir, const std::vector<VolumeFile>& files, const PathOwner& owner) {
  for (const VolumeFile& file : files) {
    RETURN_IF_ERROR(MakeParents(dir, file.path, owner));
    auto made = OpenAt(dir, file.path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (!made.ok()) return Annotate(made.status(), file.path);
    RETURN_IF_ERROR(Annotate(WriteAll(made->get(), file.content), file.path));
    if (fchown(made->get(), owner.uid, owner.gid) != 0) return ErrnoStatus("chown", file.path);
    if (fchmod(made->get(), file.mode & 0777) != 0) return ErrnoStatus("chmod", file.path);
  }
  return absl::OkStatus();
}

absl::Status SwitchTo(int dir, const std::string& state, const std::vector<VolumeFile>& files,
                      const PathOwner& owner) {
  // Half written by an agent that died.
  RETURN_IF_ERROR(RemoveTreeAt(dir, state));
  if (mkdirat(dir, state.c_str(), 0755) != 0) return ErrnoStatus("mkdir", state);
  ASSIGN_OR_RETURN(const UniqueFd fresh, OpenAt(dir, state, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (fchmod(fresh.get(), 0755) != 0) return ErrnoStatus("chmod", state);
  if (fchown(fresh.get(), owner.uid, owner.gid) != 0) return ErrnoStatus("chown", state);
  RETURN_IF_ERROR(WriteState(fresh.get(), files, owner));
  if (unlinkat(dir, kNewData, 0) != 0 && errno != ENOENT) return ErrnoStatus("unlink", kNewData);
  if (symlinkat(state.c_str(), dir, kNewData) != 0) return ErrnoStatus("symlink", kNewData);
  if (renameat(dir, kNewData, dir, kData) != 0) return ErrnoStatus("rename", kNewData);
  return absl::OkStatus();
}

}  // namespace

std::string DigestOf(const std::vector<VolumeFile>& files, const PathOwner& owner) {
  std::string text = absl::StrCat(owner.uid, " ", owner.gid);
  for (const VolumeFile& file : files) {
    absl::StrAppend(&text, " ", file.path.size(), ":", file.path, " ", file.mode, " ",
                    file.content.size(), ":", file.content);
  }
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), 16));
}

absl::Status ReplaceFiles(int dir, const std::vector<VolumeFile>& files, const PathOwner& owner) {
  const std::string state = absl::StrCat("..", DigestOf(files, owner));
  if (LinkAt(dir, kData) != state) RETURN_IF_ERROR(SwitchTo(dir, state, files, owner));
  std::set<std::string> wanted = {kData, state};
  for (const VolumeFile& file : files) {
    const std::string top = TopOf(file.path);
    if (!wanted.insert(top).second) continue;
    const std::string target = absl::StrCat(kData, "/", top);
    if (LinkAt(dir, top) == target) continue;
    if (symlinkat(target.c_str(), dir, top.c_str()) != 0) return ErrnoStatus("symlink", top);
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesAt(dir));
  for (const std::string& name : names) {
    if (wanted.contains(name)) continue;
    if (unlinkat(dir, name.c_str(), 0) == 0) continue;
    if (errno != EISDIR) return ErrnoStatus("unlink", name);
    RETURN_IF_ERROR(RemoveTreeAt(dir, name));
  }
  return absl::OkStatus();
}

}  // namespace cluster::node
