#include "controller/scheduler/scheduler.h"

#include <algorithm>
#include <memory>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"

#include "controller/object/claims.h"
#include "controller/reconcile/pod_state.h"
#include "controller/reconcile/stable_bytes.h"
#include "controller/scheduler/filters.h"
#include "controller/scheduler/node_usage.h"
#include "controller/scheduler/placement.h"

namespace cluster::controller {
namespace {

// Why pods of one shape fit nowhere.
struct Verdict {
  std::shared_ptr<const std::vector<NodeReason>> reasons;
  std::string summary;
};

std::vector<EntryPtr> PendingPods(const View& view) {
  std::vector<EntryPtr> pending;
  for (const auto& [key, entry] : view.All(v1::Object::kPod)) {
    const v1::Pod& pod = entry->object.pod();
    if (!IsBound(pod) && IsActive(pod)) pending.push_back(entry);
  }
  // First come, first served.
  std::stable_sort(pending.begin(), pending.end(), [](const EntryPtr& a, const EntryPtr& b) {
    const auto& a_time = a->object.pod().metadata().creation_timestamp();
    const auto& b_time = b->object.pod().metadata().creation_timestamp();
    return std::make_tuple(a_time.seconds(), a_time.nanos()) <
           std::make_tuple(b_time.seconds(), b_time.nanos());
  });
  return pending;
}

Verdict VerdictOf(const PodNeeds& needs, const std::vector<NodeUsage>& nodes) {
  std::vector<std::vector<Rejection>> rejections;
  auto reasons = std::make_shared<std::vector<NodeReason>>();
  for (const NodeUsage& node : nodes) {
    rejections.push_back(Rejections(needs, node));
    for (const Rejection& rejection : rejections.back()) {
      reasons->push_back({node.name(), rejection.Text()});
    }
  }
  return {std::move(reasons), Summarize(nodes, rejections)};
}

// One plan in the making.
class Planner {
 public:
  explicit Planner(const View& view) : usage_(view), claims_(view) {}

  // False when it fits nowhere.
  bool Place(const EntryPtr& pod) {
    Placement* shape = ShapeOf(pod->object.pod());
    const int node = shape->Best(usage_.nodes());
    if (node < 0) {
      left_.emplace_back(pod, shape);
      return false;
    }
    NodeUsage& chosen = usage_.nodes()[static_cast<size_t>(node)];
    chosen.Add(shape->needs().request, shape->needs().owner);
    claims_.Place(pod->object.pod().metadata().name(), shape->needs().claims, chosen.name());
    plan_.bindings.push_back({pod->key, pod->mod_rev, chosen.name()});
    return true;
  }

  // Reasons are those after every placement: the next pass finds the same and writes nothing.
  Plan Finish() {
    absl::flat_hash_map<const Placement*, Verdict> verdicts;
    for (const auto& [pod, shape] : left_) {
      auto verdict = verdicts.find(shape);
      if (verdict == verdicts.end()) {
        verdict = verdicts.emplace(shape, VerdictOf(shape->needs(), usage_.nodes())).first;
      }
      plan_.unschedulable.push_back(
          {pod->key, pod->mod_rev, verdict->second.reasons, verdict->second.summary});
    }
    std::sort(plan_.unschedulable.begin(), plan_.unschedulable.end(),
              [](const Unschedulable& a, const Unschedulable& b) { return a.pod_key < b.pod_key; });
    return std::move(plan_);
  }

 private:
  Placement* ShapeOf(const v1::Pod& pod) {
    const OwnerId owner = usage_.Intern(pod);
    std::vector<std::string> claims = ClaimKeysOf(pod);
    if (!claims.empty()) {
      // Every placement may bind a claim and so change where others fit: looked at each time anew.
      unshared_.push_back(std::make_unique<Placement>(
          PodNeeds{&pod.spec(), RequestOf(pod.spec()), owner, std::move(claims), &claims_},
          usage_.nodes()));
      return unshared_.back().get();
    }
    auto& shape = shapes_[absl::StrCat(owner, "/", StableBytes(pod.spec()))];
    if (shape == nullptr) {
      shape = std::make_unique<Placement>(PodNeeds{&pod.spec(), RequestOf(pod.spec()), owner},
                                          usage_.nodes());
    }
    return shape.get();
  }

  ClusterUsage usage_;
  ClaimUsage claims_;
  std::vector<std::unique_ptr<Placement>> unshared_;
  absl::flat_hash_map<std::string, std::unique_ptr<Placement>> shapes_;
  std::vector<std::pair<EntryPtr, const Placement*>> left_;
  Plan plan_;
};

}  // namespace

Plan ComputePlan(const View& view, const SchedulerOptions& options, absl::Time /*now*/) {
  Planner planner(view);
  int placed = 0;
  for (const EntryPtr& pod : PendingPods(view)) {
    if (options.max_placements > 0 && placed >= options.max_placements) break;
    if (planner.Place(pod)) ++placed;
  }
  return planner.Finish();
}

std::vector<NodeReason> ExplainPod(const View& view, const v1::Pod& pod) {
  ClusterUsage usage(view);
  const ClaimUsage claims(view);
  const PodNeeds needs{&pod.spec(), RequestOf(pod.spec()), usage.Intern(pod), ClaimKeysOf(pod),
                       &claims};
  std::vector<NodeReason> reasons;
  for (const NodeUsage& node : usage.nodes()) {
    const std::vector<Rejection> rejections = Rejections(needs, node);
    if (rejections.empty()) reasons.push_back({node.name(), ""});
    for (const Rejection& rejection : rejections) {
      reasons.push_back({node.name(), rejection.Text()});
    }
  }
  return reasons;
}

}  // namespace cluster::controller
