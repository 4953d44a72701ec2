// The ReplicaSets of one Deployment, as its rollout sees them. Used by the rollout alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"

#include "controller/reconcile/changes.h"
#include "controller/reconcile/data_versions.h"
#include "controller/reconcile/names.h"
#include "controller/reconcile/ownership.h"

namespace cluster::controller {

// One ReplicaSet: as it is stored, as it shall be, and its pods.
struct Revision {
  EntryPtr entry;   // nullptr while it is only being made
  v1::Object want;  // changed by the rollout; written where it differs from the entry
  int active = 0;
  int ready = 0;
  int available = 0;  // ready for minReadySeconds
  int failed = 0;     // ended as Failed and still listed
  // Pods that have not ended, also those being ended.
  std::vector<EntryPtr> present;

  const v1::ReplicaSet& set() const { return want.replica_set(); }
  int replicas() const { return set().spec().replicas(); }
  void Scale(int replicas) { want.mutable_replica_set()->mutable_spec()->set_replicas(replicas); }
  // Available pods that stay once the set has its size.
  int lasting_available() const { return std::min(available, replicas()); }
};

struct Rollout {
  EntryPtr deployment;
  std::vector<Revision> old;        // oldest first
  std::optional<Revision> current;  // the one with the Deployment's template
  bool created = false;             // `current` is made in this pass
  bool found = false;               // `current` became the newest revision in this pass
  std::string waiting_for;          // what holds the rollout back, for people; may be empty
  DataPlan data;                    // of the pods of the current revision
  // When the next ready pod has been so for minReadySeconds.
  absl::Time next_available = absl::InfiniteFuture();

  const v1::Deployment& spec() const { return deployment->object.deployment(); }
  int replicas() const { return spec().spec().replicas(); }
  bool paused() const { return spec().spec().paused(); }
  // Every revision, old ones first.
  std::vector<Revision*> all();
  int TotalReplicas() const;
};

// What the sets of `deployment` are; adopts matching sets without owner and releases those that no
// longer match. nullopt: one of the objects is in `taken`, wait for the next pass.
std::optional<Rollout> GatherRollout(const View& view, const EntryPtr& deployment,
                                     const Orphans& orphans,
                                     const absl::flat_hash_set<std::string>& taken, absl::Time now,
                                     Changes* changes);

// Equal but for the hash label.
bool SameTemplate(const v1::PodTemplateSpec& a, const v1::PodTemplateSpec& b);
// What the Deployment says of its data; `sets` are its revisions.
Workload WorkloadOf(const v1::Deployment& deployment, const std::vector<EntryPtr>& sets);
// The number of the annotation; 0 where there is none.
int64_t RevisionOf(const v1::ObjectMeta& meta);

// Makes the set for the Deployment's template, with no replicas yet.
void AddCurrent(const View& view, absl::Time now, Random* random, Rollout* rollout);
// Gives `current` the highest revision number and the Deployment's annotations.
void NumberCurrent(Rollout* rollout);
// Notes on every live set for how many replicas of the Deployment it was sized.
void MarkSized(Rollout* rollout);

// Deletes the oldest empty sets beyond revisionHistoryLimit.
void CleanHistory(const Rollout& rollout, Changes* changes);

}  // namespace cluster::controller
