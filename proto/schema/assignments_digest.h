// The digest by which a node and the controller see whether they agree on the node's assignments.
// Both sides compute it with this function.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/strings/string_view.h"

namespace cluster {

// SHA-256 (32 raw bytes) over "UID EPOCH\n" of every assignment, ordered by uid. Pods that the node
// has ended but that the controller has not yet removed are still assignments.
class AssignmentsDigester {
 public:
  // In the order of uids.
  void Add(absl::string_view uid, int64_t epoch);
  std::string Digest() const;

 private:
  std::string text_;
};

std::string AssignmentsDigest(const std::map<std::string, int64_t>& epoch_by_uid);

}  // namespace cluster
