// How far an object is on its way to what its spec asks for. Pure.
#pragma once

#include <string>

#include "cluster/v1/object.pb.h"

namespace cluster::cli {

enum class ProgressState { kUnderWay, kReached, kGivenUp };

struct Progress {
  ProgressState state = ProgressState::kUnderWay;
  // What is waited for, or what was reached, or why it failed. In kubectl's words.
  std::string message;
};

// 'Waiting for deployment "web" rollout to finish: 1 of 3 updated replicas are available...'
Progress RolloutProgress(const v1::Deployment& deployment);

// Done once the job is complete, or suspended: then nothing comes of waiting.
Progress JobProgress(const v1::Job& job);

// Done once the pod is Ready or has succeeded.
Progress PodProgress(const v1::Pod& pod);

// Deployments, DaemonSets, StatefulSets: rolled out; pods: Ready; ReplicaSets: all ready; all else
// is done once it is stored.
Progress ReadyProgress(const v1::Object& object);

// Why this pod is not ready, in one sentence: "pod/web-1: CrashLoopBackOff: back-off 2s ...". Empty
// for one that is.
std::string WhyNotReady(const v1::Pod& pod);

}  // namespace cluster::cli
