// How many pods each revision of a Deployment shall have next. Sizes alone: nothing is written
// here.
#pragma once

#include "controller/reconcile/revisions.h"

namespace cluster::controller {

// maxSurge rounded up, maxUnavailable rounded down; both zero would never move, so the latter is
// then 1.
struct RolloutBounds {
  int surge = 0;
  int unavailable = 0;
};
RolloutBounds BoundsOf(const v1::Deployment& deployment);

// True when the number of replicas of the Deployment was changed since its sets were sized.
bool IsScaling(Rollout* rollout);
// Gives one live set the whole new number; divides it over several in proportion to their sizes.
// Where there are to be fewer, pods that are not available go before.
void ScaleInProportion(Rollout* rollout);

// While the rollout is paused nothing is rolled, but the number of pods is kept: where every set is
// empty the newest one gets them.
void ScalePaused(Rollout* rollout);

// One step of a RollingUpdate: grow the current set up to replicas + surge in all, or else shrink
// old sets, unhealthy pods first, as far as replicas - unavailable pods stay available.
void StepRolling(Rollout* rollout);

// One step of a Recreate: old sets to nothing. True once every old pod is gone.
bool StepRecreate(Rollout* rollout);

}  // namespace cluster::controller
