// What the scheduler knows of a pod, shared by all that ask for the same.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "controller/cache/view.h"
#include "controller/scheduler/node_usage.h"
#include "controller/scheduler/pod_request.h"
#include "controller/scheduler/term_index.h"

namespace cluster::controller {

class Placement;

struct WeightedTerm {
  TermId term = 0;
  int64_t weight = 0;  // negative: stay away
};

struct SpreadTerm {
  TermId term = 0;
  int max_skew = 1;
  int min_places = 0;
  bool required = false;  // DoNotSchedule
  bool self = false;      // the pod counts for its own constraint
};

struct PodShape {
  PodShape();
  ~PodShape();

  std::string identity;
  EntryPtr sample;  // holds the spec
  PodRequest request;
  OwnerId owner = 0;
  GroupId group = 0;
  int32_t priority = 0;
  bool preempts = true;
  std::vector<std::string> claims;  // store keys
  std::vector<std::string> images;

  std::vector<TermId> affinity;  // required
  bool starts_its_own = false;   // the pod is in all selections of its required affinity
  std::vector<TermId> anti;      // required
  std::vector<WeightedTerm> preferred;
  std::vector<SpreadTerm> spread;

  int uses = 0;
  // Kept from one plan to the next.
  std::unique_ptr<Placement> placement;

  const v1::PodSpec& spec() const { return sample->object.pod().spec(); }
  const std::string& name_space() const { return sample->object.pod().metadata().namespace_(); }
};

// Equal exactly where pods look the same to the scheduler.
std::string ShapeIdentity(const v1::Pod& pod);

// Makes the index count what the pod's affinities and spread constraints ask for, and notes it in
// the shape, whose group is known. `nodes` are in the order of the index.
void AcquireTerms(const v1::Pod& pod, const std::vector<NodeUsage>& nodes, TermIndex* index,
                  PodShape* shape);
void ReleaseTerms(const PodShape& shape, TermIndex* index);

}  // namespace cluster::controller
