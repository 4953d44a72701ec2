#include "controller/session/image_depot.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "controller/object/object_fields.h"

namespace cluster::controller {
namespace {

constexpr int64_t kMaxArchive = int64_t{20} << 30;
constexpr absl::string_view kScheme = "sha256:";

absl::StatusOr<std::vector<std::string>> FilesIn(const std::string& directory) {
  DIR* dir = opendir(directory.c_str());
  if (dir == nullptr) return ErrnoStatus("opendir", directory);
  std::vector<std::string> names;
  while (const dirent* entry = readdir(dir)) {
    if (entry->d_type == DT_REG) names.emplace_back(entry->d_name);
  }
  closedir(dir);
  return names;
}

absl::Status SyncDirectory(const std::string& directory) {
  ASSIGN_OR_RETURN(const UniqueFd fd, OpenAt(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY));
  if (fsync(fd.get()) != 0) return ErrnoStatus("fsync", directory);
  return absl::OkStatus();
}

absl::Status RemoveStrays(const std::string& directory, const std::set<std::string>& known) {
  ASSIGN_OR_RETURN(const std::vector<std::string> files, FilesIn(directory));
  for (const std::string& name : files) {
    const bool keep = absl::StartsWith(name, "sha256-") &&
                      known.contains(absl::StrCat(kScheme, name.substr(kScheme.size())));
    const std::string path = absl::StrCat(directory, "/", name);
    if (!keep && unlink(path.c_str()) != 0) return ErrnoStatus("unlink", path);
  }
  return absl::OkStatus();
}

}  // namespace

ArchiveUpload::ArchiveUpload(const ImageDepot* depot, std::string path, UniqueFd file)
    : depot_(depot), path_(std::move(path)), file_(std::move(file)) {
  EVP_DigestInit_ex(hash_.get(), EVP_sha256(), nullptr);
}

ArchiveUpload::~ArchiveUpload() {
  if (!path_.empty()) unlink(path_.c_str());
}

absl::Status ArchiveUpload::Append(absl::string_view data) {
  size_ += static_cast<int64_t>(data.size());
  if (size_ > kMaxArchive) {
    return absl::ResourceExhaustedError("the image archive is larger than 20 GiB");
  }
  EVP_DigestUpdate(hash_.get(), data.data(), data.size());
  const absl::Status written = WriteAll(file_.get(), data);
  if (absl::IsResourceExhausted(written)) {
    return absl::ResourceExhaustedError("the controller's disk is full: free space and try again");
  }
  return written;
}

absl::StatusOr<std::string> ArchiveUpload::Finish() {
  if (size_ == 0) return absl::InvalidArgumentError("the image archive is empty");
  std::string digest(32, '\0');
  EVP_DigestFinal_ex(hash_.get(), reinterpret_cast<unsigned char*>(digest.data()), nullptr);
  const std::string archive = absl::StrCat(kScheme, absl::BytesToHexString(digest));
  ASSIGN_OR_RETURN(const std::string target, depot_->PathOf(archive));
  if (fsync(file_.get()) != 0) return ErrnoStatus("fsync", path_);
  if (rename(path_.c_str(), target.c_str()) != 0) return ErrnoStatus("rename", path_);
  path_.clear();
  RETURN_IF_ERROR(SyncDirectory(depot_->directory_));
  return archive;
}

absl::StatusOr<std::unique_ptr<ImageDepot>> ImageDepot::Open(const std::string& directory,
                                                             const std::set<std::string>& known) {
  const std::string tmp = absl::StrCat(directory, "/tmp");
  RETURN_IF_ERROR(MakeDirectories(tmp, 0700));
  RETURN_IF_ERROR(RemoveStrays(tmp, {}));
  RETURN_IF_ERROR(RemoveStrays(directory, known));
  auto depot = std::unique_ptr<ImageDepot>(new ImageDepot(directory));
  for (const std::string& archive : known) {
    if (depot->Read(archive).ok()) continue;
    LOG_ERROR("the image archive {} is missing in {}: load it again", archive, directory);
  }
  return depot;
}

absl::StatusOr<std::unique_ptr<ArchiveUpload>> ImageDepot::Begin() const {
  const std::string path = absl::StrCat(directory_, "/tmp/", absl::BytesToHexString(RandomId()));
  ASSIGN_OR_RETURN(UniqueFd file, OpenAt(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL, 0600));
  return std::unique_ptr<ArchiveUpload>(new ArchiveUpload(this, path, std::move(file)));
}

absl::StatusOr<std::string> ImageDepot::PathOf(const std::string& archive) const {
  const bool whole = absl::StartsWith(archive, kScheme) && archive.size() == kScheme.size() + 64;
  const std::string hex = whole ? archive.substr(kScheme.size()) : "";
  if (!whole || hex.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat("\"", archive, "\" is no id of an archive"));
  }
  return absl::StrCat(directory_, "/sha256-", hex);
}

absl::StatusOr<UniqueFd> ImageDepot::Read(const std::string& archive) const {
  ASSIGN_OR_RETURN(const std::string path, PathOf(archive));
  return OpenAt(AT_FDCWD, path, O_RDONLY);
}

absl::Status ImageDepot::Remove(const std::string& archive) const {
  ASSIGN_OR_RETURN(const std::string path, PathOf(archive));
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return ErrnoStatus("unlink", path);
  return absl::OkStatus();
}

}  // namespace cluster::controller
