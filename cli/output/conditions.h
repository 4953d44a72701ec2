// Conditions of any kind of object, through its descriptor. Pure.
#pragma once

#include <string>

#include "cluster/v1/object.pb.h"

namespace cluster::cli {

// The entry of status.conditions with this type (ignoring case), or nullptr.
const v1::Condition* FindConditionOf(const v1::Object& object, const std::string& type);

}  // namespace cluster::cli
