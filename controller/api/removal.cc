#include "controller/api/removal.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "controller/api/lookup.h"
#include "controller/object/object_fields.h"
#include "controller/reconcile/garbage.h"
#include "proto/schema/kinds.h"
#include "proto/schema/system_priorities.h"

namespace cluster::controller {
namespace {

store::Op PutOp(const std::string& key, const v1::Object& object) {
  return {store::Op::Kind::kPut, key, SerializeObject(object), /*lease=*/0};
}

store::Op DeleteOp(const std::string& key) { return {store::Op::Kind::kDelete, key, "", 0}; }

absl::Status CheckAllowed(const Entry& entry, const v1::DeleteRequest& request) {
  const v1::ObjectMeta& meta = Meta(entry.object);
  if (!request.uid().empty() && request.uid() != meta.uid()) {
    return absl::AbortedError(absl::StrCat(DisplayName(entry.object), " has uid ", meta.uid(),
                                           ", not ", request.uid(),
                                           ": it was deleted and made anew meanwhile"));
  }
  if (request.has_grace_period_seconds() && request.grace_period_seconds() < 0) {
    return absl::InvalidArgumentError("the grace period must be 0 or more seconds");
  }
  if (entry.object.has_namespace_() && meta.name() == "default") {
    return absl::FailedPreconditionError("namespace \"default\" is always there: it stays");
  }
  if (entry.object.has_priority_class() && FindSystemPriority(meta.name()) != nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("priorityclass/", meta.name(), " is the system's own: it stays"));
  }
  if (entry.object.has_node() && NodeIsReady(entry.object.node())) {
    return absl::FailedPreconditionError(absl::StrCat(
        "node/", meta.name(),
        " is attached and would come back at once: drain it and stop its agent first"));
  }
  return absl::OkStatus();
}

// Whether a node still has to end the pod before the object may go.
bool NodeMustEnd(const Cache& cache, const v1::Pod& pod, bool at_once) {
  if (pod.spec().node_name().empty()) return false;
  const EntryPtr node = cache.Find(v1::Object::kNode, "", pod.spec().node_name());
  if (node == nullptr) return false;
  return !(at_once && !NodeIsReady(node->object.node()));
}

// Sets the time at which grace ends, or brings it forward; false when nothing changes.
bool BeginEnd(v1::ObjectMeta* meta, int64_t grace, absl::Time now) {
  const absl::Time end = now + absl::Seconds(grace);
  if (meta->has_deletion_timestamp()) {
    const bool shorter = grace < meta->deletion_grace_period_seconds();
    if (!shorter) return false;
  }
  if (!meta->has_deletion_timestamp() || end < GetTime(meta->deletion_timestamp())) {
    SetTime(end, meta->mutable_deletion_timestamp());
  }
  meta->set_deletion_grace_period_seconds(grace);
  return true;
}

int64_t GraceOf(const v1::Object& object, const v1::DeleteRequest& request) {
  if (request.has_grace_period_seconds()) return request.grace_period_seconds();
  const v1::ObjectMeta& meta = Meta(object);
  if (meta.has_deletion_grace_period_seconds()) return meta.deletion_grace_period_seconds();
  if (!object.has_pod()) return 0;
  const v1::PodSpec& spec = object.pod().spec();
  return spec.has_termination_grace_period_seconds() ? spec.termination_grace_period_seconds() : 30;
}

// Whether the object stays for now, with a deletion timestamp.
bool StaysForNow(const Cache& cache, const v1::Object& object, const v1::DeleteRequest& request) {
  if (object.has_namespace_()) return true;
  if (!Meta(object).finalizers().empty()) return true;
  if (!object.has_pod()) return false;
  const bool at_once = request.has_grace_period_seconds() && request.grace_period_seconds() == 0;
  return NodeMustEnd(cache, object.pod(), at_once);
}

// The one that makes the garbage reconciler see to the owned objects first.
absl::string_view FinalizerFor(v1::Propagation propagation) {
  if (propagation == v1::PROPAGATION_FOREGROUND) return kForegroundFinalizer;
  if (propagation == v1::PROPAGATION_ORPHAN) return kOrphanFinalizer;
  return "";
}

bool OwnsAnything(const Cache& cache, const std::string& uid) {
  return cache.Read([&](const View& view) {
    return std::any_of(AllKinds().begin(), AllKinds().end(),
                       [&](const Kind& kind) { return view.OwnsAny(kind.object_case, uid); });
  });
}

}  // namespace

absl::StatusOr<RemovalPlan> PlanRemoval(const Cache& cache, const v1::DeleteRequest& request,
                                        absl::Time now) {
  ASSIGN_OR_RETURN(const EntryPtr entry,
                   FindObject(cache, request.kind(), request.namespace_(), request.name()));
  RETURN_IF_ERROR(CheckAllowed(*entry, request));
  RemovalPlan plan;
  plan.object = entry->object;
  plan.txn.conds.push_back({entry->key, entry->mod_rev});
  v1::ObjectMeta* meta = MutableMeta(&plan.object);
  bool changed = false;
  const absl::string_view finalizer = FinalizerFor(request.propagation());
  if (!finalizer.empty() && !meta->has_deletion_timestamp() && !plan.object.has_pod() &&
      OwnsAnything(cache, meta->uid())) {
    meta->add_finalizers(std::string(finalizer));
    changed = true;
  }
  if (StaysForNow(cache, plan.object, request)) {
    changed |= BeginEnd(meta, GraceOf(plan.object, request), now);
    if (plan.object.has_namespace_()) {
      plan.object.mutable_namespace_()->mutable_status()->set_phase("Terminating");
    }
    if (changed) plan.txn.ops.push_back(PutOp(entry->key, plan.object));
    plan.txn.for_deletion = true;
    return plan;
  }
  plan.gone = true;
  plan.txn.ops.push_back(DeleteOp(entry->key));
  return plan;
}

}  // namespace cluster::controller
