#include "node/image/image_source.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "base/file.h"
#include "base/status.h"
#include "node/image/archive_reader.h"

namespace cluster::node {
namespace {

constexpr size_t kMaxMembers = 100'000;
constexpr int kMaxLinks = 8;

class FileStream : public ByteStream {
 public:
  FileStream(UniqueFd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}
  absl::StatusOr<absl::string_view> Next() override {
    for (;;) {
      const ssize_t got = ::read(fd_.get(), buffer_.data(), buffer_.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return ErrnoStatus("read", name_);
      return absl::string_view(buffer_.data(), static_cast<size_t>(got));
    }
  }

 private:
  const UniqueFd fd_;
  const std::string name_;
  std::vector<char> buffer_ = std::vector<char>(kStreamPiece);
};

// Symbolic links inside are followed as long as they stay inside.
class DirectorySource : public ImageSource {
 public:
  explicit DirectorySource(UniqueFd root) : root_(std::move(root)) {}

  bool Has(const std::string& member) const override { return OpenMember(member).ok(); }

  absl::StatusOr<std::unique_ptr<ByteStream>> Stream(const std::string& member) const override {
    ASSIGN_OR_RETURN(UniqueFd fd, OpenMember(member));
    return std::make_unique<FileStream>(std::move(fd), member);
  }

 private:
  absl::StatusOr<UniqueFd> OpenMember(const std::string& member) const {
    open_how how{};
    how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    UniqueFd fd(
        static_cast<int>(::syscall(SYS_openat2, root_.get(), member.c_str(), &how, sizeof how)));
    if (!fd && errno == EXDEV) {
      return absl::InvalidArgumentError(absl::StrCat("its member ", member, " leads out of it"));
    }
    if (!fd) return ErrnoStatus("open", member);
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) return ErrnoStatus("stat", member);
    if (!S_ISREG(info.st_mode)) {
      return absl::NotFoundError(absl::StrCat("its member ", member, " is no file"));
    }
    return fd;
  }

  const UniqueFd root_;
};

// "./a//b/" -> "a/b"; "" for what leads out or is the top itself.
std::string Clean(absl::string_view path) {
  std::vector<absl::string_view> parts;
  for (const absl::string_view part : absl::StrSplit(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (parts.empty()) return "";
      parts.pop_back();
      continue;
    }
    parts.push_back(part);
  }
  return absl::StrJoin(parts, "/");
}

// Reads the file from the start for each member: an uncompressed tar is sought through, so that
// costs little.
class TarSource : public ImageSource {
 public:
  TarSource(std::string path, int64_t file_size, const ImageLimits& limits)
      : path_(std::move(path)), file_size_(file_size), limits_(limits) {}

  absl::Status ReadDirectory();
  bool Has(const std::string& member) const override { return Resolve(member) != nullptr; }
  absl::StatusOr<std::unique_ptr<ByteStream>> Stream(const std::string& member) const override;

 private:
  struct Member {
    size_t ordinal = 0;
    std::string link;  // for symbolic and hard links: the member that is meant
  };

  absl::StatusOr<ArchivePtr> OpenArchive() const;
  absl::Status Note(archive_entry* entry, size_t ordinal, int64_t* total);
  const Member* Resolve(const std::string& member) const;

  const std::string path_;
  const int64_t file_size_;
  const ImageLimits limits_;
  std::map<std::string, Member> members_;
};

class MemberStream : public ByteStream {
 public:
  MemberStream(ArchivePtr reader, std::string name)
      : reader_(std::move(reader)), name_(std::move(name)) {}
  absl::StatusOr<absl::string_view> Next() override {
    const la_ssize_t got = archive_read_data(reader_.get(), buffer_.data(), buffer_.size());
    if (got < 0) return ArchiveStatus(reader_.get(), absl::StrCat("read ", name_));
    return absl::string_view(buffer_.data(), static_cast<size_t>(got));
  }

