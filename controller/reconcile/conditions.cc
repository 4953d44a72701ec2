#include "controller/reconcile/conditions.h"

#include "proto/schema/scalars.h"

namespace cluster::controller {

const v1::Condition* FindCondition(const Conditions& conditions, absl::string_view type) {
  for (const v1::Condition& condition : conditions) {
    if (condition.type() == type) return &condition;
  }
  return nullptr;
}

bool IsTrue(const Conditions& conditions, absl::string_view type) {
  const v1::Condition* condition = FindCondition(conditions, type);
  return condition != nullptr && condition->status() == v1::CONDITION_STATUS_TRUE;
}

bool SetCondition(const ConditionUpdate& update, absl::Time now, Conditions* conditions) {
  v1::Condition* condition = nullptr;
  for (v1::Condition& each : *conditions) {
    if (each.type() == update.type) condition = &each;
  }
  if (condition == nullptr) {
    condition = conditions->Add();
    condition->set_type(std::string(update.type));
  }
  if (condition->status() == update.status && condition->reason() == update.reason &&
      condition->message() == update.message) {
    return false;
  }
  if (condition->status() != update.status) {
    *condition->mutable_last_transition_time() = Seconds(now);
  }
  *condition->mutable_last_update_time() = Seconds(now);
  condition->set_status(update.status);
  condition->set_reason(std::string(update.reason));
  condition->set_message(update.message);
  return true;
}

google::protobuf::Timestamp Seconds(absl::Time time) {
  return ToTimestamp(absl::FromUnixSeconds(absl::ToUnixSeconds(time)));
}

}  // namespace cluster::controller
