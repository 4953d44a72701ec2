#include "controller/admission/admission.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "controller/reconcile/conditions.h"
#include "controller/reconcile/pod_state.h"
#include "controller/reconcile/priority.h"
#include "proto/schema/pod_resources.h"
#include "proto/schema/stable_bytes.h"
#include "proto/validate/validate.h"

namespace cluster::controller {
namespace {

// Kinds that make pods, or make what makes them.
constexpr v1::Object::ObjectCase kOwners[] = {v1::Object::kReplicaSet, v1::Object::kDeployment,
                                              v1::Object::kJob, v1::Object::kStatefulSet,
                                              v1::Object::kDaemonSet};

// nullptr for every other kind.
const Conditions* ConditionsOf(const v1::Object& object) {
  if (object.has_replica_set()) return &object.replica_set().status().conditions();
  if (object.has_deployment()) return &object.deployment().status().conditions();
  if (object.has_job()) return &object.job().status().conditions();
  if (object.has_stateful_set()) return &object.stateful_set().status().conditions();
  if (object.has_daemon_set()) return &object.daemon_set().status().conditions();
  return nullptr;
}

Conditions* MutableConditionsOf(v1::Object* object) {
  if (object->has_replica_set())
    return object->mutable_replica_set()->mutable_status()->mutable_conditions();
  if (object->has_deployment())
    return object->mutable_deployment()->mutable_status()->mutable_conditions();
  if (object->has_job()) return object->mutable_job()->mutable_status()->mutable_conditions();
  if (object->has_stateful_set())
    return object->mutable_stateful_set()->mutable_status()->mutable_conditions();
  if (object->has_daemon_set())
    return object->mutable_daemon_set()->mutable_status()->mutable_conditions();
  return nullptr;
}

bool IsRefused(const v1::Object& object) {
  const Conditions* conditions = ConditionsOf(object);
  return conditions != nullptr && IsTrue(*conditions, kReplicaFailure);
}

bool IsCreation(const Write& write) { return write.expected == 0 && write.put.has_value(); }

bool IsNewPod(const Write& write) { return IsCreation(write) && write.put->has_pod(); }

// One that does not change from try to try.
std::string StableName(const v1::Object& object) {
  const v1::OwnerReference* owner = ControllerOf(Meta(object));
  return owner == nullptr ? Meta(object).name() : absl::StrCat(owner->name(), "-");
}

// The rules of one namespace.
struct Rules {
  Rules(const View& view, const std::string& name_space)
      : limits(view, name_space), quotas(view, name_space) {}

  LimitRanges limits;
  QuotaBook quotas;
  std::vector<Write> together;  // what is counted, to be written with the quotas
};

// Fills in, and counts what is let in.
std::string Judge(v1::Object* object, Rules* rules) {
  if (!rules->limits.empty()) {
    rules->limits.FillIn(object);
    if (object->has_pod()) {
      v1::Pod* pod = object->mutable_pod();
      pod->mutable_status()->set_qos_class(QosOf(pod->spec()));
    }
    if (const auto problems = rules->limits.Problems(*object); !problems.empty()) {
      return JoinProblems(problems);
    }
    // A default may not fit to what was written: more requested than the limit.
    for (const FieldError& error : Validate(*object)) {
      return absl::StrCat(error.field, ": ", error.message);
    }
  }
  return rules->quotas.Admit(nullptr, *object);
}

class AdmissionPass {
 public:
  AdmissionPass(const View& view, absl::Time now, Changes* changes)
      : view_(view), now_(now), changes_(changes) {
    for (const auto kind : {v1::Object::kLimitRange, v1::Object::kResourceQuota}) {
      for (const auto& [key, entry] : view.All(kind)) {
        const std::string& name_space = Meta(entry->object).namespace_();
        if (!rules_.contains(name_space)) rules_.try_emplace(name_space, view, name_space);
      }
    }
  }

  void Run() {
    const auto& writes = changes_->writes;
    if (std::any_of(writes.begin(), writes.end(), IsNewPod)) classes_.emplace(view_);
    if (!rules_.empty() || classes_.has_value()) Sift();
    NoteRefusals();
    ForgiveOthers();
  }

