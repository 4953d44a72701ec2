// The pace that nodes are told, as their number changes.
#pragma once

#include "absl/status/status.h"

#include "base/strand.h"
#include "controller/session/pace.h"
#include "controller/store/store.h"

namespace cluster::controller {

constexpr char kPaceKey[] = "pace/longest";

// Lives on its owner's strand; the only writer of its key. A longer lease is told to nobody before
// the store has it, so that a controller that starts anew knows how long nodes may count themselves
// alive.
class PaceKeeper {
 public:
  // All must outlive the keeper.
  PaceKeeper(store::Store* store, Strand* strand, const SessionOptions* options);
  // DataLoss. Before everything else.
  absl::Status Load();

  // The cluster has so many nodes now.
  void SetNodes(size_t nodes);
  // For what is told to nodes from now on.
  Pace pace() const { return PaceOfFactor(*options_, factor_); }
  // No node was ever told a longer lease.
  absl::Duration longest_ttl() const { return longest_ttl_; }

 private:
  void Write(int factor);

  store::Store* const store_;
  Strand* const strand_;
  const SessionOptions* const options_;
  size_t nodes_ = 0;
  int factor_ = 1;
  absl::Duration longest_ttl_;
  bool writing_ = false;
};

}  // namespace cluster::controller
