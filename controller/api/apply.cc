#include "controller/api/apply.h"

#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/status.h"
#include "controller/admission/admission.h"
#include "controller/api/status.h"
#include "controller/object/claims.h"
#include "controller/object/object_fields.h"
#include "controller/reconcile/pod_state.h"
#include "controller/reconcile/priority.h"
#include "proto/schema/kinds.h"
#include "proto/validate/validate.h"

namespace cluster::controller {
namespace {

constexpr int kMaxObjects = 1000;
constexpr size_t kMaxObjectBytes = 1 << 20;
constexpr size_t kMaxRequestBytes = 4 << 20;

absl::Status CheckLimits(const v1::ApplyRequest& request) {
  if (request.objects().empty()) {
    return absl::InvalidArgumentError("nothing to apply: the request holds no object");
  }
  if (request.objects_size() > kMaxObjects) {
    return absl::ResourceExhaustedError(absl::StrCat("one apply takes at most ", kMaxObjects,
                                                     " objects, this one has ",
                                                     request.objects_size(), ": split it"));
  }
  size_t total = 0;
  for (const v1::Object& object : request.objects()) {
    const size_t bytes = object.ByteSizeLong();
    if (bytes > kMaxObjectBytes) {
      return absl::ResourceExhaustedError(
          absl::StrCat(DisplayName(object), " has ", bytes, " bytes, at most 1 MiB is possible"));
    }
    total += bytes;
  }
  if (total > kMaxRequestBytes) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the objects have ", total, " bytes, one apply takes at most 4 MiB: split it"));
  }
  return absl::OkStatus();
}

// One object on its way.
struct Item {
  v1::Object object;
  EntryPtr before;
  // The uid and version that the manifest asks for.
  std::string wanted_uid;
  std::string wanted_version;
  v1::ApplyOutcome outcome = v1::APPLY_OUTCOME_UNSPECIFIED;
};

class Planner {
 public:
  Planner(const Cache& cache, AddressBook* addresses, const v1::ApplyRequest& request,
          const std::string& write_id, absl::Time now)
      : cache_(cache), addresses_(addresses), request_(request), write_id_(write_id), now_(now) {}

  absl::StatusOr<ApplyPlan> Run() {
    RETURN_IF_ERROR(CheckLimits(request_));
    for (int i = 0; i < request_.objects_size(); ++i) RETURN_IF_ERROR(Prepare(i));
    AdmitPriorities();
    if (!violations_.empty()) return InvalidObjects(violations_);
    for (size_t i = 0; i < items_.size(); ++i) RETURN_IF_ERROR(ChooseAddresses(i));
    if (!violations_.empty()) return InvalidObjects(violations_);
    for (size_t i = 0; i < items_.size(); ++i) RETURN_IF_ERROR(CheckNamespace(items_[i]));
    for (Item& item : items_) {
      RETURN_IF_ERROR(CheckRanges(item));
      Finish(&item);
    }
    for (const Item& item : items_) RETURN_IF_ERROR(CheckQuotas(item));
    return Collect();
  }

 private:
  void Violate(int object, std::string field, std::string message) {
    v1::Violation& violation = violations_.emplace_back();
    violation.set_object(object);
    violation.set_field(std::move(field));
    violation.set_message(std::move(message));
  }

  // Everything about one object that does not depend on the others.
  absl::Status Prepare(int index) {
    Item& item = items_.emplace_back();
    item.object = request_.objects(index);
    if (item.object.object_case() == v1::Object::OBJECT_NOT_SET) {
      Violate(index, "", "the object is empty: it needs a kind");
      return absl::OkStatus();
    }
    ClearSystemFields(&item);
    NameIt(index, &item.object);
    const Kind& kind = KindOf(item.object);
    v1::ObjectMeta* meta = MutableMeta(&item.object);
    if (kind.namespaced && meta->namespace_().empty()) meta->set_namespace_("default");
    if (!kind.namespaced) meta->clear_namespace_();
    item.before = cache_.Find(kind.object_case, meta->namespace_(), meta->name());
    RETURN_IF_ERROR(CheckWanted(item));
    if (item.before != nullptr) {
      KeepFromBefore(item);
    } else {
      // Before the defaults: a job's labels say it.
      meta->set_uid(DerivedUid(write_id_, Key(item.object)));
    }
    SetDefaults(&item.object);
    if (item.before == nullptr) RangesOf(meta->namespace_()).FillIn(&item.object);
    Check(index, item);
    return absl::OkStatus();
  }

