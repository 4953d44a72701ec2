// Removes the data of claims that the controller says are gone.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "base/strand.h"
#include "node/runtime/runtime.h"

namespace cluster::node {

// Thread-safe. One claim after the other, on a thread of its own, again and again until it worked:
// a tree may be large, and a pod of before may still be ending. Nothing is written down: the
// controller asks in each session until it was told.
class ClaimEraser {
 public:
  // `runtime` outlives it. `in_use`: a pod on the node may have the claim. `erased` is called when
  // nothing is left. All from the eraser's thread. `executor`: see base/strand.h.
  ClaimEraser(Runtime* runtime, std::function<bool(const std::string& uid)> in_use,
              std::function<void(const std::string& uid)> erased, Executor* executor = nullptr);
  ~ClaimEraser() { Stop(); }

  void Erase(const std::vector<std::string>& uids);
  void Stop() { strand_.Stop(); }

 private:
  void Try(const std::string& uid, absl::Duration wait);

  Runtime* const runtime_;
  const std::function<bool(const std::string&)> in_use_;
  const std::function<void(const std::string&)> erased_;
  std::set<std::string> busy_;  // of the strand
  Strand strand_;
};

}  // namespace cluster::node
