// Which reports of nodes were stored, and thereby the epoch of each assignment.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"

#include "cluster/v1/controller_state.pb.h"
#include "controller/cache/view.h"
#include "controller/store/store.h"

namespace cluster::controller {

constexpr char kReportPrefix[] = "podreports/";

// Mirrors the keys below kReportPrefix, of which its owner is the only writer. Not thread-safe.
class ReportBook {
 public:
  // DataLoss for a value that is no record.
  absl::Status Load(const std::vector<store::Kv>& kvs);

  // Store revision of the pod's last change that was not a report of its node: durable, and the
  // same after a restart of the controller.
  int64_t EpochOf(const Entry& pod) const;
  // Of the last report that was stored; nullopt when none was.
  std::optional<v1::PodReportRecord> Find(absl::string_view uid) const;
  void Set(absl::string_view uid, const v1::PodReportRecord& record, store::Rev mod_rev);
  void Erase(absl::string_view uid) { records_.erase(UidKey(uid)); }
  // Sorted.
  std::vector<std::string> Uids() const;

 private:
  // There is one for each pod: the record's fields, without what a message takes beside them.
  struct Stored {
    int64_t epoch = 0;
    int64_t sequence = 0;
    int64_t lineage = 0;
    store::Rev mod_rev = 0;
  };
  absl::flat_hash_map<UidKey, Stored> records_;
};

}  // namespace cluster::controller
