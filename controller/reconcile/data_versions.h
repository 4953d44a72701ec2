// Which data a revision of a Deployment, StatefulSet or DaemonSet was made with. ConfigMaps and
// Secrets that its template refers to are copied when a revision is made, under names that tell
// their content, and the pods of the revision use the copies: a change of the data is a new
// revision that is rolled out like any other, and a return to an old one returns to its data.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "controller/reconcile/changes.h"
#include "controller/reconcile/names.h"

namespace cluster::controller {

// On workloads: "false" leaves pods as they are when their data changes; they see the change as in
// Kubernetes.
constexpr absl::string_view kRollOnDataAnnotation = "cluster.v1/config-rollout";
// On revisions (ReplicaSets, ControllerRevisions): DataVersions::Text of what their pods use.
constexpr absl::string_view kDataAnnotation = "rollout.cluster.v1/data";
// On workloads that have returned to old data: see PinData.
constexpr absl::string_view kPinAnnotation = "rollout.cluster.v1/pinned-data";
// On copies: the label is "true"; the annotations name what they are a copy of, and which
// resourceVersion of it.
constexpr absl::string_view kCopyLabel = "rollout.cluster.v1/copy";
constexpr absl::string_view kCopyOfAnnotation = "rollout.cluster.v1/copy-of";
constexpr absl::string_view kCopiedVersionAnnotation = "rollout.cluster.v1/copied-version";

// Of each ConfigMap and Secret of a template, by store key, the name of the copy with its data. Or:
//   ""       it is used itself and was not there yet
//   "-"      it is not there and does not have to be
//   "~NAME"  it is used itself, and had the data that NAME has
struct DataVersions {
  std::map<std::string, std::string> names;

  // "configmaps/default/app=app-7c9bd4xk2f secrets/default/db=-"; "" for no data.
  std::string Text() const;
  static DataVersions Parse(absl::string_view text);
  bool empty() const { return names.empty(); }
};

// What a revision says; empty where it has no data, or where nobody has noted it yet.
DataVersions DataOf(const v1::ObjectMeta& revision);

// What a workload says of its data.
struct Workload {
  const v1::ObjectMeta& meta;
  const v1::PodTemplateSpec& pods;
  // Of its newest revision; 0 where there is none. What that has counts for what is gone though it
  // is needed: pods that have it go on.
  int64_t newest = 0;
  DataVersions held;
};

bool RollsOnData(const v1::ObjectMeta& workload);

// The data as it is now.
DataVersions LiveData(const View& view, const Workload& workload);

// The data that pods of the current revision get.
struct DataPlan {
  DataVersions data;
  bool on = false;      // changes are rolled out
  bool pinned = false;  // not the data there is now
};
DataPlan PlanData(const View& view, const Workload& workload);

// `revision` with its pods is what the workload wants.
bool IsWanted(const v1::ObjectMeta& revision, const v1::PodTemplateSpec& pods,
              const Workload& workload, const DataPlan& plan);
// Notes it on the current revision, also what its pods use themselves. `created`: by this pass,
// with copies.
void NoteData(const DataPlan& plan, bool created, v1::ObjectMeta* revision);

// A template that refers to copies, and back.
v1::PodTemplateSpec WithCopies(v1::PodTemplateSpec pods, absl::string_view name_space,
                               const DataVersions& data);
v1::PodTemplateSpec WithoutCopies(v1::PodTemplateSpec pods, absl::string_view name_space,
                                  const DataVersions& data);

// Makes the copies that are not there yet, of data that is as it was.
void MakeCopies(const View& view, const DataVersions& data, absl::Time now, Random* random,
                Changes* changes);

// Notes on a workload that goes back to an old revision that its pods get `data`, until its
// template or the data there is changes.
void PinData(const View& view, const DataVersions& data, const Workload& workload,
             v1::ObjectMeta* meta);

// FailedPrecondition: what the pods of the revision need is not there any more.
absl::Status CheckCopies(const View& view, const v1::ObjectMeta& revision,
                         const v1::PodTemplateSpec& pods, int64_t number);

// Deletes copies that no revision, of the view or written in `changes`, and no pod uses.
Changes ReconcileCopies(const View& view, const Changes& changes);

}  // namespace cluster::controller
