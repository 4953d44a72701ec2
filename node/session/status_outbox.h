// What the node has to tell the controller and has not yet been told is stored: the newest status
// of each pod, and events.
//
// Of each pod only the last status is kept, whatever was not sent yet is replaced. After a broken
// session everything that was not acknowledged is sent again, with the same sequence. Sequences
// grow per pod, also over restarts of the agent: their upper half is the agent's incarnation. The
// statuses themselves need no disk of their own: they follow from the durable pod records, and
// every pod's status is put here anew when an agent starts.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "cluster/v1/session.pb.h"

namespace cluster::node {

// Thread-safe.
class StatusOutbox {
 public:
  explicit StatusOutbox(int64_t incarnation) : sequence_(incarnation << 32) {}

  // Called (from any thread) when there is something to send where there was nothing.
  void SetListener(std::function<void()> listener);

  void Put(v1::PodStatusUpdate update);
  // At most kMaxEvents are kept; the oldest go first.
  void Put(v1::Event event);

  // What is to be sent, at most kMaxBatch entries, as batch `sequence`; false when there is
  // nothing.
  bool Take(int64_t sequence, v1::StatusBatch* batch);
  // Everything up to this batch is durable at the controller.
  void Acknowledge(int64_t sequence);
  // The session broke: what was not acknowledged is to be sent again.
  void Requeue();

  size_t Waiting() const;

  static constexpr int kMaxBatch = 500;
  static constexpr size_t kMaxEvents = 1000;

 private:
  mutable Mutex mutex_;
  std::function<void()> listener_ ABSL_GUARDED_BY(mutex_);
  int64_t sequence_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, v1::PodStatusUpdate> pods_ ABSL_GUARDED_BY(mutex_);  // by uid
  std::deque<v1::Event> events_ ABSL_GUARDED_BY(mutex_);
  std::map<int64_t, v1::StatusBatch> sent_ ABSL_GUARDED_BY(mutex_);  // by batch
};

}  // namespace cluster::node
