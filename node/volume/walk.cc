#include "node/volume/walk.h"

#include <dirent.h>
#include <fcntl.h>

#include <cstring>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/status.h"
#include "base/unique_handle.h"

namespace cluster::node {
namespace {

// A file_handle with its bytes.
using Handle = std::vector<char>;

absl::StatusOr<Handle> HandleOf(int dir, const char* name) {
  Handle bytes(sizeof(file_handle) + MAX_HANDLE_SZ);
  auto* handle = reinterpret_cast<file_handle*>(bytes.data());
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount_id = 0;
  if (name_to_handle_at(dir, name, handle, &mount_id, 0) != 0) {
    return ErrnoStatus("name_to_handle_at", name);
  }
  bytes.resize(sizeof(file_handle) + handle->handle_bytes);
  return bytes;
}

class Walker {
 public:
  Walker(int root, int64_t most, const Visit& visit) : root_(root), left_(most), visit_(visit) {}

  absl::StatusOr<bool> Walk() {
    struct stat top {};
    if (fstat(root_, &top) != 0) return ErrnoStatus("stat", "tree");
    device_ = top.st_dev;
    ASSIGN_OR_RETURN(UniqueFd first, OpenAt(root_, ".", O_RDONLY | O_DIRECTORY));
    RETURN_IF_ERROR(Read(std::move(first)));
    while (!pending_.empty() && left_ > 0) {
      Handle handle = std::move(pending_.back());
      pending_.pop_back();
      UniqueFd dir(open_by_handle_at(root_, reinterpret_cast<file_handle*>(handle.data()),
                                     O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (!dir && errno == ESTALE) continue;  // removed meanwhile
      if (!dir) return ErrnoStatus("open_by_handle_at", "directory");
      RETURN_IF_ERROR(Read(std::move(dir)));
    }
    return left_ > 0;
  }

 private:
  absl::Status Read(UniqueFd dir) {
    DIR* stream = fdopendir(dir.get());
    if (stream == nullptr) return ErrnoStatus("fdopendir", "directory");
    dir.release();
    absl::Status status;
    while (status.ok() && left_ > 0) {
      errno = 0;
      const dirent* entry = readdir(stream);
      if (entry == nullptr) {
        if (errno != 0) status = ErrnoStatus("readdir", "directory");
        break;
      }
      if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
      status = Look(dirfd(stream), entry->d_name);
    }
    closedir(stream);
    return status;
  }

  absl::Status Look(int dir, const char* name) {
    struct stat info {};
    if (fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0) {
      return errno == ENOENT ? absl::OkStatus() : ErrnoStatus("stat", name);
    }
    if (info.st_dev != device_) return absl::OkStatus();
    --left_;
    RETURN_IF_ERROR(visit_(dir, name, info));
    if (!S_ISDIR(info.st_mode)) return absl::OkStatus();
    auto handle = HandleOf(dir, name);
    if (absl::IsNotFound(handle.status())) return absl::OkStatus();
    RETURN_IF_ERROR(handle.status());
    pending_.push_back(*std::move(handle));
    return absl::OkStatus();
  }

  const int root_;
  int64_t left_;
  const Visit& visit_;
  dev_t device_ = 0;
  std::vector<Handle> pending_;
};

}  // namespace

absl::StatusOr<bool> WalkTree(int root, int64_t most, const Visit& visit) {
  return Walker(root, most, visit).Walk();
}

}  // namespace cluster::node