 private:
  // Through everything that is to be written, what belongs together at once.
  void Sift() {
    std::vector<Write> writes = std::exchange(changes_->writes, {});
    for (size_t begin = 0; begin < writes.size();) {
      size_t end = begin + 1;
      while (end < writes.size() && writes[end].with_previous) ++end;
      Look(std::make_move_iterator(writes.begin() + static_cast<std::ptrdiff_t>(begin)),
           std::make_move_iterator(writes.begin() + static_cast<std::ptrdiff_t>(end)));
      begin = end;
    }
    std::set<std::string> taken;
    for (const Write& write : changes_->writes) taken.insert(write.key);
    for (auto& [name_space, rules] : rules_) WriteQuotas(taken, &rules);
  }

  template <typename Iterator>
  void Look(Iterator begin, Iterator end) {
    std::vector<Write> group(begin, end);
    Rules* rules = nullptr;
    for (Write& write : group) {
      if (!IsCreation(write)) continue;
      std::string refusal;
      if (IsNewPod(write)) {
        refusal = classes_->Admit(write.put->mutable_pod()->mutable_spec()).message;
      }
      const auto found = rules_.find(Meta(*write.put).namespace_());
      if (found != rules_.end() && refusal.empty()) {
        rules = &found->second;
        refusal = Judge(&*write.put, rules);
      }
      if (refusal.empty()) continue;
      Refuse(*write.put, refusal);
      for (const Write& each : group) Unsay(each);
      return;
    }
    if (rules == nullptr || rules->quotas.empty()) {
      std::move(group.begin(), group.end(), std::back_inserter(changes_->writes));
      return;
    }
    // The quotas themselves are in the same transaction. What finds no room waits for the next
    // pass.
    if (rules->together.size() + group.size() + rules->quotas.size() > kMostTogether) {
      for (const Write& each : group) Unsay(each);
      return;
    }
    std::move(group.begin(), group.end(), std::back_inserter(rules->together));
  }

  void Refuse(const v1::Object& object, const std::string& reason) {
    const v1::OwnerReference* owner = ControllerOf(Meta(object));
    if (owner == nullptr) return;
    refusals_.try_emplace(owner->uid(), ForbiddenText(object, StableName(object), reason));
  }

  // It is not created, so nobody has created it.
  void Unsay(const Write& write) {
    if (!IsCreation(write)) return;
    const std::string end = absl::StrCat(" ", Meta(*write.put).name());
    std::erase_if(changes_->events, [&](const EventNote& note) {
      return note.reason == "SuccessfulCreate" && absl::EndsWith(note.message, end);
    });
  }

  void WriteQuotas(const std::set<std::string>& taken, Rules* rules) {
    Changes counted;
    bool free = true;
    for (QuotaBook::Updated& quota : rules->quotas.Quotas()) {
      const bool wanted = !rules->together.empty() && quota.counted;
      if (!wanted && SameMessage(quota.after, quota.before->object)) continue;
      free = free && !taken.contains(quota.before->key);
      counted.Put(*quota.before, std::move(quota.after));
    }
    if (!free) {
      for (const Write& each : rules->together) Unsay(each);
      return;
    }
    std::move(rules->together.begin(), rules->together.end(), std::back_inserter(counted.writes));
    changes_->Together(std::move(counted));
  }

  // ---- what owners say ----

  void NoteRefusals() {
    for (const auto& [uid, message] : refusals_) {
      EntryPtr owner = view_.FindUid(uid);
      bool news = false;
      if (owner != nullptr) news = SayRefused(*owner, message);
      if (owner == nullptr || !news) continue;
      changes_->events.push_back(MakeEvent(
          owner->object, "Warning", "FailedCreate", absl::StrCat("Error creating: ", message),
          absl::StrCat(KindOf(owner->object).singular, "-controller")));
    }
  }

