// What users apply, as small as a manifest can be.
#pragma once

#include <string>

#include "cluster/v1/object.pb.h"

namespace cluster::sim {

// What tells one template from the next, and how its containers behave.
struct Template {
  int version = 1;
  bool probed = true;  // has a readiness probe
  bool ready = true;   // which succeeds in the end
  int grace = 5;       // seconds to end
  int run = -1;        // seconds until it ends by itself; -1: it does not
  int fails = 0;       // percent of these ends that are failures
  int deadline = 0;    // activeDeadlineSeconds; 0: none
  std::string cpu = "100m";
};

// When the Jobs of a CronJob begin.
struct Schedule {
  int minutes = 1;  // each so many; divides 60
  v1::ConcurrencyPolicy policy = v1::CONCURRENCY_POLICY_FORBID;
  int deadline = 0;  // startingDeadlineSeconds; 0: none
};

// Its pods come to be ready, and run on.
bool Serves(const v1::PodTemplateSpec& pods);

v1::Object DeploymentOf(const std::string& name, int replicas, const std::string& surge,
                        const std::string& unavailable, const Template& pods);
v1::Object StatefulSetOf(const std::string& name, int replicas, bool parallel, bool claims,
                         const Template& pods);
v1::Object DaemonSetOf(const std::string& name, const Template& pods);
v1::Object JobOf(const std::string& name, int completions, int parallelism, bool indexed,
                 const Template& pods);
v1::Object CronJobOf(const std::string& name, const Schedule& schedule, const Template& pods);
// In front of the pods of that app.
v1::Object ServiceOf(const std::string& app);
// Of the pods of that app.
v1::Object BudgetOf(const std::string& name, const std::string& app, const std::string& available);

}  // namespace cluster::sim
