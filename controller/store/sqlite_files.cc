#include "controller/store/sqlite_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "base/file.h"
#include "base/log.h"
#include "base/status.h"

namespace cluster::store {
namespace {

// "cluster store head 00000000000000000042 0123456789abcdef\n"
constexpr absl::string_view kHeadWord = "cluster store head";
constexpr size_t kHeadBytes = 57;

uint64_t HeadSum(Rev rev) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (int shift = 0; shift < 64; shift += 8) {
    hash = (hash ^ ((static_cast<uint64_t>(rev) >> shift) & 0xff)) * 0x100000001b3ULL;
  }
  return hash;
}

std::string HeadText(Rev rev) {
  return absl::StrFormat("%s %020d %016x\n", kHeadWord, rev, HeadSum(rev));
}

absl::Status SyncDirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  return SyncDirectory(parent);
}

}  // namespace

absl::StatusOr<HeadFile> HeadFile::Open(const std::string& path) {
  const std::string name = path + "-head";
  ASSIGN_OR_RETURN(UniqueFd fd, OpenAt(AT_FDCWD, name, O_RDWR | O_CREAT, 0600));
  HeadFile head(std::move(fd), name);
  struct stat info {};
  if (::fstat(head.fd_.get(), &info) != 0) return ErrnoStatus("stat", name);
  if (info.st_size != 0) {
    RETURN_IF_ERROR(head.Read());
    return head;
  }
  RETURN_IF_ERROR(head.Write(0));
  if (::fsync(head.fd_.get()) != 0) return ErrnoStatus("fsync", name);
  RETURN_IF_ERROR(SyncDirectoryOf(name));
  return head;
}

absl::Status HeadFile::Read() {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path_, 4096));
  Rev rev = 0;
  if (text.size() == kHeadBytes) {
    rev = static_cast<Rev>(strtoll(text.c_str() + kHeadWord.size() + 1, nullptr, 10));
  }
  if (text != HeadText(rev)) {
    return absl::DataLossError(absl::StrCat(
        path_, " is damaged; check the disk, then remove it to accept the store as it is"));
  }
  rev_ = rev;
  return absl::OkStatus();
}

absl::Status HeadFile::Write(Rev rev) {
  const std::string text = HeadText(rev);
  const ssize_t put = ::pwrite(fd_.get(), text.data(), text.size(), 0);
  if (put != static_cast<ssize_t>(text.size())) {
    return put < 0 ? ErrnoStatus("write", path_) : ErrnoStatus(ENOSPC, "write", path_);
  }
  rev_ = rev;
  return absl::OkStatus();
}

absl::StatusOr<Ballast> Ballast::Open(const std::string& path, int64_t bytes) {
  const std::string name = path + "-ballast";
  ASSIGN_OR_RETURN(UniqueFd fd, OpenAt(AT_FDCWD, name, O_RDWR | O_CREAT, 0600));
  Ballast ballast(std::move(fd), name, bytes);
  struct stat info {};
  if (::fstat(ballast.fd_.get(), &info) != 0) return ErrnoStatus("stat", name);
  ballast.held_ = info.st_size == bytes && info.st_blocks * 512 >= bytes;
  return ballast;
}

absl::Status Ballast::Release() {
  if (::ftruncate(fd_.get(), 0) != 0) return ErrnoStatus("truncate", path_);
  held_ = false;
  return absl::OkStatus();
}

absl::StatusOr<bool> Ballast::Hold() {
  if (held_) return true;
  struct statvfs disk {};
  if (::fstatvfs(fd_.get(), &disk) != 0) return ErrnoStatus("statvfs", path_);
  const auto available = static_cast<int64_t>(disk.f_bavail * disk.f_frsize);
  if (available < bytes_ + bytes_ / 2) return false;
  const int error = bytes_ == 0 ? 0 : ::posix_fallocate(fd_.get(), 0, bytes_);
  if (error == ENOSPC || error == EDQUOT) {
    RETURN_IF_ERROR(Release());
    return false;
  }
  if (error != 0) return ErrnoStatus(error, "fallocate", path_);
  held_ = true;
  return true;
}

}  // namespace cluster::store
