#include "controller/scheduler/image_worth.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "proto/validate/image_name.h"

namespace cluster::controller {
namespace {

// Below the first an image is there in no time; above the second, per container, nothing is better.
constexpr int64_t kLeastBytes = int64_t{23} << 20;
constexpr int64_t kMostBytes = int64_t{1000} << 20;
constexpr int64_t kFullWorth = 1000;

}  // namespace

std::string ListedImageName(const std::string& image) {
  absl::string_view name = image;
  if (!absl::ConsumePrefix(&name, "docker.io/library/")) absl::ConsumePrefix(&name, "docker.io/");
  if (IsLatest(name) && !absl::EndsWith(name, ":latest")) return absl::StrCat(name, ":latest");
  return std::string(name);
}

int64_t WorthOf(const v1::Node& node, const std::string& image, int nodes_with_it, int all_nodes) {
  for (const v1::ContainerImage& there : node.status().images()) {
    if (std::find(there.names().begin(), there.names().end(), image) == there.names().end()) {
      continue;
    }
    return std::min(there.size_bytes(), kMostBytes * kFullWorth) / all_nodes * nodes_with_it;
  }
  return 0;
}

int64_t ImageScore(int64_t worth, size_t containers) {
  const int64_t most = kMostBytes * static_cast<int64_t>(std::max<size_t>(containers, 1));
  const int64_t bounded = std::clamp(worth, kLeastBytes, most);
  return (bounded - kLeastBytes) * kFullWorth / (most - kLeastBytes);
}

}  // namespace cluster::controller
