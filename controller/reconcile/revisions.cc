#include "controller/reconcile/revisions.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "controller/reconcile/conditions.h"
#include "controller/reconcile/pod_state.h"
#include "controller/reconcile/rollout.h"
#include "proto/schema/stable_bytes.h"

namespace cluster::controller {
namespace {

class RevisionMaker {
 public:
  RevisionMaker(const View& view, absl::Time now, Rollout* rollout)
      : view_(view),
        now_(now),
        min_ready_(absl::Seconds(rollout->spec().spec().min_ready_seconds())),
        rollout_(rollout) {}

  Revision Make(const EntryPtr& entry) {
    Revision revision;
    revision.entry = entry;
    revision.want = entry->object;
    for (const EntryPtr& each : view_.OwnedBy(v1::Object::kPod, Meta(entry->object).uid())) {
      if (!IsFinished(*each)) revision.present.push_back(each);
      if (each->marks.failed) ++revision.failed;
      if (!IsActive(*each)) continue;
      ++revision.active;
      if (IsReady(*each)) ++revision.ready;
      const absl::Time available_at = AvailableAt(*each, min_ready_, now_);
      if (available_at <= now_) {
        ++revision.available;
      } else {
        rollout_->next_available = std::min(rollout_->next_available, available_at);
      }
    }
    return revision;
  }