  static void ClearSystemFields(Item* item) {
    v1::ObjectMeta* meta = MutableMeta(&item->object);
    item->wanted_uid = meta->uid();
    item->wanted_version = meta->resource_version();
    ClearStatus(&item->object);
    meta->clear_uid();
    meta->clear_resource_version();
    meta->clear_generation();
    meta->clear_creation_timestamp();
    meta->clear_deletion_timestamp();
    meta->clear_deletion_grace_period_seconds();
    if (item->object.has_node() && item->object.node().has_spec()) {
      item->object.mutable_node()->mutable_spec()->clear_pod_cidr();
    }
  }

  void NameIt(int index, v1::Object* object) const {
    v1::ObjectMeta* meta = MutableMeta(object);
    if (!meta->name().empty() || meta->generate_name().empty()) return;
    meta->set_name(absl::StrCat(meta->generate_name(),
                                DerivedSuffix(write_id_, absl::StrCat("name ", index))));
  }

  absl::Status CheckWanted(const Item& item) const {
    if (item.before == nullptr) {
      if (item.wanted_version.empty()) return absl::OkStatus();
      return absl::AbortedError(
          absl::StrCat(DisplayName(item.object), " is gone since it had resourceVersion ",
                       item.wanted_version, ": remove metadata.resourceVersion to create it anew"));
    }
    if (!item.wanted_version.empty() && item.wanted_version != absl::StrCat(item.before->mod_rev)) {
      return absl::AbortedError(absl::StrCat(
          DisplayName(item.object), " was changed meanwhile: it has resourceVersion ",
          item.before->mod_rev, ", not ", item.wanted_version, "; read it again and retry"));
    }
    const std::string& uid = Meta(item.before->object).uid();
    if (!item.wanted_uid.empty() && item.wanted_uid != uid) {
      return absl::AbortedError(absl::StrCat(DisplayName(item.object),
                                             " is another object than the manifest's: its uid is ",
                                             uid, "; remove metadata.uid to change this one"));
    }
    return absl::OkStatus();
  }

  static void KeepFromBefore(Item& item) {
    const v1::Object& before = item.before->object;
    v1::ObjectMeta* meta = MutableMeta(&item.object);
    const v1::ObjectMeta& old = Meta(before);
    meta->set_uid(old.uid());
    meta->set_generation(old.generation());
    *meta->mutable_creation_timestamp() = old.creation_timestamp();
    if (old.has_deletion_timestamp()) {
      *meta->mutable_deletion_timestamp() = old.deletion_timestamp();
    }
    if (old.has_deletion_grace_period_seconds()) {
      meta->set_deletion_grace_period_seconds(old.deletion_grace_period_seconds());
    }
    if (meta->generate_name().empty()) meta->set_generate_name(old.generate_name());
    CopyStatus(before, &item.object);
    KeepSystemSpec(before, &item.object);
    if (before.has_service()) {
      KeepChosen(before.service().spec(), item.object.mutable_service()->mutable_spec());
    }
    if (!item.wanted_version.empty()) return;
    KeepUndeclared(before, &item.object);
    KeepFilledIn(before, &item.object);
  }

  void Check(int index, const Item& item) {
    for (FieldError& error : Validate(item.object)) {
      Violate(index, std::move(error.field), std::move(error.message));
    }
    if (item.before != nullptr) {
      for (FieldError& error : ValidateUpdate(item.before->object, item.object)) {
        Violate(index, std::move(error.field), std::move(error.message));
      }
    } else if (!item.object.pod().spec().ephemeral_containers().empty()) {
      Violate(
          index, "spec.ephemeralContainers",
          "these are for a look at a running pod: create it without, then use clusterctl debug");
    }
    const std::string key = Key(item.object);
    if (!keys_.insert(key).second) {
      Violate(index, "metadata.name",
              absl::StrCat(DisplayName(item.object), " is in the request twice: keep one of them"));
    }
  }

