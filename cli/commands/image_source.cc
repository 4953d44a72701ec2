#include "cli/commands/image_source.h"

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

#include "base/file.h"
#include "base/status.h"

namespace cluster::cli {
namespace {

namespace fs = std::filesystem;
using Consume = std::function<bool(absl::string_view)>;

constexpr size_t kArchiveChunk = size_t{1} << 20;

absl::Status ReadDescriptor(int fd, const std::string& path, const Consume& consume) {
  std::vector<char> buffer(kArchiveChunk);
  while (true) {
    const ssize_t got = read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus("read", path);
    if (got == 0) return absl::OkStatus();
    if (!consume({buffer.data(), static_cast<size_t>(got)})) {
      return absl::CancelledError("nobody takes the archive any more");
    }
  }
}

// A tar archive that is written into `consume`.
class TarWriter {
 public:
  explicit TarWriter(const Consume& consume)
      : consume_(consume), archive_(archive_write_new(), archive_write_free) {
    archive_write_set_format_pax_restricted(archive_.get());
    archive_write_set_bytes_per_block(archive_.get(), static_cast<int>(kArchiveChunk));
    archive_write_set_bytes_in_last_block(archive_.get(), 1);
    archive_write_open(archive_.get(), this, nullptr, &TarWriter::Take, nullptr);
  }

  absl::Status AddFolder(const std::string& name) { return AddHeader(name, AE_IFDIR, 0); }

  absl::Status AddFile(const std::string& path, const std::string& name) {
    ASSIGN_OR_RETURN(const UniqueFd file, OpenAt(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW));
    struct stat stat {};
    if (fstat(file.get(), &stat) != 0) return ErrnoStatus("fstat", path);
    RETURN_IF_ERROR(AddHeader(name, AE_IFREG, stat.st_size));
    int64_t written = 0;
    RETURN_IF_ERROR(ReadDescriptor(file.get(), path, [&](absl::string_view data) {
      const la_ssize_t got = archive_write_data(archive_.get(), data.data(), data.size());
      written += std::max<la_ssize_t>(got, 0);
      return got == static_cast<la_ssize_t>(data.size());
    }));
    if (written == stat.st_size) return absl::OkStatus();
    return absl::AbortedError(absl::StrCat(path, " changed while it was read; try again"));
  }

  absl::Status Close() {
    if (archive_write_close(archive_.get()) == ARCHIVE_OK) return absl::OkStatus();
    return Failure("the end of the archive");
  }

 private:
  static la_ssize_t Take(archive* archive, void* self, const void* data, size_t size) {
    if ((*static_cast<TarWriter*>(self)->consume_target())(
            {static_cast<const char*>(data), size})) {
      return static_cast<la_ssize_t>(size);
    }
    archive_set_error(archive, ECANCELED, "nobody takes the archive any more");
    return -1;
  }
  const Consume* consume_target() const { return &consume_; }

  absl::Status AddHeader(const std::string& name, unsigned type, int64_t size) {
    const std::unique_ptr<archive_entry, decltype(&archive_entry_free)> entry(archive_entry_new(),
                                                                              archive_entry_free);
    archive_entry_set_pathname(entry.get(), name.c_str());
    archive_entry_set_filetype(entry.get(), type);
    archive_entry_set_perm(entry.get(), type == AE_IFDIR ? 0755 : 0644);
    archive_entry_set_size(entry.get(), size);
    if (archive_write_header(archive_.get(), entry.get()) == ARCHIVE_OK) return absl::OkStatus();
    return Failure(name);
  }

  absl::Status Failure(absl::string_view what) {
    const char* why = archive_error_string(archive_.get());
    return absl::CancelledError(absl::StrCat("pack ", what, ": ", why != nullptr ? why : "failed"));
  }

  const Consume& consume_;
  std::unique_ptr<archive, decltype(&archive_write_free)> archive_;
};

absl::Status ReadFolder(const std::string& folder, const Consume& consume) {
  std::error_code error;
  if (!fs::exists(fs::path(folder) / "oci-layout", error)) {
    return absl::InvalidArgumentError(
        absl::StrCat(folder, " is not an OCI layout: it holds no file oci-layout"));
  }
  std::vector<fs::path> paths;
  for (const auto& entry : fs::recursive_directory_iterator(folder, error)) {
    paths.push_back(entry.path());
  }
  if (error) return absl::InternalError(absl::StrCat(folder, ": ", error.message()));
  std::sort(paths.begin(), paths.end());
  TarWriter tar(consume);
  for (const fs::path& path : paths) {
    const std::string name = path.lexically_relative(folder).string();
    const fs::file_status status = fs::symlink_status(path, error);
    if (fs::is_directory(status)) {
      RETURN_IF_ERROR(tar.AddFolder(name + "/"));
    } else if (fs::is_regular_file(status)) {
      RETURN_IF_ERROR(tar.AddFile(path.string(), name));
    } else {
      return absl::InvalidArgumentError(absl::StrCat(
          path.string(), " is neither a file nor a folder; an OCI layout holds nothing else"));
    }
  }
  return tar.Close();
}

}  // namespace

absl::Status ReadImage(const std::string& path, const Consume& consume) {
  if (path == "-") return ReadDescriptor(STDIN_FILENO, "standard input", consume);
  std::error_code error;
  if (fs::is_directory(path, error)) return ReadFolder(path, consume);
  const absl::StatusOr<UniqueFd> file = OpenAt(AT_FDCWD, path, O_RDONLY);
  if (absl::IsNotFound(file.status())) {
    return absl::NotFoundError(absl::StrCat("there is no file ", path));
  }
  RETURN_IF_ERROR(file.status());
  return ReadDescriptor(file->get(), path, consume);
}

}  // namespace cluster::cli
