// The pod and container that `logs` and `exec` mean.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/session.h"

#include "cluster/v1/pod.pb.h"

namespace cluster::cli {

// NAME or pod/NAME: that pod. deploy/NAME, rs/NAME, job/NAME, svc/NAME: one of its pods, a ready
// one where there is one, then the youngest; stderr says which when there were several.
absl::StatusOr<v1::Pod> ChoosePod(Session& session, const std::string& word);

struct ContainerName {
  std::string name;
  std::string kind;  // "", " (init)" or " (ephem)"
};
// The pod's own containers first.
std::vector<ContainerName> ContainerNames(const v1::Pod& pod);

// The one that was asked for (InvalidArgument names those that exist when it does not), else the
// first; stderr says so when there are several.
absl::StatusOr<std::string> ChooseContainer(Session& session, const v1::Pod& pod,
                                            const std::string& wanted);

}  // namespace cluster::cli
