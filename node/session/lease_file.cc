#include "node/session/lease_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "base/status.h"

namespace cluster::node {
namespace {

struct LeaseContent {
  int64_t end_ns = 0;
  int64_t complement = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<LeaseFile>> LeaseFile::Open(std::string path) {
  if (path.empty()) return std::unique_ptr<LeaseFile>(new LeaseFile("", UniqueFd()));
  UniqueFd file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file.valid()) return ErrnoStatus("open", path);
  LeaseContent content;
  const ssize_t size = pread(file.get(), &content, sizeof content, 0);
  if (size < 0) return ErrnoStatus("read", path);
  auto lease = std::unique_ptr<LeaseFile>(new LeaseFile(std::move(path), std::move(file)));
  if (size == sizeof content && content.complement == ~content.end_ns) {
    MutexLock lock(&lease->mutex_);
    lease->end_ = absl::Nanoseconds(content.end_ns);
  }
  return lease;
}

absl::Duration LeaseFile::stop_at() const {
  MutexLock lock(&mutex_);
  return end_ - notice_;
}

bool LeaseFile::HasLapsed(absl::Duration now) const {
  MutexLock lock(&mutex_);
  return end_ != -absl::InfiniteDuration() && now >= end_ - notice_;
}

absl::Status LeaseFile::Extend(absl::Duration end, absl::Duration ttl) {
  MutexLock lock(&mutex_);
  if (end <= end_) return absl::OkStatus();
  end_ = end;
  notice_ = std::min(kLongestNotice, ttl / 4);
  if (!file_.valid()) return absl::OkStatus();
  const int64_t end_ns = absl::ToInt64Nanoseconds(end);
  const LeaseContent content{end_ns, ~end_ns};
  // A file in memory of sixteen bytes: nothing that waits.
  if (pwrite(file_.get(), &content, sizeof content, 0) != sizeof content) {
    return ErrnoStatus("write", path_);
  }
  return absl::OkStatus();
}

}  // namespace cluster::node