 private:
  const View& view_;
  const absl::Time now_;
  const absl::Duration min_ready_;
  Rollout* const rollout_;
};

bool IsAnyTaken(const Revision& revision, const absl::flat_hash_set<std::string>& taken) {
  if (taken.contains(revision.entry->key)) return true;
  return HoldsAny(revision.present, taken);
}

bool IsOlder(const Revision& a, const Revision& b) {
  return std::make_tuple(a.entry->create_rev, absl::string_view(a.entry->key)) <
         std::make_tuple(b.entry->create_rev, absl::string_view(b.entry->key));
}

// Where the pods of several sets are as the Deployment wants them (a user made one), the oldest is
// it.
void PickCurrent(const View& view, std::vector<Revision> revisions, Rollout* rollout) {
  std::vector<EntryPtr> sets;
  for (const Revision& revision : revisions) sets.push_back(revision.entry);
  const Workload workload = WorkloadOf(rollout->spec(), sets);
  rollout->data = PlanData(view, workload);
  std::sort(revisions.begin(), revisions.end(), IsOlder);
  for (Revision& revision : revisions) {
    const v1::ReplicaSet& set = revision.set();
    if (!rollout->current.has_value() &&
        IsWanted(set.metadata(), set.spec().template_(), workload, rollout->data)) {
      rollout->current = std::move(revision);
    } else {
      rollout->old.push_back(std::move(revision));
    }
  }
}

bool IsOwnAnnotation(absl::string_view key) {
  return key == kRevisionAnnotation || key == kDesiredAnnotation || key == kPinAnnotation ||
         key == "kubectl.kubernetes.io/last-applied-configuration";
}

}  // namespace

std::vector<Revision*> Rollout::all() {
  std::vector<Revision*> every;
  for (Revision& revision : old) every.push_back(&revision);
  if (current.has_value()) every.push_back(&*current);
  return every;
}

int Rollout::TotalReplicas() const {
  int total = current.has_value() ? current->replicas() : 0;
  for (const Revision& revision : old) total += revision.replicas();
  return total;
}

Workload WorkloadOf(const v1::Deployment& deployment, const std::vector<EntryPtr>& sets) {
  Workload workload{deployment.metadata(), deployment.spec().template_(), 0, {}};
  const v1::ReplicaSet* newest = nullptr;
  for (const EntryPtr& entry : sets) {
    const v1::ReplicaSet& set = entry->object.replica_set();
    if (newest == nullptr || RevisionOf(set.metadata()) > workload.newest) newest = &set;
    workload.newest = RevisionOf(newest->metadata());
  }
  if (newest != nullptr) workload.held = DataOf(newest->metadata());
  return workload;
}

bool SameTemplate(const v1::PodTemplateSpec& a, const v1::PodTemplateSpec& b) {
  v1::PodTemplateSpec plain_a = a;
  v1::PodTemplateSpec plain_b = b;
  plain_a.mutable_metadata()->mutable_labels()->erase(std::string(kTemplateHashLabel));
  plain_b.mutable_metadata()->mutable_labels()->erase(std::string(kTemplateHashLabel));
  return SameMessage(plain_a, plain_b);
}

int64_t RevisionOf(const v1::ObjectMeta& meta) {
  const auto annotation = meta.annotations().find(std::string(kRevisionAnnotation));
  int64_t revision = 0;
  if (annotation == meta.annotations().end() || !absl::SimpleAtoi(annotation->second, &revision)) {
    return 0;
  }
  return revision;
}

std::optional<Rollout> GatherRollout(const View& view, const EntryPtr& deployment,
                                     const Orphans& orphans,
                                     const absl::flat_hash_set<std::string>& taken, absl::Time now,
                                     Changes* changes) {
  if (taken.contains(deployment->key)) return std::nullopt;
  Rollout rollout;
  rollout.deployment = deployment;
  RevisionMaker maker(view, now, &rollout);
  std::vector<Revision> revisions;
  for (const EntryPtr& entry :
       view.OwnedBy(v1::Object::kReplicaSet, Meta(deployment->object).uid())) {
    if (Meta(entry->object).has_deletion_timestamp()) continue;
    Revision revision = maker.Make(entry);
    if (IsAnyTaken(revision, taken)) return std::nullopt;
    if (Selects(deployment->object, *entry)) {
      revisions.push_back(std::move(revision));
    } else {
      changes->Put(*entry, WithoutOwner(entry->object, Meta(deployment->object).uid()));
    }
  }
  for (const EntryPtr& entry : orphans.Matching(deployment->object)) {
    Revision revision = maker.Make(entry);
    if (IsAnyTaken(revision, taken)) return std::nullopt;
    AddOwner(deployment->object, MutableMeta(&revision.want));
    revisions.push_back(std::move(revision));
  }
  PickCurrent(view, std::move(revisions), &rollout);
  return rollout;
}

void AddCurrent(const View& view, absl::Time now, Random* random, Rollout* rollout) {
  const v1::Deployment& deployment = rollout->spec();
  const std::string& name_space = deployment.metadata().namespace_();
  v1::PodTemplateSpec pods =
      WithCopies(deployment.spec().template_(), name_space, rollout->data.data);
  std::string hash;
  std::string name;
  // Another set may bear the name: a collision of hashes, or one that a user made.
  for (int salt = 0; name.empty(); ++salt) {
    hash = TemplateHash(pods, salt);
    name = JoinName(deployment.metadata().name(), hash);
    if (view.Find(v1::Object::kReplicaSet, name_space, name) != nullptr) name.clear();
  }
  Revision revision;
  v1::ReplicaSet* set = revision.want.mutable_replica_set();
  set->set_api_version("apps/v1");
  set->set_kind("ReplicaSet");
  set->mutable_metadata()->set_name(name);
  set->mutable_metadata()->set_namespace_(name_space);
  set->mutable_metadata()->set_uid(RandomUid(random));
  set->mutable_metadata()->set_generation(1);
  *set->mutable_metadata()->mutable_creation_timestamp() = Seconds(now);
  AddOwner(rollout->deployment->object, set->mutable_metadata());
  *set->mutable_spec()->mutable_selector() = deployment.spec().selector();
  *set->mutable_spec()->mutable_template_() = std::move(pods);
  set->mutable_spec()->set_replicas(0);
  const std::string label(kTemplateHashLabel);
  (*set->mutable_spec()->mutable_selector()->mutable_match_labels())[label] = hash;
  (*set->mutable_spec()->mutable_template_()->mutable_metadata()->mutable_labels())[label] = hash;
  *set->mutable_metadata()->mutable_labels() = set->spec().template_().metadata().labels();
  rollout->current = std::move(revision);
  rollout->created = true;
}

void NumberCurrent(Rollout* rollout) {
  int64_t highest = 0;
  for (const Revision& revision : rollout->old) {
    highest = std::max(highest, RevisionOf(revision.set().metadata()));
  }
  rollout->current->want.mutable_replica_set()->mutable_spec()->set_min_ready_seconds(
      rollout->spec().spec().min_ready_seconds());
  v1::ObjectMeta* meta = MutableMeta(&rollout->current->want);
  auto& annotations = *meta->mutable_annotations();
  if (RevisionOf(*meta) <= highest) {
    annotations[std::string(kRevisionAnnotation)] = absl::StrCat(highest + 1);
    rollout->found = !rollout->created;
  }
  NoteData(rollout->data, rollout->created, meta);
  for (const auto& [key, value] : rollout->spec().metadata().annotations()) {
    if (!IsOwnAnnotation(key)) annotations[key] = value;
  }
}

void MarkSized(Rollout* rollout) {
  for (Revision* revision : rollout->all()) {
    if (revision->replicas() == 0) continue;
    (*MutableMeta(&revision->want)->mutable_annotations())[std::string(kDesiredAnnotation)] =
        absl::StrCat(rollout->replicas());
  }
}

void CleanHistory(const Rollout& rollout, Changes* changes) {
  std::vector<const Revision*> empty;
  for (const Revision& revision : rollout.old) {
    if (revision.replicas() == 0 && revision.present.empty()) empty.push_back(&revision);
  }
  std::sort(empty.begin(), empty.end(), [](const Revision* a, const Revision* b) {
    return RevisionOf(a->set().metadata()) < RevisionOf(b->set().metadata());
  });
  const auto& spec = rollout.spec().spec();
  const int limit = spec.has_revision_history_limit() ? spec.revision_history_limit() : 10;
  const int surplus = static_cast<int>(empty.size()) - limit;
  for (int i = 0; i < surplus; ++i) changes->Delete(*empty[static_cast<size_t>(i)]->entry);
}

}  // namespace cluster::controller
