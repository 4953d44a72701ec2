// The version of this build, from the top CMakeLists.txt.
#pragma once

namespace cluster::controller {

inline constexpr char kVersion[] = CLUSTER_VERSION;

}  // namespace cluster::controller
