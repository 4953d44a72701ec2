#include "proto/schema/resource_names.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "proto/schema/scalars.h"

namespace cluster {

std::optional<int64_t> HugepageSize(absl::string_view resource) {
  if (!absl::ConsumePrefix(&resource, "hugepages-")) return std::nullopt;
  const auto size = QuantityBytes(resource);
  const bool power_of_two = size.ok() && *size > 0 && (*size & (*size - 1)) == 0;
  if (!power_of_two) return std::nullopt;
  return *size;
}

bool IsExtendedResource(absl::string_view resource) {
  const size_t slash = resource.find('/');
  if (slash == absl::string_view::npos) return false;
  const absl::string_view domain = resource.substr(0, slash);
  return domain != "kubernetes.io" && !absl::EndsWith(domain, ".kubernetes.io");
}

absl::StatusOr<int64_t> ResourceAmount(absl::string_view resource, absl::string_view quantity) {
  return resource == "cpu" ? QuantityMilli(quantity) : QuantityValue(quantity);
}

std::string FormatResource(absl::string_view resource, int64_t amount) {
  if (resource == "cpu") return FormatMilli(amount);
  const bool bytes = resource == "memory" || resource == "ephemeral-storage" ||
                     absl::StartsWith(resource, "hugepages-");
  return bytes ? FormatBytes(amount) : FormatCount(amount);
}

}  // namespace cluster
