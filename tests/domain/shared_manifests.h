// Real manifests of public projects, where they lie beside the tree; none of them is in it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace cluster::domain {

// What a test says that is skipped without them.
inline constexpr char kNoSharedManifests[] = "no collection of manifests in ../shared/manifests";

// Their folder; empty: there is none.
inline std::filesystem::path SharedManifests() {
  const char* top = std::getenv("CLUSTER_SOURCE_DIR");
  const std::filesystem::path folder =
      std::filesystem::path(top == nullptr ? "." : top) / "../shared/manifests";
  return std::filesystem::is_directory(folder) ? folder : std::filesystem::path();
}

}  // namespace cluster::domain
