#include "cli/commands/copy_archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/file.h"
#include "base/status.h"

namespace cluster::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kPiece = 64 << 10;
constexpr mode_t kPermissions = 0777;

struct FreeWriter {
  void operator()(archive* writer) const { archive_write_free(writer); }
};
struct FreeReader {
  void operator()(archive* reader) const { archive_read_free(reader); }
};
struct FreeEntry {
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};

absl::Status ArchiveError(archive* one) {
  const char* text = archive_error_string(one);
  return absl::InvalidArgumentError(
      absl::StrCat("tar archive: ", text == nullptr ? "it cannot be read" : text));
}

class Packer {
 public:
  Packer(const GiveBytes& give, const Warn& warn)
      : give_(give), warn_(warn), writer_(archive_write_new()) {}

  absl::Status Begin() {
    // What every tar reads, the small ones too.
    archive_write_set_format_gnutar(writer_.get());
    archive_write_set_bytes_in_last_block(writer_.get(), 1);
    return Checked(archive_write_open(writer_.get(), this, nullptr, &Packer::Give, nullptr));
  }

  // With all that is in it. The top one may be named by a link.
  absl::Status Add(const std::string& path, const std::string& name, bool is_top) {
    struct stat info {};
    const int flags = is_top ? 0 : AT_SYMLINK_NOFOLLOW;
    if (fstatat(AT_FDCWD, path.c_str(), &info, flags) != 0) return ErrnoStatus("stat", path);
    const bool known = S_ISREG(info.st_mode) || S_ISDIR(info.st_mode) || S_ISLNK(info.st_mode);
    if (!known) {
      warn_(absl::StrCat("skipping ", path, ": it is neither file, directory nor link"));
      return absl::OkStatus();
    }
    const std::unique_ptr<archive_entry, FreeEntry> entry(archive_entry_new());
    archive_entry_copy_stat(entry.get(), &info);
    archive_entry_set_pathname(entry.get(), name.c_str());
    if (S_ISLNK(info.st_mode)) {
      std::error_code error;
      const fs::path target = fs::read_symlink(path, error);
      if (error) return ErrnoStatus(error.value(), "readlink", path);
      archive_entry_set_symlink(entry.get(), target.c_str());
    }
    if (S_ISREG(info.st_mode)) return AddFile(path, info.st_size, entry.get());
    archive_entry_set_size(entry.get(), 0);
    RETURN_IF_ERROR(Checked(archive_write_header(writer_.get(), entry.get())));
    return S_ISDIR(info.st_mode) ? AddChildren(path, name) : absl::OkStatus();
  }

  absl::Status End() { return Checked(archive_write_close(writer_.get())); }

 private:
  static la_ssize_t Give(archive* writer, void* self, const void* bytes, size_t size) {
    auto* packer = static_cast<Packer*>(self);
    packer->given_ = packer->give_({static_cast<const char*>(bytes), size});
    if (packer->given_.ok()) return static_cast<la_ssize_t>(size);
    archive_set_error(writer, EIO, "nobody takes it");
    return -1;
  }

  absl::Status Checked(int result) {
    RETURN_IF_ERROR(given_);
    return result >= ARCHIVE_WARN ? absl::OkStatus() : ArchiveError(writer_.get());
  }

  absl::Status AddFile(const std::string& path, int64_t size, archive_entry* entry) {
    ASSIGN_OR_RETURN(const UniqueFd file, OpenAt(AT_FDCWD, path, O_RDONLY));
    RETURN_IF_ERROR(Checked(archive_write_header(writer_.get(), entry)));
    std::vector<char> piece(kPiece);
    // No more than the header says, however the file grows meanwhile; what it lacks becomes zeros.
    while (size > 0) {
      const ssize_t got =
          read(file.get(), piece.data(), std::min<size_t>(piece.size(), static_cast<size_t>(size)));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return ErrnoStatus("read", path);
      if (got == 0) break;
      const la_ssize_t put =
          archive_write_data(writer_.get(), piece.data(), static_cast<size_t>(got));
      RETURN_IF_ERROR(Checked(put < 0 ? ARCHIVE_FATAL : ARCHIVE_OK));
      size -= got;
    }
    return Checked(archive_write_finish_entry(writer_.get()));
  }

