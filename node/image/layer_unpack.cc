#include "node/image/layer_unpack.h"

#include <unistd.h>

#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "base/status.h"
#include "node/image/archive_reader.h"
#include "node/image/layer_tree.h"

namespace cluster::node {
namespace {

constexpr absl::string_view kWhiteout = ".wh.";
constexpr absl::string_view kOpaque = ".wh..wh..opq";
constexpr absl::string_view kReserved = ".wh..wh.";  // aufs's own files
constexpr int64_t kMaxId = 0xfffffffe;               // -1 means "leave it" to chown(2)
constexpr size_t kMaxXattr = 64 << 10;

class Unpacking {
 public:
  Unpacking(ByteStream* tar, int directory, const ImageLimits& limits, int64_t* budget)
      : tar_(tar), limits_(limits), budget_(budget), tree_(directory) {}

  absl::Status Run();

 private:
  static la_ssize_t Feed(archive* reader, void* self, const void** bytes);
  absl::Status Fault(absl::string_view operation) const;
  absl::Status Add(archive_entry* entry);
  absl::Status AddLink(const LayerPath& path, const char* target);
  absl::Status AddByType(const LayerPath& path, archive_entry* entry, const Attributes& attributes);
  absl::Status AddFile(const LayerPath& path, archive_entry* entry, const Attributes& attributes);
  absl::Status CopyData(int fd, int64_t size, const std::string& name);
  absl::StatusOr<bool> AddWhiteout(const LayerPath& path);

  ByteStream* const tar_;
  const ImageLimits limits_;
  int64_t* const budget_;
  LayerTree tree_;
  ArchivePtr reader_;
  absl::Status tar_status_;  // why Feed failed
  int64_t entries_ = 0;
};

la_ssize_t Unpacking::Feed(archive* reader, void* self, const void** bytes) {
  auto* unpacking = static_cast<Unpacking*>(self);
  const absl::StatusOr<absl::string_view> piece = unpacking->tar_->Next();
  if (!piece.ok()) {
    unpacking->tar_status_ = piece.status();
    archive_set_error(reader, EIO, "cannot be read");
    return -1;
  }
  *bytes = piece->data();
  return static_cast<la_ssize_t>(piece->size());
}

absl::Status Unpacking::Fault(absl::string_view operation) const {
  if (!tar_status_.ok()) return tar_status_;
  return ArchiveStatus(reader_.get(), operation);
}

bool IsKept(absl::string_view xattr) {
  return absl::StartsWith(xattr, "user.") || xattr == "security.capability";
}

absl::StatusOr<Attributes> AttributesOf(archive_entry* entry, const std::string& name) {
  Attributes attributes;
  attributes.mode = archive_entry_perm(entry) & 07777;
  const int64_t uid = archive_entry_uid(entry);
  const int64_t gid = archive_entry_gid(entry);
  if (uid < 0 || gid < 0 || uid > kMaxId || gid > kMaxId) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", name, "' belongs to ", uid, ":", gid, ", which no system can hold"));
  }
  attributes.uid = static_cast<uid_t>(uid);
  attributes.gid = static_cast<gid_t>(gid);
  if (archive_entry_mtime_is_set(entry)) {
    attributes.mtime = timespec{archive_entry_mtime(entry), archive_entry_mtime_nsec(entry)};
  }
  const char* key = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  archive_entry_xattr_reset(entry);
  while (archive_entry_xattr_next(entry, &key, &value, &size) == ARCHIVE_OK) {
    if (key == nullptr || !IsKept(key)) continue;
    if (size > kMaxXattr) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", name, "' has an attribute of ", size, " bytes"));
    }
    attributes.xattrs.emplace_back(key, std::string(static_cast<const char*>(value), size));
  }
  return attributes;
}

absl::Status Unpacking::Run() {
  const Utf8Locale locale;
  reader_.reset(archive_read_new());
  archive_read_support_format_tar(reader_.get());
  if (archive_read_open(reader_.get(), this, nullptr, &Unpacking::Feed, nullptr) != ARCHIVE_OK) {
    return Fault("it is no tar");
  }
  for (;;) {
    archive_entry* entry = nullptr;
    const int code = archive_read_next_header(reader_.get(), &entry);
    if (code == ARCHIVE_EOF) return tree_.FinishDirectories();
    if (code != ARCHIVE_OK && code != ARCHIVE_WARN) return Fault("its tar is broken");
    ++entries_;
    if (entries_ > limits_.max_entries || tree_.made() > limits_.max_entries) {
      return absl::InvalidArgumentError(
          absl::StrCat("it has more than ", limits_.max_entries, " entries; that is a bomb"));
    }
    RETURN_IF_ERROR(Add(entry));
  }
}

absl::Status Unpacking::Add(archive_entry* entry) {
  ASSIGN_OR_RETURN(const LayerPath path, LayerPath::Parse(PathOf(entry)));
  if (path.IsTop()) {
    if (archive_entry_filetype(entry) != AE_IFDIR) {
      return absl::InvalidArgumentError("an entry takes the place of the top directory");
    }
  } else {
    for (size_t i = 0; i + 1 < path.parts().size(); ++i) {
      if (absl::StartsWith(path.parts()[i], kWhiteout)) {
        return absl::InvalidArgumentError(
            absl::StrCat("'", path.Text(), "' lies below a whiteout"));
      }
    }
    ASSIGN_OR_RETURN(const bool whiteout, AddWhiteout(path));
    if (whiteout) return absl::OkStatus();
    if (const char* target = archive_entry_hardlink(entry)) return AddLink(path, target);
  }
  ASSIGN_OR_RETURN(const Attributes attributes, AttributesOf(entry, path.Text()));
  return AddByType(path, entry, attributes);
}

