#include "node/volume/remove_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/status.h"

namespace cluster::node {
namespace {

// Deeper directories are moved up to the top and removed from there: neither our stack nor our
// descriptors grow with what a container made.
constexpr int kMaxDepth = 32;

class TreeRemover {
 public:
  explicit TreeRemover(int top) : top_(top) {}

  // Empties the directory; takes the descriptor over.
  absl::Status Empty(UniqueFd directory, int depth) {
    DIR* stream = fdopendir(directory.get());
    if (stream == nullptr) return ErrnoStatus("fdopendir");
    directory.release();
    absl::Status status;
    for (dirent* entry; status.ok() && (errno = 0, entry = readdir(stream)) != nullptr;) {
      const absl::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      status = RemoveEntry(dirfd(stream), entry->d_name, depth);
    }
    closedir(stream);
    return status;
  }

 private:
  absl::Status RemoveEntry(int dir, const char* name, int depth) {
    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT) return absl::OkStatus();
    if (errno != EISDIR) return ErrnoStatus("unlink", name);
    if (unlinkat(dir, name, AT_REMOVEDIR) == 0) return absl::OkStatus();
    if (errno != ENOTEMPTY && errno != EEXIST) return ErrnoStatus("rmdir", name);
    if (depth >= kMaxDepth) {
      return MoveUp(dir, name);
    }
    ASSIGN_OR_RETURN(UniqueFd child, OpenAt(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    RETURN_IF_ERROR(Empty(std::move(child), depth + 1));
    if (unlinkat(dir, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
      return ErrnoStatus("rmdir", name);
    return absl::OkStatus();
  }

 public:
  // Whether directories were moved up that a pass over the top may have missed.
  bool TakeAgain() { return std::exchange(again_, false); }

 private:
  absl::Status MoveUp(int dir, const char* name) {
    again_ = true;
    for (;;) {
      const std::string moved = absl::StrCat(".removed-", next_++);
      if (renameat(dir, name, top_, moved.c_str()) == 0) return absl::OkStatus();
      // A name that was there before: the next one.
      if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR)
        return ErrnoStatus("rename", name);
    }
  }

  const int top_;
  int next_ = 0;
  bool again_ = false;
};

}  // namespace

absl::Status RemoveTreeAt(int dir, const std::string& path) {
  auto top = OpenAt(dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (absl::IsNotFound(top.status())) return absl::OkStatus();
  if (!top.ok()) return top.status();
  TreeRemover remover(top->get());
  do {
    ASSIGN_OR_RETURN(UniqueFd pass, OpenAt(top->get(), ".", O_RDONLY | O_DIRECTORY));
    RETURN_IF_ERROR(Annotate(remover.Empty(std::move(pass), 0), path));
  } while (remover.TakeAgain());
  if (unlinkat(dir, path.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
    return ErrnoStatus("rmdir", path);
  }
  return absl::OkStatus();
}

absl::Status RemoveTree(const std::string& path) { return RemoveTreeAt(AT_FDCWD, path); }

}  // namespace cluster::node
