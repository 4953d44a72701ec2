// Until when this node surely counts as alive, for its pods that exist once: for their workers, and
// on a file for the cluster-init of each, which ends them even where no agent runs any more.
//
// The file holds two 64-bit numbers: nanoseconds of CLOCK_BOOTTIME, and their complement, which
// tells a torn read. Its path names the life of the machine that they count in.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/mutex.h"
#include "base/unique_handle.h"

namespace cluster::node {

// Thread-safe.
class LeaseFile {
 public:
  // What pods have from the stop signal to the end of the lease, at most; a quarter of a short one.
  static constexpr absl::Duration kLongestNotice = absl::Seconds(1);

  // Goes on with what an earlier agent left there. Empty: in memory alone.
  static absl::StatusOr<std::unique_ptr<LeaseFile>> Open(std::string path);

  // When pods that exist once are to begin to end, in CLOCK_BOOTTIME: a little before the lease is
  // over, so that they end in order. Infinitely long ago while there was no lease.
  absl::Duration stop_at() const;
  // There was a lease, and pods that exist once had to end at `now` or before: they stay ended,
  // whatever lease comes next.
  bool HasLapsed(absl::Duration now) const;
  // `ttl`: how long a lease is. Nothing for an end that is earlier than the one that is known. Pods
  // that are ended because the file could not be written are ended too early, never too late.
  absl::Status Extend(absl::Duration end, absl::Duration ttl);

  // "" where there is none.
  const std::string& path() const { return path_; }

 private:
  LeaseFile(std::string path, UniqueFd file) : path_(std::move(path)), file_(std::move(file)) {}

  const std::string path_;
  const UniqueFd file_;
  mutable Mutex mutex_;
  absl::Duration end_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
  absl::Duration notice_ ABSL_GUARDED_BY(mutex_) = kLongestNotice;
};

}  // namespace cluster::node
