#include "controller/reconcile/priority.h"

#include "absl/strings/str_cat.h"

#include "proto/schema/enum_text.h"
#include "proto/schema/system_priorities.h"

namespace cluster::controller {

PriorityClasses::PriorityClasses(const View& view) {
  for (const SystemPriority& each : kSystemPriorities) {
    v1::PriorityClass made;
    made.mutable_metadata()->set_name(std::string(each.name));
    made.set_value(each.value);
    made.set_preemption_policy(v1::PREEMPTION_POLICY_PREEMPT_LOWER_PRIORITY);
    Put(made);
  }
  for (const auto& [key, entry] : view.All(v1::Object::kPriorityClass)) {
    Put(entry->object.priority_class());
  }
}

void PriorityClasses::Put(const v1::PriorityClass& priority_class) {
  classes_[priority_class.metadata().name()] = priority_class;
}

std::string PriorityClasses::OtherDefault(const std::string& name) const {
  const v1::PriorityClass* found = nullptr;
  for (const auto& [each, priority_class] : classes_) {
    if (!priority_class.global_default() || each == name) continue;
    // Two can only come about side by side; the lower does less harm.
    if (found == nullptr || priority_class.value() < found->value()) found = &priority_class;
  }
  return found == nullptr ? "" : found->metadata().name();
}

PriorityClasses::Problem PriorityClasses::Admit(v1::PodSpec* spec) const {
  if (spec->priority_class_name().empty()) spec->set_priority_class_name(OtherDefault(""));
  const std::string& name = spec->priority_class_name();
  int32_t value = 0;
  v1::PreemptionPolicy policy = v1::PREEMPTION_POLICY_PREEMPT_LOWER_PRIORITY;
  if (!name.empty()) {
    const auto found = classes_.find(name);
    if (found == classes_.end()) {
      return {"priorityClassName",
              absl::StrCat("no PriorityClass with name ", name, " was found; create it first")};
    }
    value = found->second.value();
    if (found->second.preemption_policy() != v1::PREEMPTION_POLICY_UNSPECIFIED) {
      policy = found->second.preemption_policy();
    }
  }
  if (spec->has_priority() && spec->priority() != value) {
    return {"priority", absl::StrCat("the pod's class makes it ", value,
                                     "; remove the field, or name a class of that priority")};
  }
  if (spec->preemption_policy() != v1::PREEMPTION_POLICY_UNSPECIFIED &&
      spec->preemption_policy() != policy) {
    return {"preemptionPolicy", absl::StrCat("the pod's class makes it ", EnumText(policy),
                                             "; remove the field, or name another class")};
  }
  spec->set_priority(value);
  spec->set_preemption_policy(policy);
  return {};
}

}  // namespace cluster::controller