  // Classes of the request itself count, wherever they stand in it.
  void AdmitPriorities() {
    PriorityClasses classes = cache_.Read([](const View& view) { return PriorityClasses(view); });
    for (const Item& item : items_) {
      if (item.object.has_priority_class()) classes.Put(item.object.priority_class());
    }
    for (size_t i = 0; i < items_.size(); ++i) {
      v1::Object& object = items_[i].object;
      if (object.has_pod() && items_[i].before == nullptr) {
        auto [field, message] = classes.Admit(object.mutable_pod()->mutable_spec());
        if (!message.empty()) {
          Violate(static_cast<int>(i), absl::StrCat("spec.", field), std::move(message));
        }
      }
      if (!object.priority_class().global_default()) continue;
      const std::string other = classes.OtherDefault(Meta(object).name());
      if (other.empty()) continue;
      Violate(static_cast<int>(i), "globalDefault",
              absl::StrCat(other, " is the default already; take it off there first"));
    }
  }

  // Once nothing else is wrong: what is chosen is taken from the others.
  absl::Status ChooseAddresses(size_t index) {
    Item& item = items_[index];
    if (!item.object.has_service()) return absl::OkStatus();
    const v1::Service* before = item.before == nullptr ? nullptr : &item.before->object.service();
    ASSIGN_OR_RETURN(std::vector<FieldError> errors,
                     addresses_->FillIn(Meta(item.object).uid(), before,
                                        item.object.mutable_service(), &reserved_));
    for (FieldError& error : errors) {
      Violate(static_cast<int>(index), std::move(error.field), std::move(error.message));
    }
    return absl::OkStatus();
  }

  absl::Status CheckNamespace(const Item& item) {
    const Kind& kind = KindOf(item.object);
    if (!kind.namespaced || item.before != nullptr) return absl::OkStatus();
    const std::string& name = Meta(item.object).namespace_();
    if (keys_.contains(absl::StrCat("namespaces/", name))) return absl::OkStatus();
    const EntryPtr found = cache_.Find(v1::Object::kNamespace, "", name);
    if (found == nullptr) {
      return absl::NotFoundError(absl::StrCat("namespace \"", name, "\" of ",
                                              DisplayName(item.object),
                                              " does not exist: create it first"));
    }
    if (Meta(found->object).has_deletion_timestamp()) {
      return absl::FailedPreconditionError(
          absl::StrCat("namespace \"", name, "\" is being deleted: nothing new is made in it"));
    }
    namespaces_[found->key] = found->mod_rev;
    return absl::OkStatus();
  }

  const LimitRanges& RangesOf(const std::string& name_space) {
    const auto known = ranges_.find(name_space);
    if (known != ranges_.end()) return known->second;
    return ranges_
        .emplace(name_space,
                 cache_.Read([&](const View& view) { return LimitRanges(view, name_space); }))
        .first->second;
  }

  QuotaBook* QuotasOf(const std::string& name_space) {
    const auto known = quotas_.find(name_space);
    if (known != quotas_.end()) return &known->second;
    return &quotas_
                .emplace(name_space,
                         cache_.Read([&](const View& view) { return QuotaBook(view, name_space); }))
                .first->second;
  }

  // What exists already is judged only by what changes of it.
  absl::Status CheckRanges(const Item& item) {
    if (item.before != nullptr && !SpecChanged(item.before->object, item.object)) {
      return absl::OkStatus();
    }
    const v1::ObjectMeta& meta = Meta(item.object);
    const auto problems = RangesOf(meta.namespace_()).Problems(item.object);
    if (problems.empty()) return absl::OkStatus();
    return absl::FailedPreconditionError(
        ForbiddenText(item.object, meta.name(), JoinProblems(problems)));
  }

