#include "controller/reconcile/stateful_claims.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "controller/object/claims.h"
#include "controller/reconcile/conditions.h"
#include "controller/reconcile/garbage.h"
#include "controller/reconcile/stateful_identity.h"

namespace cluster::controller {
namespace {

v1::Object Wrapped(v1::PersistentVolumeClaim claim) {
  v1::Object object;
  *object.mutable_persistent_volume_claim() = std::move(claim);
  return object;
}

bool GoWithTheSet(const v1::StatefulSet& set) {
  return set.spec().persistent_volume_claim_retention_policy().when_deleted() ==
         v1::CLAIM_RETENTION_DELETE;
}

bool GoWithTheirPods(const v1::StatefulSet& set) {
  return set.spec().persistent_volume_claim_retention_policy().when_scaled() ==
         v1::CLAIM_RETENTION_DELETE;
}

v1::PersistentVolumeClaim NewClaim(const v1::Object& owner,
                                   const v1::PersistentVolumeClaim& claim_template, int ordinal,
                                   const PassInputs& inputs) {
  const v1::StatefulSet& set = owner.stateful_set();
  v1::PersistentVolumeClaim claim = claim_template;
  claim.clear_status();
  v1::ObjectMeta* meta = claim.mutable_metadata();
  meta->set_name(StatefulClaimName(set, claim_template.metadata().name(), ordinal));
  meta->set_namespace_(set.metadata().namespace_());
  meta->set_uid(RandomUid(inputs.random));
  meta->set_generation(1);
  *meta->mutable_creation_timestamp() = Seconds(inputs.now);
  for (const auto& [key, value] : set.spec().selector().match_labels()) {
    (*meta->mutable_labels())[key] = value;
  }
  if (GoWithTheSet(set)) AddOwner(owner, meta);
  PrepareClaim(&claim);
  return claim;
}

// A claim that somebody made by hand under the name is used, but not theirs to delete.
bool IsMadeBy(const v1::StatefulSet& set, const v1::ObjectMeta& meta) {
  for (const auto& [key, value] : set.spec().selector().match_labels()) {
    if (LabelOf(meta, key) != value) return false;
  }
  return true;
}

bool Owns(const v1::Object& owner, const v1::ObjectMeta& meta) {
  for (const v1::OwnerReference& reference : meta.owner_references()) {
    if (reference.uid() == Meta(owner).uid()) return true;
  }
  return false;
}

class RetentionPass {
 public:
  RetentionPass(const Entry& set, const std::set<int>& present, const PassInputs& inputs,
                Changes* changes)
      : set_(set), present_(present), inputs_(inputs), changes_(changes) {}

  void Run() {
    for (const v1::PersistentVolumeClaim& claim_template : spec().volume_claim_templates()) {
      const std::string prefix = absl::StrCat(
          KindOf(v1::Object::kPersistentVolumeClaim).plural, "/", Meta(set_.object).namespace_(),
          "/", claim_template.metadata().name(), "-", Meta(set_.object).name(), "-");
      const auto& all = inputs_.view->All(v1::Object::kPersistentVolumeClaim);
      for (const auto& [key, claim] : all.Under(prefix)) {
        int ordinal = 0;
        if (absl::SimpleAtoi(key.substr(prefix.size()), &ordinal)) Look(*claim, ordinal);
      }
    }
  }

 private:
  const v1::StatefulSetSpec& spec() const { return set_.object.stateful_set().spec(); }

  void Look(const Entry& claim, int ordinal) {
    const v1::ObjectMeta& meta = Meta(claim.object);
    if (meta.has_deletion_timestamp() || inputs_.taken->contains(claim.key)) return;
    if (!IsMadeBy(set_.object.stateful_set(), meta)) return;
    const int start = spec().ordinals().start();
    const bool wanted = ordinal >= start && ordinal < start + spec().replicas();
    if (!wanted && present_.count(ordinal) == 0 && GoWithTheirPods(set_.object.stateful_set())) {
      DeleteObject(claim, inputs_.now, changes_);
      return;
    }
    const bool goes_along = GoWithTheSet(set_.object.stateful_set());
    if (goes_along == Owns(set_.object, meta)) return;
    if (goes_along && ControllerOf(meta) != nullptr) return;
    v1::Object after = claim.object;
    if (goes_along) {
      AddOwner(set_.object, MutableMeta(&after));
    } else {
      after = WithoutOwner(std::move(after), Meta(set_.object).uid());
    }
    changes_->Put(claim, std::move(after));
  }

  const Entry& set_;
  const std::set<int>& present_;
  const PassInputs& inputs_;
  Changes* const changes_;
};

}  // namespace

std::string MakeClaims(const Entry& set, int ordinal, const PassInputs& inputs, Changes* changes) {
  const v1::StatefulSet& spec = set.object.stateful_set();
  for (const v1::PersistentVolumeClaim& claim_template : spec.spec().volume_claim_templates()) {
    v1::Object claim = Wrapped(NewClaim(set.object, claim_template, ordinal, inputs));
    const std::string name = Meta(claim).name();
    const EntryPtr there = inputs.view->Find(Key(claim));
    if (there != nullptr && Meta(there->object).has_deletion_timestamp()) return name;
    if (there != nullptr) continue;
    const std::string pod = StatefulPodName(spec, ordinal);
    changes->events.push_back(
        MakeEvent(set.object, "Normal", "SuccessfulCreate",
                  absl::StrCat("create Claim ", name, " Pod ", pod, " in StatefulSet ",
                               spec.metadata().name(), " success"),
                  kStatefulSetController));
    changes->Create(std::move(claim));
  }
  return "";
}

void FollowRetention(const Entry& set, const std::set<int>& present, const PassInputs& inputs,
                     Changes* changes) {
  RetentionPass(set, present, inputs, changes).Run();
}

}  // namespace cluster::controller
