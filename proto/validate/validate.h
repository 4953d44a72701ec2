// Kubernetes' defaults and rules, for every kind. Pure; used by the controller on every write.
#pragma once

#include <string>
#include <vector>

#include "cluster/v1/object.pb.h"

namespace cluster {

struct FieldError {
  std::string field;    // as in YAML: spec.template.spec.containers[0].name; "" = the whole object
  std::string message;  // one sentence: what is wrong and what to do
};

// Fills what the user left out (namespace "default", replicas 1, restartPolicy Always, strategy
// 25%/25%, selector from the template's labels, requests from limits, ...). Idempotent.
void SetDefaults(v1::Object* object);

// Everything that is wrong with an object that has its defaults. Empty: fine.
std::vector<FieldError> Validate(const v1::Object& object);

// What may not be done to `before`, which is stored. Both have their defaults; `after` is valid
// itself.
std::vector<FieldError> ValidateUpdate(const v1::Object& before, const v1::Object& after);

}  // namespace cluster
