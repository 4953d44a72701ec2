// Everything about one object, for people. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "cli/output/description.h"

#include "cluster/v1/api.pb.h"
#include "cluster/v1/object.pb.h"

namespace cluster::cli {

// What stands around the object that is described.
struct Related {
  // Events about it.
  std::vector<v1::Event> events = {};
  // Of a Deployment: its ReplicaSets. Of a ReplicaSet, StatefulSet or DaemonSet: its pods. Of a
  // node: the pods on it. Of a claim: the pods that name it. Of a
  // service: those that its selector finds.
  std::vector<v1::ReplicaSet> replica_sets = {};
  std::vector<v1::Pod> pods = {};
  // Of a pod that has not ended: why it is where it is.
  std::optional<v1::WhyResponse> why = {};
};

std::string Describe(const v1::Object& object, const Related& related, absl::Time now);

// The parts, one per kind.
void DescribePod(const v1::Pod& pod, absl::Time now, Description& text);
void DescribePlacement(const v1::WhyResponse& why, Description& text);
void DescribeBudget(const v1::PodDisruptionBudget& budget, absl::Time now, Description& text);
void DescribeAutoscaler(const v1::HorizontalPodAutoscaler& autoscaler, absl::Time now,
                        Description& text);
void DescribePriorityClass(const v1::PriorityClass& priority_class, Description& text);
void DescribePodTemplate(const v1::PodTemplateSpec& pod, int level, Description& text);
void DescribeDeployment(const v1::Deployment& deployment, const Related& related, absl::Time now,
                        Description& text);
void DescribeReplicaSet(const v1::ReplicaSet& set, const Related& related, Description& text);
void DescribeStatefulSet(const v1::StatefulSet& set, const Related& related, absl::Time now,
                         Description& text);
void DescribeDaemonSet(const v1::DaemonSet& set, const Related& related, absl::Time now,
                       Description& text);
void DescribeJob(const v1::Job& job, absl::Time now, Description& text);
void DescribeCronJob(const v1::CronJob& cron_job, Description& text);
void DescribeLimitRange(const v1::LimitRange& range, Description& text);
void DescribeQuota(const v1::ResourceQuota& quota, Description& text);
void DescribeClaim(const v1::PersistentVolumeClaim& claim, const Related& related, absl::Time now,
                   Description& text);
void DescribeService(const v1::Service& service, const Related& related, Description& text);
void DescribeNode(const v1::Node& node, const Related& related, absl::Time now, Description& text);
void DescribeVolumes(const v1::PodSpec& spec, int level, Description& text);
std::vector<std::string> MountLines(
    const google::protobuf::RepeatedPtrField<v1::VolumeMount>& mounts);

// Probes and hooks, one line each; nothing for what the container does not have.
void DescribeProbes(int level, const v1::Container& container, Description& text);

// Shared by them.
// "1 Running / 0 Waiting / 0 Succeeded / 0 Failed"
std::string PodsText(const std::vector<v1::Pod>& pods);
void DescribeConditions(const google::protobuf::RepeatedPtrField<v1::Condition>& conditions,
                        absl::Time now, Description& text);
std::vector<std::string> KeyValueLines(
    const google::protobuf::Map<std::string, std::string>& entries, absl::string_view separator);
// RFC 3339, whole seconds; "<unknown>" for a time that is not set.
std::string TimeText(const google::protobuf::Timestamp& time);

}  // namespace cluster::cli