absl::StatusOr<bool> Unpacking::AddWhiteout(const LayerPath& path) {
  const std::string& name = path.name();
  if (!absl::StartsWith(name, kWhiteout)) return false;
  if (name == kOpaque) {
    ASSIGN_OR_RETURN(const LayerPath directory,
                     LayerPath::Parse(absl::StrCat("./", path.Parent())));
    RETURN_IF_ERROR(tree_.MakeOpaque(directory));
    return true;
  }
  if (absl::StartsWith(name, kReserved)) return true;
  const std::string hidden = name.substr(kWhiteout.size());
  if (hidden.empty() || hidden == "." || hidden == "..") {
    return absl::InvalidArgumentError(
        absl::StrCat("the whiteout '", path.Text(), "' hides nothing that has a name"));
  }
  ASSIGN_OR_RETURN(const LayerPath at,
                   LayerPath::Parse(absl::StrCat("./", path.Parent(), "/", hidden)));
  RETURN_IF_ERROR(tree_.AddWhiteout(at));
  return true;
}

absl::Status Unpacking::AddLink(const LayerPath& path, const char* target) {
  absl::StatusOr<LayerPath> at = LayerPath::Parse(target);
  if (at.ok() && at->IsTop()) at = absl::InvalidArgumentError("its target is the top directory");
  if (!at.ok()) {
    return Annotate(at.status(), absl::StrCat("the hard link '", path.Text(), "'"));
  }
  const absl::Status linked = tree_.AddHardLink(path, *at);
  if (!absl::IsNotFound(linked)) return linked;
  return absl::InvalidArgumentError(absl::StrCat("the hard link '", path.Text(), "' leads to '",
                                                 at->Text(), "', which is not in this layer"));
}

absl::Status Unpacking::AddByType(const LayerPath& path, archive_entry* entry,
                                  const Attributes& attributes) {
  switch (archive_entry_filetype(entry)) {
    case AE_IFDIR:
      return tree_.AddDirectory(path, attributes);
    case AE_IFREG:
      return AddFile(path, entry, attributes);
    case AE_IFLNK: {
      const char* target = archive_entry_symlink(entry);
      if (target == nullptr) target = archive_entry_symlink_utf8(entry);
      return tree_.AddSymlink(path, target == nullptr ? "" : target, attributes);
    }
    case AE_IFIFO:
      return tree_.AddFifo(path, attributes);
    case AE_IFSOCK:
      return absl::OkStatus();
    case AE_IFCHR:
    case AE_IFBLK:
      return absl::InvalidArgumentError(absl::StrCat(
          "'", path.Text(), "' is a device node; leave /dev out of the image, the node makes it"));
    default:
      return absl::InvalidArgumentError(absl::StrCat("'", path.Text(), "' is of an unknown type"));
  }
}

absl::Status Unpacking::AddFile(const LayerPath& path, archive_entry* entry,
                                const Attributes& attributes) {
  const int64_t size = archive_entry_size(entry);
  if (size < 0 || size > *budget_) {
    return absl::InvalidArgumentError(absl::StrCat("'", path.Text(), "' of ", size,
                                                   " bytes makes the image larger than ",
                                                   limits_.max_unpacked_bytes, " bytes"));
  }
  *budget_ -= size;
  ASSIGN_OR_RETURN(const UniqueFd fd, tree_.AddFile(path));
  RETURN_IF_ERROR(CopyData(fd.get(), size, path.Text()));
  return Annotate(LayerTree::Finish(fd.get(), attributes), path.Text());
}

absl::Status Unpacking::CopyData(int fd, int64_t size, const std::string& name) {
  for (;;) {
    const void* block = nullptr;
    size_t length = 0;
    la_int64_t offset = 0;
    const int code = archive_read_data_block(reader_.get(), &block, &length, &offset);
    if (code == ARCHIVE_EOF) break;
    if (code != ARCHIVE_OK) return Fault(absl::StrCat("read '", name, "'"));
    if (offset < 0 || offset > size || static_cast<int64_t>(length) > size - offset) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", name, "' has more data than the ", size, " bytes it declares"));
    }
    const char* data = static_cast<const char*>(block);
    while (length > 0) {
      const ssize_t put = ::pwrite(fd, data, length, offset);
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return ErrnoStatus("write", name);
      data += put;
      offset += put;
      length -= static_cast<size_t>(put);
    }
  }
  // Sparse files end in a hole.
  if (::ftruncate(fd, size) != 0) return ErrnoStatus("truncate", name);
  return absl::OkStatus();
}

}  // namespace

absl::Status UnpackLayer(ByteStream* tar, int directory, const ImageLimits& limits,
                         int64_t* budget) {
  return Unpacking(tar, directory, limits, budget).Run();
}

}  // namespace cluster::node
