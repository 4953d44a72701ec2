#include "controller/reconcile/claims.h"

#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "controller/object/claims.h"
#include "controller/reconcile/conditions.h"

namespace cluster::controller {
namespace {

constexpr absl::string_view kDataRemoved = "DataRemoved";
constexpr absl::string_view kClaimController = "claim-controller";

// A pod that uses a claim.
struct User {
  std::string pod;
  std::string node;
};

std::map<std::string, User> UsersOf(const View& view) {
  std::map<std::string, User> users;
  if (view.All(v1::Object::kPersistentVolumeClaim).empty()) return users;
  for (const auto& [key, entry] : view.All(v1::Object::kPod)) {
    const v1::Pod& pod = entry->object.pod();
    if (pod.spec().volumes().empty() || !UsesItsClaims(pod)) continue;
    for (const std::string& claim : ClaimKeysOf(pod)) {
      users.try_emplace(claim, User{pod.metadata().name(), pod.spec().node_name()});
    }
  }
  return users;
}

class ClaimPass {
 public:
  ClaimPass(const View& view, absl::Time now) : view_(view), now_(now), users_(UsersOf(view)) {}

  Changes Run() {
    for (const auto& [key, entry] : view_.All(v1::Object::kPersistentVolumeClaim)) Look(*entry);
    return std::move(changes_);
  }

 private:
  void Look(const Entry& entry) {
    v1::Object after = entry.object;
    v1::PersistentVolumeClaim* claim = after.mutable_persistent_volume_claim();
    const auto user = users_.find(entry.key);
    const bool deleting = claim->metadata().has_deletion_timestamp();
    if (!deleting) PrepareClaim(claim);
    if (user != users_.end() && claim->status().node_name().empty()) {
      BindClaim(user->second.node, claim);
    }
    FollowSpec(claim);
    FollowNode(&after);
    if (deleting) FinishDeletion(user == users_.end() ? nullptr : &user->second, claim);
    if (SerializeObject(after) != SerializeObject(entry.object)) {
      changes_.Put(entry, std::move(after));
    }
  }

  // A request that grew is granted: the directory has no size of its own.
  static void FollowSpec(v1::PersistentVolumeClaim* claim) {
    if (claim->status().phase() != v1::CLAIM_PHASE_BOUND) return;
    *claim->mutable_status()->mutable_capacity() = claim->spec().resources().requests();
  }

  void FollowNode(v1::Object* claim) {
    v1::PersistentVolumeClaimStatus* status =
        claim->mutable_persistent_volume_claim()->mutable_status();
    if (status->node_name().empty()) return;
    const bool there = view_.Find(v1::Object::kNode, "", status->node_name()) != nullptr;
    const v1::ClaimPhase phase = there ? v1::CLAIM_PHASE_BOUND : v1::CLAIM_PHASE_LOST;
    if (status->phase() == phase) return;
    status->set_phase(phase);
    if (there) return;
    changes_.events.push_back(
        MakeEvent(*claim, "Warning", "ClaimLost",
                  absl::StrCat("its data was on ", status->node_name(), ", which is gone"),
                  kClaimController));
  }

  void FinishDeletion(const User* user, v1::PersistentVolumeClaim* claim) {
    if (!HasFinalizer(claim->metadata(), kClaimFinalizer)) return;
    auto* conditions = claim->mutable_status()->mutable_conditions();
    const std::string& node = claim->status().node_name();
    if (user != nullptr) {
      SetCondition({kDataRemoved, v1::CONDITION_STATUS_FALSE, "InUse",
                    absl::StrCat("pod ", user->pod, " uses the claim: it goes after the pod")},
                   now_, conditions);
    } else if (claim->status().phase() == v1::CLAIM_PHASE_BOUND) {
      SetCondition({kDataRemoved, v1::CONDITION_STATUS_FALSE, "Removing",
                    absl::StrCat("waits until ", node, " has removed its data")},
                   now_, conditions);
    } else {
      RemoveFinalizer(kClaimFinalizer, claim->mutable_metadata());
    }
  }

  const View& view_;
  const absl::Time now_;
  const std::map<std::string, User> users_;
  Changes changes_;
};

}  // namespace

Changes ReconcileClaims(const View& view, absl::Time now) { return ClaimPass(view, now).Run(); }

}  // namespace cluster::controller
