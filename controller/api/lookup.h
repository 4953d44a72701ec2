// Finds what requests name, with the sentence when it is not there.
#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "controller/cache/cache.h"
#include "proto/schema/kinds.h"

namespace cluster::controller {

// By any of its names. InvalidArgument when there is no such kind.
absl::StatusOr<const Kind*> FindKindOrSay(const std::string& word);

// An empty namespace means "default" for kinds that live in one. NotFound, InvalidArgument.
absl::StatusOr<EntryPtr> FindObject(const Cache& cache, const std::string& kind,
                                    const std::string& name_space, const std::string& name);

// Where a container of a pod runs.
struct PodTarget {
  EntryPtr pod;
  std::string container;
  std::string node;
};

// `container` may be empty when the pod has one. NotFound; InvalidArgument (which container);
// FailedPrecondition (no node yet, or with `must_run` the pod has ended); Unavailable (its node is
// lost).
absl::StatusOr<PodTarget> FindPodTarget(const Cache& cache, const std::string& name_space,
                                        const std::string& pod, const std::string& container,
                                        bool must_run);

// The same with must_run, for what is about the pod as a whole: `container` stays empty.
absl::StatusOr<PodTarget> FindRunningPod(const Cache& cache, const std::string& name_space,
                                         const std::string& pod);

}  // namespace cluster::controller
