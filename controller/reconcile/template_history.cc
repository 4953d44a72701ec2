#include "controller/reconcile/template_history.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "controller/reconcile/conditions.h"
#include "controller/reconcile/data_versions.h"
#include "controller/reconcile/revisions.h"
#include "proto/schema/stable_bytes.h"

namespace cluster::controller {
namespace {

constexpr absl::string_view kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";

const v1::ControllerRevision& RevisionIn(const EntryPtr& entry) {
  return entry->object.controller_revision();
}

bool IsEarlier(const EntryPtr& a, const EntryPtr& b) {
  return std::make_tuple(RevisionIn(a).revision(), a->create_rev, absl::string_view(a->key)) <
         std::make_tuple(RevisionIn(b).revision(), b->create_rev, absl::string_view(b->key));
}

v1::PodTemplateSpec* MutableTemplateOf(v1::Object* owner) {
  return owner->has_stateful_set()
             ? owner->mutable_stateful_set()->mutable_spec()->mutable_template_()
             : owner->mutable_daemon_set()->mutable_spec()->mutable_template_();
}

// What tells people why the revision came to be.
void CopyAnnotations(const v1::ObjectMeta& owner, v1::ObjectMeta* meta) {
  for (const auto& [key, value] : owner.annotations()) {
    if (key != kLastApplied && key != kPinAnnotation) (*meta->mutable_annotations())[key] = value;
  }
}

// What the owner says of its data; `kept`: its revisions, the newest last.
Workload WorkloadOf(const v1::Object& owner, const std::vector<EntryPtr>& kept) {
  Workload workload{Meta(owner), TemplateOf(owner), 0, {}};
  if (kept.empty()) return workload;
  workload.newest = RevisionIn(kept.back()).revision();
  workload.held = DataOf(RevisionIn(kept.back()).metadata());
  return workload;
}

v1::ControllerRevision NewRevision(const v1::Object& owner, const DataPlan& data,
                                   const PassInputs& inputs) {
  const v1::PodTemplateSpec pod_template =
      WithCopies(TemplateOf(owner), Meta(owner).namespace_(), data.data);
  std::string hash;
  std::string name;
  // Another revision may bear the name: a collision of hashes, or one that a user made.
  for (int salt = 0; name.empty(); ++salt) {
    hash = TemplateHash(pod_template, salt);
    name = JoinName(Meta(owner).name(), hash);
    const EntryPtr other =
        inputs.view->Find(v1::Object::kControllerRevision, Meta(owner).namespace_(), name);
    if (other != nullptr) name.clear();
  }
  v1::ControllerRevision revision;
  revision.set_api_version("apps/v1");
  revision.set_kind("ControllerRevision");
  v1::ObjectMeta* meta = revision.mutable_metadata();
  meta->set_name(name);
  meta->set_namespace_(Meta(owner).namespace_());
  meta->set_uid(RandomUid(inputs.random));
  meta->set_generation(1);
  *meta->mutable_creation_timestamp() = Seconds(inputs.now);
  *meta->mutable_labels() = pod_template.metadata().labels();
  (*meta->mutable_labels())[std::string(kHashLabel)] = hash;
  if (owner.has_daemon_set()) (*meta->mutable_labels())[std::string(kRevisionLabel)] = hash;
  AddOwner(owner, meta);
  *revision.mutable_data() = pod_template;
  return revision;
}

// The revisions of the owner, those that it adopts included; nullopt where one is taken.
std::optional<std::vector<EntryPtr>> KeptBy(const Entry& owner, const Orphans& orphans,
                                            const PassInputs& inputs) {
  std::vector<EntryPtr> kept;
  for (const EntryPtr& entry :
       inputs.view->OwnedBy(v1::Object::kControllerRevision, Meta(owner.object).uid())) {
    if (inputs.taken->contains(entry->key)) return std::nullopt;
    if (!Meta(entry->object).has_deletion_timestamp()) kept.push_back(entry);
  }
  for (const EntryPtr& entry : orphans.Matching(owner.object)) {
    if (inputs.taken->contains(entry->key)) return std::nullopt;
    kept.push_back(entry);
  }
  std::sort(kept.begin(), kept.end(), IsEarlier);
  return kept;
}

}  // namespace

const v1::ControllerRevision* TemplateHistory::Find(absl::string_view name) const {
  if (update.metadata().name() == name) return &update;
  for (const EntryPtr& entry : kept) {
    if (Meta(entry->object).name() == name) return &RevisionIn(entry);
  }
  return nullptr;
}

const v1::PodTemplateSpec& TemplateOf(const v1::Object& owner) {
  return owner.has_stateful_set() ? owner.stateful_set().spec().template_()
                                  : owner.daemon_set().spec().template_();
}

std::string LabelOf(const v1::ObjectMeta& meta, absl::string_view label) {
  const auto found = meta.labels().find(std::string(label));
  return found == meta.labels().end() ? "" : found->second;
}

std::string HashOf(const v1::ControllerRevision& revision) {
  return LabelOf(revision.metadata(), kHashLabel);
}

std::optional<TemplateHistory> GatherHistory(const Entry& owner, const Orphans& orphans,
                                             const PassInputs& inputs, Changes* changes) {
  std::optional<std::vector<EntryPtr>> kept = KeptBy(owner, orphans, inputs);
  if (!kept.has_value()) return std::nullopt;
  TemplateHistory history;
  history.kept = *std::move(kept);
  const int64_t highest = history.kept.empty() ? 0 : RevisionIn(history.kept.back()).revision();
  const Workload workload = WorkloadOf(owner.object, history.kept);
  const DataPlan plan = PlanData(*inputs.view, workload);
  EntryPtr current;
  // Where several have the template, the newest is it.
  for (const EntryPtr& entry : history.kept) {
    const v1::ControllerRevision& revision = RevisionIn(entry);
    if (IsWanted(revision.metadata(), revision.data(), workload, plan)) current = entry;
  }
  for (const EntryPtr& entry : history.kept) {
    v1::ControllerRevision after = RevisionIn(entry);
    if (ControllerOf(after.metadata()) == nullptr) {
      AddOwner(owner.object, after.mutable_metadata());
    }
    if (entry == current) {
      if (after.revision() < highest) after.set_revision(highest + 1);
      CopyAnnotations(Meta(owner.object), after.mutable_metadata());
      NoteData(plan, false, after.mutable_metadata());
      history.update = after;
    }
    if (!SameMessage(after, RevisionIn(entry))) changes->Put(*entry, Wrap(std::move(after)));
  }
  // A revision comes with the data that its pods are made with, or not at all.
  Changes made;
  MakeCopies(*inputs.view, plan.data, inputs.now, inputs.random, &made);
  if (current == nullptr) {
    history.update = NewRevision(owner.object, plan, inputs);
    history.update.set_revision(highest + 1);
    CopyAnnotations(Meta(owner.object), history.update.mutable_metadata());
    NoteData(plan, true, history.update.mutable_metadata());
    made.Create(Wrap(history.update));
  }
  changes->Together(std::move(made));
  return history;
}

void TrimHistory(const TemplateHistory& history, const std::set<std::string>& live, int limit,
                 Changes* changes) {
  std::vector<const Entry*> idle;
  for (const EntryPtr& entry : history.kept) {
    const v1::ControllerRevision& revision = RevisionIn(entry);
    const std::string& name = revision.metadata().name();
    const bool in_use = name == history.update.metadata().name() || live.count(name) != 0 ||
                        live.count(HashOf(revision)) != 0;
    if (!in_use) idle.push_back(entry.get());
  }
  const int surplus = static_cast<int>(idle.size()) - limit;
  for (int i = 0; i < surplus; ++i) changes->Delete(*idle[static_cast<size_t>(i)]);
}

absl::StatusOr<TemplateUndo> PlanTemplateUndo(const View& view, const Entry& owner,
                                              int64_t to_revision) {
  const v1::ObjectMeta& meta = Meta(owner.object);
  std::vector<EntryPtr> kept = view.OwnedBy(v1::Object::kControllerRevision, meta.uid());
  std::sort(kept.begin(), kept.end(), IsEarlier);
  const v1::ControllerRevision* found = nullptr;
  for (size_t i = 0; i < kept.size(); ++i) {
    const v1::ControllerRevision& revision = RevisionIn(kept[i]);
    const bool is_it = to_revision != 0 ? revision.revision() == to_revision : i + 2 == kept.size();
    if (is_it) found = &revision;
  }
  const std::string who = absl::StrCat(KindOf(owner.object).singular, " \"", meta.name(), "\"");
  if (found == nullptr && to_revision == 0) {
    return absl::NotFoundError(absl::StrCat(who, " has no earlier revision to return to"));
  }
  if (found == nullptr) {
    return absl::NotFoundError(absl::StrCat(who, " has no revision ", to_revision,
                                            "; see rollout history for the kept ones"));
  }
  const DataVersions data = DataOf(found->metadata());
  v1::PodTemplateSpec pods = WithoutCopies(found->data(), meta.namespace_(), data);
  if (SameTemplate(pods, TemplateOf(owner.object)) &&
      (found == &RevisionIn(kept.back()) || data.empty())) {
    return absl::FailedPreconditionError(
        absl::StrCat(who, " already has the template of revision ", found->revision()));
  }
  TemplateUndo undo;
  undo.owner = owner.object;
  undo.from_revision = found->revision();
  *MutableTemplateOf(&undo.owner) = std::move(pods);
  if (RollsOnData(meta) && !data.empty()) {
    RETURN_IF_ERROR(CheckCopies(view, found->metadata(), found->data(), found->revision()));
    PinData(view, data, WorkloadOf(undo.owner, kept), MutableMeta(&undo.owner));
  }
  return undo;
}

}  // namespace cluster::controller
