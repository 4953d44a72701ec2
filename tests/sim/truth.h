// What is in the store, seen as it is committed and not through any controller: what checkers look
// at.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "controller/cache/cache.h"
#include "controller/store/store.h"

namespace cluster::sim {

// One revision.
struct Commit {
  store::Rev rev = 0;
  std::string write_id;
  std::vector<Change> changes;   // objects
  std::set<std::string> others;  // the other keys that it put or deleted
};

class Truth : public store::WatchSink {
 public:
  // `fail`: the store holds something that is no object.
  Truth(std::function<void(const Commit&)> tell, std::function<void(const std::string&)> fail)
      : tell_(std::move(tell)), fail_(std::move(fail)) {}

  const View& view() const { return view_; }

  void OnBatch(const store::Batch& batch) override;
  void OnCompacted(store::Rev) override { fail_("the checkers' own watch was compacted away"); }

 private:
  const std::function<void(const Commit&)> tell_;
  const std::function<void(const std::string&)> fail_;
  View view_;
};

}  // namespace cluster::sim