  absl::Status AddChildren(const std::string& path, const std::string& name) {
    std::vector<std::string> children;
    std::error_code error;
    for (fs::directory_iterator at(path, error), end; !error && at != end; at.increment(error)) {
      children.push_back(at->path().filename().string());
    }
    if (error) return ErrnoStatus(error.value(), "read directory", path);
    std::sort(children.begin(), children.end());
    for (const std::string& child : children) {
      RETURN_IF_ERROR(Add(absl::StrCat(path, "/", child), absl::StrCat(name, "/", child), false));
    }
    return absl::OkStatus();
  }

  const GiveBytes& give_;
  const Warn& warn_;
  absl::Status given_;
  const std::unique_ptr<archive, FreeWriter> writer_;
};

class Unpacker {
 public:
  Unpacker(const TakeBytes& take, const std::string& name, const std::string& to, const Warn& warn)
      : take_(take), name_(name), to_(to), warn_(warn), reader_(archive_read_new()) {}

  absl::Status Run() {
    archive_read_support_format_tar(reader_.get());
    if (archive_read_open(reader_.get(), this, nullptr, &Unpacker::Take, nullptr) != ARCHIVE_OK) {
      return Failed();
    }
    for (;;) {
      archive_entry* entry = nullptr;
      const int result = archive_read_next_header(reader_.get(), &entry);
      if (result == ARCHIVE_EOF) break;
      if (result < ARCHIVE_WARN) return Failed();
      RETURN_IF_ERROR(Place(entry));
    }
    RETURN_IF_ERROR(taken_);
    return found_ ? absl::OkStatus()
                  : absl::NotFoundError(absl::StrCat("the archive holds nothing named ", name_));
  }

 private:
  static la_ssize_t Take(archive* reader, void* self, const void** bytes) {
    auto* unpacker = static_cast<Unpacker*>(self);
    absl::StatusOr<std::string> next = unpacker->take_();
    if (!next.ok()) {
      unpacker->taken_ = next.status();
      archive_set_error(reader, EIO, "it broke off");
      return -1;
    }
    unpacker->piece_ = *std::move(next);
    *bytes = unpacker->piece_.data();
    return static_cast<la_ssize_t>(unpacker->piece_.size());
  }

  absl::Status Failed() const { return taken_.ok() ? ArchiveError(reader_.get()) : taken_; }

