// What makes a pod of a StatefulSet the one that it is: its number, names, labels and claims. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cluster/v1/object.pb.h"
#include "controller/reconcile/template_history.h"

namespace cluster::controller {

// Where their events come from.
constexpr absl::string_view kStatefulSetController = "statefulset-controller";

// On pods of StatefulSets: their own name, for services of one pod; and their number.
constexpr absl::string_view kPodNameLabel = "statefulset.kubernetes.io/pod-name";
constexpr absl::string_view kPodIndexLabel = "apps.kubernetes.io/pod-index";

// NAME-ORDINAL
std::string StatefulPodName(const v1::StatefulSet& set, int ordinal);
// nullopt: the pod's name is none of the set's.
std::optional<int> OrdinalOf(const v1::StatefulSet& set, absl::string_view pod_name);

// TEMPLATE-SET-ORDINAL
std::string StatefulClaimName(const v1::StatefulSet& set, const std::string& claim_template,
                              int ordinal);

// The pod of that number as the revision wants it.
v1::Pod NewStatefulPod(const v1::Object& owner, const v1::ControllerRevision& revision, int ordinal,
                       const PassInputs& inputs);

// Labels that a pod of the set always has; false where the pod has them already. A pod that was
// adopted, or whose labels somebody changed, gets them back.
bool RestoreIdentity(int ordinal, v1::Pod* pod);

// The revision that the pod was made of, by name.
std::string RevisionNameOf(const v1::Pod& pod);

}  // namespace cluster::controller
