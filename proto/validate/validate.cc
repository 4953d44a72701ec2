#include "proto/validate/validate.h"

#include "proto/schema/kinds.h"
#include "proto/validate/autoscaler_rules.h"
#include "proto/validate/findings.h"
#include "proto/validate/job_rules.h"
#include "proto/validate/meta_rules.h"
#include "proto/validate/pod_rules.h"
#include "proto/validate/policy_rules.h"
#include "proto/validate/quota_rules.h"
#include "proto/validate/resource_rules.h"
#include "proto/validate/service_rules.h"
#include "proto/validate/volume_rules.h"
#include "proto/validate/workload_rules.h"

namespace cluster {

std::vector<FieldError> Validate(const v1::Object& object) {
  Findings findings;
  if (object.object_case() == v1::Object::OBJECT_NOT_SET) {
    findings.Add(Path(""), "the object is empty; set its kind");
    return findings.Take();
  }
  CheckMeta(KindOf(object), Meta(object), &findings);
  switch (object.object_case()) {
    case v1::Object::kPod:
      CheckTuning(Meta(object), Path("metadata"), &findings);
      CheckPodSpec(object.pod().spec(), Path("spec"), &findings);
      break;
    case v1::Object::kDeployment:
      CheckDeployment(object.deployment(), &findings);
      break;
    case v1::Object::kReplicaSet:
      CheckReplicaSet(object.replica_set().spec(), &findings);
      break;
    case v1::Object::kStatefulSet:
      CheckRolloutAnnotations(object.stateful_set().metadata(), false, &findings);
      CheckStatefulSet(object.stateful_set(), &findings);
      break;
    case v1::Object::kDaemonSet:
      CheckRolloutAnnotations(object.daemon_set().metadata(), false, &findings);
      CheckDaemonSet(object.daemon_set().spec(), &findings);
      break;
    case v1::Object::kConfigMap:
      CheckConfigMap(object.config_map(), &findings);
      break;
    case v1::Object::kSecret:
      CheckSecret(object.secret(), &findings);
      break;
    case v1::Object::kNode:
      CheckNode(object.node().spec(), &findings);
      break;
    case v1::Object::kPersistentVolumeClaim:
      CheckClaim(object.persistent_volume_claim().spec(), Path("spec"), &findings);
      break;
    case v1::Object::kJob:
      CheckJob(object.job(), &findings);
      break;
    case v1::Object::kCronJob:
      CheckCronJob(object.cron_job(), &findings);
      break;
    case v1::Object::kLimitRange:
      CheckLimitRange(object.limit_range().spec(), &findings);
      break;
    case v1::Object::kResourceQuota:
      CheckQuota(object.resource_quota().spec(), &findings);
      break;
    case v1::Object::kPodDisruptionBudget:
      CheckBudget(object.pod_disruption_budget().spec(), &findings);
      break;
    case v1::Object::kPriorityClass:
      CheckPriorityClass(object.priority_class(), &findings);
      break;
    case v1::Object::kHorizontalPodAutoscaler:
      CheckAutoscaler(object.horizontal_pod_autoscaler().spec(), &findings);
      break;
    case v1::Object::kService:
      CheckService(object.service().spec(), &findings);
      break;
    case v1::Object::kNamespace:
    case v1::Object::kEvent:
    case v1::Object::kControllerRevision:
    case v1::Object::OBJECT_NOT_SET:
      break;
  }
  return findings.Take();
}

}  // namespace cluster
