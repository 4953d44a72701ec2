// Makes a session of a Hello: one transaction that holds the session's record, the Node object and,
// at first sight, the node's pod range.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/status/statusor.h"

#include "base/clock.h"
#include "base/strand.h"
#include "cluster/v1/controller_state.pb.h"
#include "cluster/v1/session.pb.h"
#include "controller/cache/view.h"
#include "controller/session/pod_ranges.h"
#include "controller/store/store.h"

namespace cluster::controller {

constexpr char kSessionPrefix[] = "sessions/";

struct Registration {
  int64_t session = 0;  // also the revision that holds all of it
  int64_t lineage = 0;
  std::string pod_cidr;
};

// Lives on its owner's strand and is the only writer of the keys below kSessionPrefix and
// kRangePrefix.
class NodeRegistrar {
 public:
  // InvalidArgument: the node's facts do not hold; ResourceExhausted: no range is left, or the
  // store is full; Unavailable: try again.
  using Done = std::function<void(absl::StatusOr<Registration>)>;

  // All must outlive the registrar. `look` brings the view up to date.
  NodeRegistrar(store::Store* store, Strand* strand, const Clock* clock, const View* view,
                PodRanges ranges, std::function<void()> look);

  // Reads what was given out before. DataLoss.
  absl::Status Load();

  void Register(v1::Hello hello, Done done);
  // The session that holds; 0: none yet.
  int64_t CurrentSession(const std::string& node) const;
  const v1::SessionRecord* Find(const std::string& node) const;
  std::string cluster_cidr() const { return ranges_.cluster(); }

 private:
  struct Call;
  struct Stored {
    v1::SessionRecord record;
    store::Rev mod_rev = 0;
  };
  void Attempt(std::shared_ptr<Call> call);
  absl::Status Plan(Call* call, store::Txn* txn);
  absl::Status PlanNode(Call* call, store::Txn* txn);
  absl::StatusOr<std::string> PlanRange(const std::string& node, store::Txn* txn);
  void OnResult(std::shared_ptr<Call> call, const store::SubmitResult& result);
  // A write of which it is not known whether it was applied may have been: takes over what is
  // stored.
  absl::Status Reread(const std::string& node);
  void AwaitView(std::shared_ptr<Call> call, store::Rev rev);

  store::Store* const store_;
  Strand* const strand_;
  const Clock* const clock_;
  const View* const view_;
  PodRanges ranges_;
  const std::function<void()> look_;
  std::map<std::string, Stored> sessions_;
  std::set<std::string> unrecorded_;  // nodes whose range is not in the store yet
};

}  // namespace cluster::controller