  absl::Status CheckQuotas(const Item& item) {
    if (item.outcome == v1::APPLY_OUTCOME_UNCHANGED) return absl::OkStatus();
    const v1::ObjectMeta& meta = Meta(item.object);
    const v1::Object* before = item.before == nullptr ? nullptr : &item.before->object;
    const std::string refusal = QuotasOf(meta.namespace_())->Admit(before, item.object);
    if (refusal.empty()) return absl::OkStatus();
    return absl::FailedPreconditionError(ForbiddenText(item.object, meta.name(), refusal));
  }

  // In the same transaction as what they count: of two creations that see the same last place of a
  // quota, one meets a conflict and looks again.
  void AddQuotas(ApplyPlan* plan) {
    for (const auto& [name_space, book] : quotas_) {
      for (QuotaBook::Updated& quota : book.Quotas()) {
        if (!quota.counted || keys_.contains(quota.before->key)) continue;
        plan->txn.conds.push_back({quota.before->key, quota.before->mod_rev});
        plan->txn.ops.push_back(
            {store::Op::Kind::kPut, quota.before->key, SerializeObject(quota.after), /*lease=*/0});
      }
    }
  }

  void Finish(Item* item) {
    v1::ObjectMeta* meta = MutableMeta(&item->object);
    if (item->before == nullptr) {
      item->outcome = v1::APPLY_OUTCOME_CREATED;
      meta->set_generation(1);
      SetTime(now_, meta->mutable_creation_timestamp());
      if (item->object.has_pod()) {
        v1::Pod* pod = item->object.mutable_pod();
        *pod->mutable_status() = NewPodStatus(pod->spec());
      } else if (item->object.has_persistent_volume_claim()) {
        PrepareClaim(item->object.mutable_persistent_volume_claim());
      }
      return;
    }
    if (SerializeObject(item->object) == SerializeObject(item->before->object)) {
      item->outcome = v1::APPLY_OUTCOME_UNCHANGED;
      item->object = item->before->object;
      return;
    }
    item->outcome = v1::APPLY_OUTCOME_CONFIGURED;
    if (SpecChanged(item->before->object, item->object)) {
      meta->set_generation(meta->generation() + 1);
    }
  }

  ApplyPlan Collect() {
    ApplyPlan plan;
    for (Item& item : items_) {
      const std::string key = Key(item.object);
      if (item.outcome != v1::APPLY_OUTCOME_UNCHANGED) {
        plan.txn.conds.push_back({key, item.before == nullptr ? 0 : item.before->mod_rev});
        plan.txn.ops.push_back(
            {store::Op::Kind::kPut, key, SerializeObject(item.object), /*lease=*/0});
      }
      plan.keys.push_back(key);
      v1::ApplyResult& result = plan.results.emplace_back();
      result.set_outcome(item.outcome);
      *result.mutable_object() = std::move(item.object);
    }
    plan.reserved = std::move(reserved_);
    if (plan.txn.ops.empty()) return plan;
    AddQuotas(&plan);
    for (const auto& [key, mod_rev] : namespaces_) plan.txn.conds.push_back({key, mod_rev});
    return plan;
  }

  const Cache& cache_;
  AddressBook* const addresses_;
  const v1::ApplyRequest& request_;
  const std::string& write_id_;
  const absl::Time now_;
  std::vector<Item> items_;
  std::set<std::string> keys_;
  std::map<std::string, store::Rev> namespaces_;  // that new objects are made in
  std::map<std::string, LimitRanges> ranges_;     // by namespace
  std::map<std::string, QuotaBook> quotas_;       // by namespace
  std::vector<v1::Violation> violations_;
  Reservation reserved_;
};

}  // namespace

absl::StatusOr<ApplyPlan> PlanApply(const Cache& cache, AddressBook* addresses,
                                    const v1::ApplyRequest& request, const std::string& write_id,
                                    absl::Time now) {
  return Planner(cache, addresses, request, write_id, now).Run();
}

}  // namespace cluster::controller
