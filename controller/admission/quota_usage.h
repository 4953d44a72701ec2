// What objects count for in the words of a ResourceQuota. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"

#include "cluster/v1/object.pb.h"

namespace cluster::controller {

// By the names of spec.hard; cpu in thousandths, everything else in whole units.
using QuotaAmounts = std::map<std::string, int64_t>;

absl::StatusOr<int64_t> QuotaAmount(const std::string& name, const std::string& quantity);
std::string FormatQuotaAmount(const std::string& name, int64_t amount);

// Everything that the object counts for under any name. A pod that has ended counts only as
// count/pods.
QuotaAmounts UsageOf(const v1::Object& object);

// True where the quota is about such objects: without scopes about all, otherwise about the pods
// that every scope describes.
bool InScope(const v1::ResourceQuotaSpec& quota, const v1::Object& object);

// Names of spec.hard that each container has to say something about, and does not:
// "must specify limits.cpu for: main"; "" when there are none.
std::string Unsaid(const v1::ResourceQuotaSpec& quota, const v1::PodSpec& pod);

}  // namespace cluster::controller
