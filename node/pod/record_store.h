// The agent's memory: pod records and the node record, durable when Commit returns.
//
// One append-only file `state.log` of checksummed frames, each a NodeStateChange; it is rewritten
// by rename once it is mostly old. A torn frame at the end (the crash of a writer) is cut off;
// anything else that does not read back is DataLoss and never silently replaced.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "base/mutex.h"
#include "base/process_lock.h"
#include "base/unique_handle.h"
#include "cluster/v1/node_state.pb.h"

namespace cluster::node {

// The two halves of a pod's record, each with one writer.
v1::PodRecord WithoutAssignment(const v1::PodRecord& record);
v1::AssignmentRecord AssignmentOf(const v1::PodRecord& record);

// Thread-safe; concurrent commits share one fsync.
class RecordStore {
 public:
  // Makes `directory` when missing. FailedPrecondition: another agent works in it (see
  // base/process_lock.h).
  static absl::StatusOr<std::unique_ptr<RecordStore>> Open(const std::string& directory);

  // What is stored. By uid.
  std::map<std::string, v1::PodRecord> Pods() const;
  v1::NodeRecord Node() const;
  v1::KnownServicesRecord Services() const;

  // All of it durable, or an error and nothing of it counts. ResourceExhausted: the disk is full.
  absl::Status Commit(v1::NodeStateChange change);
  // The worker's half of one pod.
  absl::Status Put(const v1::PodRecord& record);

 private:
  struct Pending;
  RecordStore(std::string directory, ProcessLock lock);

  absl::Status Load();
  void Apply(const v1::NodeStateChange& change) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Writes all that is queued; lets go of the mutex while it writes.
  void WriteQueue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status WriteFrames(const std::string& frames);
  absl::Status Rewrite(const v1::NodeStateChange& everything);
  void HoldRoom();

  const std::string directory_;
  const ProcessLock lock_;  // of the directory: one agent at a time

  // Used by the one thread that writes at a time.
  UniqueFd file_;
  absl::Status broken_;  // the file could not be mended after a failed write
  int64_t durable_bytes_ = 0;
  int64_t held_until_ = 0;  // the file has disk up to there
  int64_t next_rewrite_bytes_ = 1 << 20;

  mutable Mutex mutex_;
  CondVar written_;
  std::map<std::string, v1::PodRecord> pods_ ABSL_GUARDED_BY(mutex_);
  v1::NodeRecord node_ ABSL_GUARDED_BY(mutex_);
  v1::KnownServicesRecord services_ ABSL_GUARDED_BY(mutex_);
  std::vector<Pending*> queue_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace cluster::node