  // The components below `name_`; nothing for what is not below it.
  absl::StatusOr<std::vector<std::string>> PartsBelow(const std::string& path,
                                                      bool* is_below) const {
    std::vector<std::string> parts = absl::StrSplit(path, '/', absl::SkipEmpty());
    parts.erase(std::remove(parts.begin(), parts.end(), "."), parts.end());
    if (std::find(parts.begin(), parts.end(), "..") != parts.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("the archive holds \"", path, "\", which leads out of ", to_));
    }
    *is_below = name_ == "." || (!parts.empty() && parts.front() == name_);
    if (*is_below && name_ != ".") parts.erase(parts.begin());
    return parts;
  }

  absl::Status Place(archive_entry* entry) {
    const char* text = archive_entry_pathname(entry);
    const std::string path = text == nullptr ? "" : text;
    bool is_below = false;
    ASSIGN_OR_RETURN(const std::vector<std::string> parts, PartsBelow(path, &is_below));
    if (!is_below) return absl::OkStatus();
    const mode_t mode = archive_entry_mode(entry) & kPermissions;
    if (archive_entry_hardlink(entry) != nullptr) {
      return Link(parts, archive_entry_hardlink(entry));
    }
    if (archive_entry_filetype(entry) == AE_IFDIR) {
      found_ = true;
      return EnterDirectory(parts).status();
    }
    if (archive_entry_filetype(entry) == AE_IFREG) {
      found_ = true;
      return WriteFile(parts, mode, archive_entry_size(entry));
    }
    if (archive_entry_filetype(entry) == AE_IFLNK) {
      const char* target = archive_entry_symlink(entry);
      warn_(absl::StrCat("skipping symlink: \"", path, "\" -> \"", target == nullptr ? "" : target,
                         "\""));
    } else {
      warn_(absl::StrCat("skipping ", path, ": it is neither file nor directory"));
    }
    return absl::OkStatus();
  }

  // Each component by itself, so that none of them is a link.
  absl::StatusOr<UniqueFd> EnterDirectory(const std::vector<std::string>& parts) {
    // The user's own word, links and all.
    if (mkdir(to_.c_str(), 0777) != 0 && errno != EEXIST) return ErrnoStatus("mkdir", to_);
    ASSIGN_OR_RETURN(UniqueFd at, OpenAt(AT_FDCWD, to_, O_RDONLY | O_DIRECTORY));
    for (const std::string& part : parts) {
      if (mkdirat(at.get(), part.c_str(), 0777) != 0 && errno != EEXIST) {
        return ErrnoStatus("mkdir", absl::StrCat(to_, "/.../", part));
      }
      ASSIGN_OR_RETURN(at, OpenAt(at.get(), part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    }
    return at;
  }

  // Where a file of these components goes: the directory, and its name in there.
  absl::StatusOr<UniqueFd> EnterParent(std::vector<std::string> parts, std::string* leaf) {
    if (!parts.empty()) {
      *leaf = parts.back();
      parts.pop_back();
      return EnterDirectory(parts);
    }
    struct stat info {};
    const bool into = stat(to_.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
    const fs::path target = into ? fs::path(to_) / name_ : fs::path(to_);
    *leaf = target.filename().string();
    const fs::path parent = target.parent_path();
    return OpenAt(AT_FDCWD, parent.empty() ? "." : parent.string(), O_RDONLY | O_DIRECTORY);
  }

  absl::Status WriteFile(const std::vector<std::string>& parts, mode_t mode, int64_t bytes_in_all) {
    std::string leaf;
    ASSIGN_OR_RETURN(const UniqueFd parent, EnterParent(parts, &leaf));
    if (unlinkat(parent.get(), leaf.c_str(), 0) != 0 && errno != ENOENT) {
      return ErrnoStatus("replace", leaf);
    }
    // With the user's umask.
    ASSIGN_OR_RETURN(const UniqueFd file,
                     OpenAt(parent.get(), leaf, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode));
    for (;;) {
      const void* bytes = nullptr;
      size_t size = 0;
      la_int64_t offset = 0;
      const int result = archive_read_data_block(reader_.get(), &bytes, &size, &offset);
      if (result == ARCHIVE_EOF) break;
      if (result < ARCHIVE_WARN) return Failed();
      if (lseek(file.get(), offset, SEEK_SET) < 0) return ErrnoStatus("seek", leaf);
      RETURN_IF_ERROR(
          Annotate(cluster::WriteAll(file.get(), {static_cast<const char*>(bytes), size}), leaf));
    }
    // It may end in a hole.
    if (ftruncate(file.get(), bytes_in_all) != 0) return ErrnoStatus("ftruncate", leaf);
    return absl::OkStatus();
  }

  // To a file that was unpacked before.
  absl::Status Link(const std::vector<std::string>& parts, const std::string& target) {
    bool is_below = false;
    ASSIGN_OR_RETURN(const std::vector<std::string> from, PartsBelow(target, &is_below));
    if (!is_below) {
      warn_(absl::StrCat("skipping a link to ", target, ", which is not copied"));
      return absl::OkStatus();
    }
    std::string old_leaf;
    std::string leaf;
    ASSIGN_OR_RETURN(const UniqueFd old_parent, EnterParent(from, &old_leaf));
    ASSIGN_OR_RETURN(const UniqueFd parent, EnterParent(parts, &leaf));
    struct stat info {};
    if (fstatat(old_parent.get(), old_leaf.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(info.st_mode)) {
      warn_(absl::StrCat("skipping a link to ", target, ", which is not copied"));
      return absl::OkStatus();
    }
    if (unlinkat(parent.get(), leaf.c_str(), 0) != 0 && errno != ENOENT) {
      return ErrnoStatus("replace", leaf);
    }
    if (linkat(old_parent.get(), old_leaf.c_str(), parent.get(), leaf.c_str(), 0) != 0) {
      return ErrnoStatus("link", leaf);
    }
    return absl::OkStatus();
  }

  const TakeBytes& take_;
  const std::string name_;
  const std::string to_;
  const Warn& warn_;
  std::string piece_;
  absl::Status taken_;
  bool found_ = false;
  const std::unique_ptr<archive, FreeReader> reader_;
};

}  // namespace

absl::Status PackForCopy(const std::string& path, const std::string& name, const GiveBytes& give,
                         const Warn& warn) {
  Packer packer(give, warn);
  RETURN_IF_ERROR(packer.Begin());
  RETURN_IF_ERROR(packer.Add(path, name, true));
  return packer.End();
}

absl::Status UnpackCopied(const TakeBytes& take, const std::string& name, const std::string& to,
                          const Warn& warn) {
  return Unpacker(take, name, to, warn).Run();
}

}  // namespace cluster::cli
