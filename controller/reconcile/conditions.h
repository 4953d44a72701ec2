// Conditions: one aspect of an object's state each, with its reason and since when (law 10).
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "cluster/v1/meta.pb.h"

namespace cluster::controller {

using Conditions = google::protobuf::RepeatedPtrField<v1::Condition>;

// nullptr when absent.
const v1::Condition* FindCondition(const Conditions& conditions, absl::string_view type);
bool IsTrue(const Conditions& conditions, absl::string_view type);

struct ConditionUpdate {
  absl::string_view type;
  v1::ConditionStatus status = v1::CONDITION_STATUS_UNSPECIFIED;
  absl::string_view reason;
  std::string message;
};

// False, and nothing touched, when status, reason and message are already so. The transition time
// moves only with the status.
bool SetCondition(const ConditionUpdate& update, absl::Time now, Conditions* conditions);

// Whole seconds, as objects carry them.
google::protobuf::Timestamp Seconds(absl::Time time);

}  // namespace cluster::controller
