#include "cli/output/conditions.h"

#include "absl/strings/match.h"

#include "proto/schema/kinds.h"

namespace cluster::cli {

const v1::Condition* FindConditionOf(const v1::Object& object, const std::string& type) {
  using google::protobuf::DynamicCastToGenerated;
  const google::protobuf::Message& inner = Inner(object);
  const auto* status_field = inner.GetDescriptor()->FindFieldByName("status");
  if (status_field == nullptr) return nullptr;
  const auto& status = inner.GetReflection()->GetMessage(inner, status_field);
  const auto* field = status.GetDescriptor()->FindFieldByName("conditions");
  if (field == nullptr) return nullptr;
  for (int i = 0; i < status.GetReflection()->FieldSize(status, field); ++i) {
    const auto& item = status.GetReflection()->GetRepeatedMessage(status, field, i);
    const auto* condition = DynamicCastToGenerated<v1::Condition>(&item);
    if (condition != nullptr && absl::EqualsIgnoreCase(condition->type(), type)) return condition;
  }
  return nullptr;
}

}  // namespace cluster::cli
