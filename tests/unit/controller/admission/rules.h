// LimitRanges and ResourceQuotas for tests, from manifests.
#pragma once

#include <string>

#include "cluster/v1/object.pb.h"

namespace cluster::controller {

// With its defaults, and a uid; the test fails when it is no manifest.
v1::Object FromYaml(const std::string& text);
// One item, as in spec.limits.
v1::Object Range(const std::string& name, const std::string& item);
// `hard` as in spec.hard; `more`: lines of the spec.
v1::Object Quota(const std::string& name, const std::string& hard, const std::string& more = "");

}  // namespace cluster::controller
