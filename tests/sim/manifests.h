// What users apply, as small as a manifest can be.
#pragma once

#include <string>

#include "cluster/v1/object.pb.h"
#include "controller/cache/view.h"

namespace cluster::sim {

// The namespace with limits.
inline constexpr char kGuests[] = "guests";
// The key of the taints that users set.
inline constexpr char kMaintenance[] = "maintenance";
// What containers are told of the ConfigMap that users change.
inline constexpr char kSetting[] = "SETTING";
// What pods that are scaled automatically shall use, in thousandths of a core each.
inline constexpr int kShare = 50;

// Where its pods may be.
enum class Place {
  kAnywhere,
  kApart,   // one on a node
  kSpread,  // over the zones
  kPort,    // with a port of the node, so one on a node too
};

// What tells one template from the next, and how its containers behave.
struct Template {
  int version = 1;
  bool probed = true;        // has a readiness probe
  bool ready = true;         // which succeeds in the end
  int grace = 5;             // seconds to end
  int run = -1;              // seconds until it ends by itself; -1: it does not
  int fails = 0;             // percent of these ends that are failures
  std::string cpu = "100m";  // "" = nothing is said
  bool configured = false;   // uses the ConfigMap
  bool urgent = false;       // of the class "urgent"
  int patience = -1;         // seconds that it tolerates NoExecute; -1: not at all
  Place place = Place::kAnywhere;
};

// When the Jobs of a CronJob begin.
struct Schedule {
  int minutes = 1;  // each so many; divides 60
  v1::ConcurrencyPolicy policy = v1::CONCURRENCY_POLICY_FORBID;
  int deadline = 0;  // startingDeadlineSeconds; 0: none
};

// Its pods end by themselves.
bool IsEnding(const v1::PodTemplateSpec& pods);
// Its pods come to be ready, and run on.
bool Serves(const v1::PodTemplateSpec& pods);

// The pods of that app.
void Fill(const std::string& app, const Template& pods, v1::PodTemplateSpec* filled);
// Without a template.
v1::Object DeploymentOf(const std::string& name, int replicas, const std::string& surge,
                        const std::string& unavailable);
v1::Object StatefulSetOf(const std::string& name, int replicas, bool parallel, bool claims,
                         const Template& pods);
v1::Object DaemonSetOf(const std::string& name, const Template& pods);
v1::Object JobOf(const std::string& name, int completions, int parallelism, bool indexed,
                 const Template& pods);
v1::Object CronJobOf(const std::string& name, const Schedule& schedule, const Template& pods);
// In front of the pods of that app.
v1::Object ServiceOf(const std::string& app);
// Of the pods of that app; without a number.
v1::Object BudgetOf(const std::string& name, const std::string& app);
// The first failure of one of its pods ends the Job.
void FailAtOnce(v1::JobSpec* spec);
v1::Object PriorityOf(const std::string& name, int value);
v1::Object SettingsOf(int value);
// Of the Deployment of that name.
v1::Object AutoscalerOf(const std::string& name, int least, int most);
v1::Object NamespaceOf(const std::string& name);
// What its containers request by themselves.
v1::Object LimitsOf(const std::string& name_space);
v1::Object QuotaOf(const std::string& name_space, int pods, const std::string& cpu);

bool IsTainted(const v1::NodeSpec& node);
// It goes back by itself to a revision that serves.
bool HasGoodRevision(const View& view, const v1::Deployment& deployment);

}  // namespace cluster::sim