  // Also those who made it: a Deployment says what its ReplicaSet does, of two the first one, or it
  // would say now this and now that. True when it is news.
  bool SayRefused(const Entry& owner, const std::string& message) {
    if (!refused_.insert(Meta(owner.object).uid()).second) return false;
    const bool news = Edit(owner, [&](Conditions* conditions) {
      return SetCondition({kReplicaFailure, v1::CONDITION_STATUS_TRUE, "FailedCreate", message},
                          now_, conditions);
    });
    const v1::OwnerReference* above = ControllerOf(Meta(owner.object));
    const EntryPtr next = above == nullptr ? nullptr : view_.FindUid(above->uid());
    if (next != nullptr) SayRefused(*next, message);
    return news;
  }

  // Nothing was refused to them in this pass, and they are not only waiting to try again.
  void ForgiveOthers() {
    for (const auto kind : kOwners) {
      for (const auto& [key, entry] : view_.All(kind)) {
        if (refused_.contains(Meta(entry->object).uid()) || !IsRefused(entry->object)) continue;
        if (rules_.contains(Meta(entry->object).namespace_()) && IsShort(*entry)) continue;
        Edit(*entry, [](Conditions* conditions) {
          conditions->erase(std::remove_if(conditions->begin(), conditions->end(),
                                           [](const v1::Condition& condition) {
                                             return condition.type() == kReplicaFailure;
                                           }),
                            conditions->end());
          return true;
        });
      }
    }
  }

  int ActivePods(const std::string& uid) const {
    const std::vector<EntryPtr> pods = view_.OwnedBy(v1::Object::kPod, uid);
    return static_cast<int>(std::count_if(pods.begin(), pods.end(),
                                          [](const EntryPtr& pod) { return IsActive(*pod); }));
  }

  // It has fewer pods than it wants.
  bool IsShort(const Entry& entry) const {
    const v1::Object& object = entry.object;
    const std::string& uid = Meta(object).uid();
    if (object.has_replica_set()) return ActivePods(uid) < object.replica_set().spec().replicas();
    if (object.has_stateful_set()) {
      return ActivePods(uid) < object.stateful_set().spec().replicas();
    }
    if (object.has_daemon_set()) {
      return ActivePods(uid) < object.daemon_set().status().desired_number_scheduled();
    }
    if (object.has_job()) {
      return ActivePods(uid) == 0 && !object.job().status().has_completion_time();
    }
    const std::vector<EntryPtr> sets = view_.OwnedBy(v1::Object::kReplicaSet, uid);
    return std::any_of(sets.begin(), sets.end(),
                       [](const EntryPtr& set) { return IsRefused(set->object); });
  }

  // Into what is written of it anyway, where something is. False where nothing changes.
  template <typename Change>
  bool Edit(const Entry& entry, Change change) {
    for (Write& write : changes_->writes) {
      if (write.key != entry.key) continue;
      if (!write.put.has_value()) return false;
      Conditions* conditions = MutableConditionsOf(&*write.put);
      return conditions != nullptr && change(conditions);
    }
    v1::Object after = entry.object;
    Conditions* conditions = MutableConditionsOf(&after);
    if (conditions == nullptr || !change(conditions)) return false;
    changes_->Put(entry, std::move(after));
    return true;
  }

  const View& view_;
  const absl::Time now_;
  Changes* const changes_;
  std::map<std::string, Rules> rules_;           // by namespace
  std::optional<PriorityClasses> classes_;       // where pods are made
  std::map<std::string, std::string> refusals_;  // by the owner's uid
  std::set<std::string> refused_;                // uids
};

}  // namespace

std::string ForbiddenText(const v1::Object& object, const std::string& name,
                          const std::string& reason) {
  return absl::StrCat(KindOf(object).plural, " \"", name, "\" is forbidden: ", reason);
}

std::string JoinProblems(const std::vector<std::string>& problems) {
  if (problems.size() == 1) return problems[0];
  return absl::StrCat("[", absl::StrJoin(problems, ", "), "]");
}

std::string WhyRefused(const View& view, v1::Object object) {
  Rules rules(view, Meta(object).namespace_());
  return Judge(&object, &rules);
}

void AdmitCreations(const View& view, absl::Time now, Changes* changes) {
  AdmissionPass(view, now, changes).Run();
}

}  // namespace cluster::controller
