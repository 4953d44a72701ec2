// Which files a volume has whose content comes from objects. Pure; used by the volume plan alone.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "cluster/v1/session.pb.h"
#include "node/volume/references.h"
#include "node/volume/volume.h"

namespace cluster::node {

// configMap, secret, downwardAPI or projected.
bool HasFiles(const v1::Volume& volume);

// Sorted by path. Where two sources have one path, the later one wins.
absl::StatusOr<std::vector<VolumeFile>> PlanFiles(const v1::Assignment& assignment,
                                                  const NodeContext& context,
                                                  const v1::Volume& volume);

absl::StatusOr<std::string> ExpandSubPath(const std::string& expression,
                                          const std::map<std::string, std::string>& variables);

}  // namespace cluster::node