 private:
  const ArchivePtr reader_;
  const std::string name_;
  std::vector<char> buffer_ = std::vector<char>(kStreamPiece);
};

absl::StatusOr<ArchivePtr> TarSource::OpenArchive() const {
  ArchivePtr reader(archive_read_new());
  archive_read_support_filter_gzip(reader.get());
  archive_read_support_filter_zstd(reader.get());
  archive_read_support_format_tar(reader.get());
  if (archive_read_open_filename(reader.get(), path_.c_str(), kStreamPiece) != ARCHIVE_OK) {
    return absl::InvalidArgumentError(absl::StrCat(
        "it is neither an OCI layout nor a docker archive (",
        archive_error_string(reader.get()) == nullptr ? "" : archive_error_string(reader.get()),
        ")"));
  }
  return reader;
}

absl::Status TarSource::ReadDirectory() {
  const Utf8Locale locale;
  ASSIGN_OR_RETURN(const ArchivePtr reader, OpenArchive());
  int64_t total = 0;
  for (size_t ordinal = 0;; ++ordinal) {
    archive_entry* entry = nullptr;
    const int code = archive_read_next_header(reader.get(), &entry);
    if (code == ARCHIVE_EOF) return absl::OkStatus();
    if (code != ARCHIVE_OK && code != ARCHIVE_WARN) {
      return ArchiveStatus(reader.get(), ordinal == 0 ? "it is no tar" : "its tar is broken");
    }
    if (ordinal >= kMaxMembers) {
      return absl::InvalidArgumentError(absl::StrCat("it has more than ", kMaxMembers, " members"));
    }
    RETURN_IF_ERROR(Note(entry, ordinal, &total));
  }
}

absl::Status TarSource::Note(archive_entry* entry, size_t ordinal, int64_t* total) {
  const std::string path = Clean(PathOf(entry));
  const int64_t size = archive_entry_size(entry);
  // Before anything is skipped over: a compressed hole must not keep the reader busy for hours.
  const int64_t most =
      std::min(limits_.max_unpacked_bytes, std::max(kRatioFrom, file_size_ * limits_.max_ratio));
  if (size < 0 || size > most - *total) {
    return absl::InvalidArgumentError(
        absl::StrCat("its members unpack to more than ", most, " bytes; that is a bomb"));
  }
  *total += size;
  Member member;
  member.ordinal = ordinal;
  if (const char* hard = archive_entry_hardlink(entry)) {
    member.link = Clean(hard);
    if (member.link.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("its member ", path, " links out of it"));
    }
  } else if (archive_entry_filetype(entry) == AE_IFLNK) {
    const char* target = archive_entry_symlink(entry);
    const std::string parent =
        path.substr(0, path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
    member.link = target == nullptr ? "" : Clean(absl::StrCat(parent, "/", target));
    if (member.link.empty()) return absl::OkStatus();
  } else if (archive_entry_filetype(entry) != AE_IFREG) {
    return absl::OkStatus();
  }
  if (path.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("its member '", PathOf(entry), "' leads out of it"));
  }
  if (!members_.emplace(path, std::move(member)).second) {
    return absl::InvalidArgumentError(
        absl::StrCat("its member ", path, " is there twice, so it could be read in two ways"));
  }
  return absl::OkStatus();
}

const TarSource::Member* TarSource::Resolve(const std::string& name) const {
  auto member = members_.find(Clean(name));
  for (int hops = 0; hops <= kMaxLinks; ++hops) {
    if (member == members_.end()) return nullptr;
    if (member->second.link.empty()) return &member->second;
    member = members_.find(member->second.link);
  }
  return nullptr;
}

absl::StatusOr<std::unique_ptr<ByteStream>> TarSource::Stream(const std::string& name) const {
  const Member* member = Resolve(name);
  if (member == nullptr)
    return absl::NotFoundError(absl::StrCat("its member ", name, " is missing"));
  const Utf8Locale locale;
  ASSIGN_OR_RETURN(ArchivePtr reader, OpenArchive());
  for (size_t ordinal = 0; ordinal <= member->ordinal; ++ordinal) {
    archive_entry* entry = nullptr;
    const int code = archive_read_next_header(reader.get(), &entry);
    if (code != ARCHIVE_OK && code != ARCHIVE_WARN) {
      return ArchiveStatus(reader.get(), "it has changed while it was read");
    }
  }
  return std::make_unique<MemberStream>(std::move(reader), name);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ImageSource>> ImageSource::Open(const std::string& path,
                                                               const ImageLimits& limits) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return ErrnoStatus("open", path);
  if (S_ISDIR(info.st_mode)) {
    ASSIGN_OR_RETURN(UniqueFd root, OpenAt(AT_FDCWD, path, O_PATH | O_DIRECTORY));
    return std::make_unique<DirectorySource>(std::move(root));
  }
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError("it is neither a file nor a directory");
  }
  auto source = std::make_unique<TarSource>(path, info.st_size, limits);
  RETURN_IF_ERROR(source->ReadDirectory());
  return source;
}

absl::StatusOr<std::string> ImageSource::ReadAll(const std::string& member, int64_t limit) const {
  ASSIGN_OR_RETURN(const std::unique_ptr<ByteStream> stream, Stream(member));
  std::string content;
  for (;;) {
    ASSIGN_OR_RETURN(const absl::string_view piece, stream->Next());
    if (piece.empty()) return content;
    if (content.size() + piece.size() > static_cast<size_t>(limit)) {
      return absl::InvalidArgumentError(
          absl::StrCat("its member ", member, " is larger than ", limit, " bytes"));
    }
    content.append(piece.data(), piece.size());
  }
}

}  // namespace cluster::node
