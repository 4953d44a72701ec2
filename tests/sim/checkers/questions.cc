#include "tests/sim/checkers/questions.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"

namespace cluster::sim {

bool IsOver(const v1::Pod& pod) {
  return pod.status().phase() == v1::POD_PHASE_SUCCEEDED ||
         pod.status().phase() == v1::POD_PHASE_FAILED;
}

bool IsGoing(const v1::ObjectMeta& meta) { return meta.has_deletion_timestamp(); }

bool IsActive(const v1::Pod& pod) { return !IsOver(pod) && !IsGoing(pod.metadata()); }

bool Holds(const google::protobuf::RepeatedPtrField<v1::Condition>& conditions,
           absl::string_view type) {
  for (const v1::Condition& condition : conditions) {
    if (condition.type() == type) return condition.status() == v1::CONDITION_STATUS_TRUE;
  }
  return false;
}

bool IsFinished(const v1::Job& job) {
  return Holds(job.status().conditions(), "Complete") || Holds(job.status().conditions(), "Failed");
}

bool IsReady(const v1::Pod& pod) { return Holds(pod.status().conditions(), "Ready"); }

const v1::OwnerReference* OwnerOf(const v1::ObjectMeta& meta, absl::string_view kind) {
  for (const v1::OwnerReference& owner : meta.owner_references()) {
    if (owner.controller() && owner.kind() == kind) return &owner;
  }
  return nullptr;
}

int Share(const std::string& text, int total, bool up) {
  absl::string_view number = text;
  int value = 0;
  const bool percent = absl::ConsumeSuffix(&number, "%");
  if (!absl::SimpleAtoi(number, &value)) return 0;
  if (!percent) return value;
  return up ? (total * value + 99) / 100 : total * value / 100;
}

}  // namespace cluster::sim
