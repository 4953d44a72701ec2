#include "cli/output/describe.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "objects.h"

namespace cluster::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

v1::Event ScheduledEvent() {
  return Parse(absl::StrCat("event { type: 'Normal' reason: 'Scheduled' message: 'placed on node1' "
                            "source { component: 'scheduler' } last_timestamp ",
                            At(absl::Seconds(30)), " }"))
      .event();
}

TEST(DescribeTest, Pod) {
  const v1::Object pod = Parse(absl::StrCat(
      "pod { metadata { name: 'web-1' namespace: 'shop' creation_timestamp { seconds: 1799999000 }"
      " labels { key: 'app' value: 'web' } labels { key: 'tier' value: 'front' }"
      " owner_references { kind: 'ReplicaSet' name: 'web-abc' controller: true } }"
      " spec { node_name: 'node1' restart_policy: RESTART_POLICY_ALWAYS containers { name: 'nginx'"
      " image: 'web:1' args: 'serve' args: '-v' ports { container_port: 80 }"
      " env { name: 'MODE' value: 'fast' } env { name: 'KEY' value_from { secret_key_ref { name: "
      "'s'"
      " key: 'k' } } } resources { limits { key: 'memory' value: '64Mi' } } } }"
      " status { phase: POD_PHASE_RUNNING host_ip: '192.0.2.1' pod_ip: '10.64.0.2'"
      " qos_class: QOS_CLASS_BURSTABLE conditions { type: 'Ready' status: CONDITION_STATUS_TRUE"
      " last_transition_time ",
      At(absl::Minutes(2)),
      " } container_statuses { name: 'nginx' ready: true restart_count: 1 state { running {"
      " started_at { seconds: 1799999500 nanos: 5 } pid: 4711 } } last_state { terminated { "
      "exit_code: 137"
      " signal: 9 reason: 'OOMKilled' started_at { seconds: 1799999100 } finished_at { seconds:"
      " 1799999400 } } } } } }"));
  EXPECT_EQ(Describe(pod, {.events = {ScheduledEvent()}}, Noon()), R"(Name:            web-1
Namespace:       shop
Labels:          app=web
                 tier=front
Annotations:     <none>
Created:         2027-01-15T07:43:20Z
Controlled By:   ReplicaSet/web-abc
Node:            node1/192.0.2.1
Status:          Running
IP:              10.64.0.2
Containers:
  nginx:
    State:          Running
      Started:  2027-01-15T07:51:40Z
      PID:      4711
    Last State:     Terminated (OOMKilled)
      Exit Code:  137
      Signal:     9
      Started:    2027-01-15T07:45:00Z
      Finished:   2027-01-15T07:50:00Z
    Ready:          True
    Restart Count:  1
    Image:          web:1
    Ports:          80/TCP
    Host Ports:     <none>
    Args:           serve -v
    Limits:         memory: 64Mi
    Environment:    MODE: fast
                    KEY: <set to the key 'k' of secret 's'>
Conditions:
  Type   Status  Since  Reason  Message
  ----   ------  -----  ------  -------
  Ready  True    2m
QoS Class:       Burstable
Restart Policy:  Always
Node-Selectors:  <none>
Tolerations:     <none>
Events:
  Type    Reason     Age  From       Message
  ----    ------     ---  ----       -------
  Normal  Scheduled  30s  scheduler  placed on node1
)");
}

TEST(DescribeTest, APendingPodSaysWhatEachNodeLacks) {
  const v1::Object pod = Parse(absl::StrCat(
      "pod { metadata { name: 'big' } spec { containers { name: 'c' } } status { conditions {"
      " type: 'PodScheduled' status: CONDITION_STATUS_FALSE reason: 'Unschedulable' message:"
      " '0/2 nodes are available: 2 Insufficient cpu on node1, node2.'"
      " last_transition_time ",
      At(absl::Seconds(20)), " } } }"));
  EXPECT_THAT(Describe(pod, {}, Noon()),
              HasSubstr("Status:           Pending\n"
                        "Pending Since:    20s ago\n"
                        "Pending Because:  0/2 nodes are available: 2 Insufficient cpu on node1, "
                        "node2.\n"));
}

TEST(DescribeTest, ASecretShowsSizesOnly) {
  const v1::Object secret = Parse(
      "secret { metadata { name: 's' namespace: 'default' } type: 'Opaque'"
      " data { key: 'password' value: 'hunter2' } }");
  const std::string text = Describe(secret, {}, Noon());
  EXPECT_THAT(text, HasSubstr("password:  7 bytes\n"));
  EXPECT_THAT(text, Not(HasSubstr("hunter2")));
}

TEST(DescribeTest, ConfigMapShowsItsTextWithoutControlCharacters) {
  const v1::Object map =
      Parse("config_map { metadata { name: 'c' } data { key: 'a.conf' value: 'x\\ny\\033z' } }");
  EXPECT_THAT(Describe(map, {}, Noon()), HasSubstr("a.conf:\n----\nx\ny\\x1bz\n\nEvents:"));
}

TEST(DescribeTest, DeploymentNamesItsReplicaSets) {
  const v1::Object web = Parse(
      "deployment { metadata { name: 'web' annotations { key: 'deployment.kubernetes.io/revision'"
      " value: '2' } } spec { replicas: 3 strategy { type: STRATEGY_TYPE_ROLLING_UPDATE"
      " rolling_update { max_surge: '25%' max_unavailable: '1' } } }"
      " status { replicas: 3 updated_replicas: 2 available_replicas: 3 } }");
  const auto set = [](const std::string& name, const std::string& revision, int replicas) {
    v1::ReplicaSet result;
    result.mutable_metadata()->set_name(name);
    (*result.mutable_metadata()->mutable_annotations())["deployment.kubernetes.io/revision"] =
        revision;
    result.mutable_spec()->set_replicas(replicas);
    result.mutable_status()->set_replicas(replicas);
    return result;
  };
  const std::string text =
      Describe(web, {.replica_sets = {set("web-old", "1", 1), set("web-new", "2", 2)}}, Noon());
  EXPECT_THAT(text, HasSubstr("3 desired | 2 updated | 3 total | 3 available | 0 unavailable\n"));
  EXPECT_THAT(text, HasSubstr("RollingUpdateStrategy:  1 max unavailable, 25% max surge\n"));
  EXPECT_THAT(text, HasSubstr("OldReplicaSets:         web-old (1/1 replicas created)\n"
                              "NewReplicaSet:          web-new (2/2 replicas created)\n"));
}

TEST(DescribeTest, NodeAddsUpWhatItsPodsAskFor) {
  const v1::Object node = Parse(
      "node { metadata { name: 'node1' } status { allocatable { key: 'cpu' value: '2' }"
      " allocatable { key: 'memory' value: '1Gi' } } }");
  v1::Pod pod = ParsePod(
      "metadata { name: 'a' namespace: 'shop' } spec { containers { resources { requests { key: "
      "'cpu' value: '500m' } requests { key: 'memory' value: '256Mi' } } } } status { phase: "
      "POD_PHASE_RUNNING }");
  v1::Pod ended = pod;
  ended.mutable_status()->set_phase(v1::POD_PHASE_SUCCEEDED);
  const std::string text = Describe(node, {.pods = {pod, ended}}, Noon());
  EXPECT_THAT(text, HasSubstr("Pods (1 in total):\n"));
  EXPECT_THAT(text, HasSubstr("  shop       a     500m (25%)    256Mi (25%)      <unknown>\n"));
  EXPECT_THAT(text, HasSubstr("  cpu       500m (25%)\n  memory    256Mi (25%)\n"));
}

std::string DescribedContainer(absl::string_view fields) {
  const std::string text =
      Describe(Parse(absl::StrCat("pod { spec { containers { name: 'main' image: 'app:1' ", fields,
                                  " } } }")),
               {}, Noon());
  return text.substr(text.find("Containers:"));
}

TEST(DescribeTest, ProbesAreInKubectlsForm) {
  const std::string timing =
      " timeout_seconds: 1 period_seconds: 10 success_threshold: 1 failure_threshold: 3 }";
  EXPECT_THAT(DescribedContainer(
                  absl::StrCat("liveness_probe { http_get { port: '8080' path: '/healthz' scheme: "
                               "URI_SCHEME_HTTP }",
                               timing)),
              HasSubstr("Liveness:     http-get http://:8080/healthz delay=0s timeout=1s "
                        "period=10s #success=1 #failure=3\n"));
  EXPECT_THAT(
      DescribedContainer(absl::StrCat("readiness_probe { exec { command: 'cat' command: '/ok' } "
                                      "initial_delay_seconds: 5",
                                      timing)),
      HasSubstr("exec [cat /ok] delay=5s timeout=1s"));
  EXPECT_THAT(
      DescribedContainer(absl::StrCat("startup_probe { tcp_socket { port: 'web' }", timing)),
      HasSubstr("tcp-socket :web delay=0s"));
  EXPECT_THAT(DescribedContainer(
                  absl::StrCat("startup_probe { grpc { port: 9000 service: 'shop' }", timing)),
              HasSubstr("grpc <pod>:9000 shop delay=0s"));
  EXPECT_THAT(
      DescribedContainer("lifecycle { pre_stop { sleep { seconds: 3 } } post_start { exec { "
                         "command: 'hello' } } stop_signal: 'SIGUSR1' }"),
      testing::AllOf(HasSubstr("sleep 3s"), HasSubstr("exec [hello]"), HasSubstr("SIGUSR1")));
}

TEST(DescribeTest, InitAndEphemeralContainersHaveTheirOwnPlaces) {
  const std::string text = Describe(
      Parse("pod { spec { init_containers { name: 'setup' image: 'setup:1' }"
            " ephemeral_containers { name: 'look' image: 'tools:1' } containers { name: 'main' } }"
            " status { init_container_statuses { name: 'setup' state { terminated { exit_code: 3"
            " reason: 'Error' message: 'no database' } } } } }"),
      {}, Noon());
  EXPECT_THAT(text, HasSubstr("Init Containers:\n  setup:\n"));
  EXPECT_THAT(text, HasSubstr("Message:    no database\n"));
  EXPECT_THAT(text, HasSubstr("Ephemeral Containers:\n  look:\n"));
  EXPECT_LT(text.find("Init Containers"), text.find("\nContainers"));
}

TEST(DescribeTest, AClaimAndThePodsThatUseIt) {
  Related related;
  related.pods.push_back(ParsePod("metadata { name: 'web-1' }"));
  const std::string text = Describe(
      Parse("persistent_volume_claim { metadata { name: 'data' namespace: 'shop' uid: 'c1' "
            "finalizers: 'kubernetes.io/pvc-protection' } "
            "spec { storage_class_name: 'local' volume_mode: VOLUME_MODE_FILESYSTEM } "
            "status { phase: CLAIM_PHASE_BOUND node_name: 'n2' "
            "access_modes: ACCESS_MODE_READ_WRITE_ONCE "
            "capacity { key: 'storage' value: '1Gi' } } }"),
      related, Noon());
  for (const char* line : {"StorageClass:", "local\n", "Status:", "Bound\n", "pvc-c1\n", "n2\n",
                           "kubernetes.io/pvc-protection\n", "1Gi\n", "RWO\n", "Filesystem\n",
                           "Used By:", "web-1\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << " is not in\n" << text;
  }
}

TEST(DescribeTest, VolumesOfAPodAndWhereItsContainersSeeThem) {
  const std::string text = Describe(
      Parse("pod { metadata { name: 'web' } spec { "
            "volumes { name: 'a' empty_dir { medium: STORAGE_MEDIUM_MEMORY size_limit: '1Mi' } } "
            "volumes { name: 'b' config_map { name: 'settings' optional: true } } "
            "volumes { name: 'c' persistent_volume_claim { claim_name: 'data' } } "
            "volumes { name: 'd' host_path { path: '/var' type: HOST_PATH_TYPE_DIRECTORY } } "
            "containers { name: 'main' volume_mounts { name: 'a' mount_path: '/a' sub_path: 'x' "
            "read_only: true } } } }"),
      {}, Noon());
  for (const char* line : {"/a from a (ro, path=x)\n", "EmptyDir in memory, at most 1Mi\n",
                           "ConfigMap settings, optional\n", "PersistentVolumeClaim data\n",
                           "HostPath /var, type Directory\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << " is not in\n" << text;
  }
}

TEST(DescribeTest, AStatefulSetAndItsClaims) {
  Related related;
  related.pods.push_back(ParsePod("metadata { name: 'db-0' } status { phase: POD_PHASE_RUNNING }"));
  const std::string text = Describe(
      Parse("stateful_set { metadata { name: 'db' namespace: 'shop' } spec { replicas: 3 "
            "selector { match_labels { key: 'app' value: 'db' } } "
            "update_strategy { type: STATEFUL_SET_STRATEGY_TYPE_ROLLING_UPDATE rolling_update { "
            "partition: 2 max_unavailable: '1' } } "
            "volume_claim_templates { metadata { name: 'data' } spec { "
            "access_modes: ACCESS_MODE_READ_WRITE_ONCE storage_class_name: 'local' "
            "resources { requests { key: 'storage' value: '1Gi' } } } } "
            "template { spec { containers { name: 'main' image: 'db:1' } } } } "
            "status { replicas: 1 conditions { type: 'Progressing' reason: 'PodNotReady' "
            "message: 'pod db-0 is not ready' } } }"),
      related, Noon());
  for (const char* line :
       {"app=db\n", "3 desired | 1 total\n", "RollingUpdate\n", "Partition:", " 2\n",
        "1 Running / 0 Waiting / 0 Succeeded / 0 Failed\n", "Volume Claims:", "data\n", "1Gi\n",
        "[ReadWriteOnce]\n", "db:1\n", "pod db-0 is not ready\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << " is not in\n" << text;
  }
}

TEST(DescribeTest, ADaemonSetAndItsNodes) {
  const std::string text =
      Describe(Parse("daemon_set { metadata { name: 'log' namespace: 'shop' } spec { "
                     "template { spec { node_selector { key: 'disk' value: 'ssd' } "
                     "containers { name: 'main' image: 'log:1' } } } } "
                     "status { desired_number_scheduled: 5 current_number_scheduled: 4 "
                     "updated_number_scheduled: 3 number_available: 2 number_misscheduled: 1 } }"),
               {}, Noon());
  for (const char* line : {"disk=ssd\n", "Desired Number of Nodes Scheduled:", " 5\n",
                           "Current Number of Nodes Scheduled:", " 4\n",
                           "Number of Nodes Scheduled with Up-to-date Pods:", " 3\n",
                           "Number of Nodes Scheduled with Available Pods:", " 2\n",
                           "Number of Nodes Misscheduled:", " 1\n", "log:1\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << " is not in\n" << text;
  }
}

TEST(DescribeTest, AJobSaysHowFarItIs) {
  const v1::Object job = Parse(
      "job { metadata { name: 'work' namespace: 'shop' } spec { parallelism: 2 completions: 5"
      " completion_mode: COMPLETION_MODE_INDEXED backoff_limit: 6 active_deadline_seconds: 60"
      " template { spec { containers { name: 'a' image: 'app:1' } } } }"
      " status { active: 2 ready: 1 succeeded: 3 failed: 1 completed_indexes: '0-2' } }");
  const std::string text = Describe(job, {}, Noon());
  EXPECT_THAT(text, HasSubstr("Completion Mode:"));
  EXPECT_THAT(text, HasSubstr("2 Active (1 Ready) / 3 Succeeded / 1 Failed"));
  EXPECT_THAT(text, HasSubstr("0-2"));
  EXPECT_THAT(text, HasSubstr("60s"));
}

TEST(DescribeTest, ACronJobSaysWhenItRunsNext) {
  const v1::Object cron_job = Parse(
      "cron_job { metadata { name: 'backup' namespace: 'shop' } spec { schedule: '@daily'"
      " concurrency_policy: CONCURRENCY_POLICY_FORBID job_template { spec { template { spec {"
      " containers { name: 'a' image: 'app:1' } } } } } }"
      " status { active { name: 'backup-1' } next_schedule_time { seconds: 1767312000 } } }");
  const std::string text = Describe(cron_job, {}, Noon());
  EXPECT_THAT(text, HasSubstr("@daily"));
  EXPECT_THAT(text, HasSubstr("Forbid"));
  EXPECT_THAT(text, HasSubstr("2026-01-02T00:00:00Z"));
  EXPECT_THAT(text, HasSubstr("backup-1"));
}

TEST(DescribeTest, AnAutoscalerSaysWhatItSeesAndHowFastItMayGo) {
  const v1::Object autoscaler = Parse(absl::StrCat(
      "horizontal_pod_autoscaler { metadata { name: 'web' } spec {"
      " scale_target_ref { kind: 'Deployment' name: 'web' } min_replicas: 1 max_replicas: 5"
      " metrics { resource { name: 'cpu' target { type: METRIC_TARGET_TYPE_UTILIZATION"
      " average_utilization: 50 } } }"
      " metrics { resource { name: 'memory' target { type: METRIC_TARGET_TYPE_AVERAGE_VALUE"
      " average_value: '1Gi' } } }"
      " behavior { scale_up { stabilization_window_seconds: 30 select_policy:"
      " SCALING_POLICY_SELECT_MIN policies { type: SCALING_POLICY_TYPE_PODS value: 4"
      " period_seconds: 15 } } scale_down { tolerance: '50m' } } }"
      " status { current_replicas: 2 desired_replicas: 3"
      " current_metrics { resource { name: 'cpu' current { average_utilization: 75"
      " average_value: '150m' } } }"
      " conditions { type: 'AbleToScale' status: CONDITION_STATUS_TRUE reason: 'ReadyForNewScale'"
      " last_transition_time ",
      At(absl::Minutes(2)), " } } }"));
  const std::string text = Describe(autoscaler, {}, Noon());
  for (const std::string line :
       {"Deployment/web\n",
        "resource cpu on pods  (as a percentage of request):  75% (150m) / 50%\n",
        "<unknown> / 1Gi\n", "Scale Up:\n", "30 seconds\n", "Min\n", "50m\n",
        "- Type: Pods  Value: 4  Period: 15 seconds\n", "2 current / 3 desired\n",
        "ReadyForNewScale"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(DescribeTest, QuotasAndLimitRangesAreTables) {
  const v1::Object quota = Parse(
      "resource_quota { metadata { name: 'q' namespace: 'shop' } spec { scopes: "
      "QUOTA_SCOPE_BEST_EFFORT } status { hard { key: 'pods' value: '4' } used { key: 'pods' "
      "value: '3' } } }");
  EXPECT_THAT(Describe(quota, {}, Noon()), HasSubstr("pods      3     4"));
  EXPECT_THAT(Describe(quota, {}, Noon()), HasSubstr("BestEffort"));
  const v1::Object range = Parse(
      "limit_range { metadata { name: 'l' namespace: 'shop' } spec { limits { type: "
      "LIMIT_TYPE_CONTAINER max { key: 'cpu' value: '2' } default_request { key: 'cpu' value: "
      "'1' } } } }");
  EXPECT_THAT(Describe(range, {}, Noon()), HasSubstr("Container  cpu       -    2    1"));
}

TEST(DescribeTest, Behaviour57_AServiceShowsTheReadyPodsOfItsSelector) {
  const v1::Object service = Parse(absl::StrCat(
      "service { metadata { name: 'web' namespace: 'shop' creation_timestamp ",
      At(absl::Minutes(3)),
      " } spec { type: SERVICE_TYPE_NODE_PORT cluster_ip: '10.60.0.7' cluster_ips: '10.60.0.7'"
      " ip_families: 'IPv4' ip_family_policy: 'SingleStack' selector { key: 'app' value: 'web' }"
      " ports { port: 80 protocol: PROTOCOL_TCP target_port: 'http' node_port: 30080 }"
      " session_affinity: SESSION_AFFINITY_CLIENT_IP session_affinity_config { client_ip {"
      " timeout_seconds: 60 } } external_traffic_policy: SERVICE_TRAFFIC_POLICY_LOCAL"
      " internal_traffic_policy: SERVICE_TRAFFIC_POLICY_CLUSTER } }"));
  const auto pod = [](const std::string& name, const std::string& more) {
    return ParsePod(absl::StrCat(
        "metadata { name: '", name, "' namespace: 'shop' labels { key: 'app' value: 'web' } ",
        more == "ending" ? "deletion_timestamp { seconds: 1 }" : "",
        " } spec { containers { ports { name: 'http' protocol: PROTOCOL_TCP container_port: ",
        name == "b" ? 8081 : 8080, " } } } status { phase: POD_PHASE_RUNNING pod_ip: '10.64.0.",
        name == "a" ? 1 : 2, "' conditions { type: 'Ready' status: CONDITION_STATUS_",
        more == "unready" ? "FALSE" : "TRUE", " } }"));
  };
  Related related;
  related.pods = {pod("b", ""), pod("a", ""), pod("c", "unready"), pod("d", "ending")};
  related.pods.push_back(pod("e", ""));
  related.pods.back().mutable_spec()->clear_containers();  // has no such port
  const std::string text = Describe(service, related, Noon());
  EXPECT_THAT(text, HasSubstr("Selector:                 app=web\n"
                              "Type:                     NodePort\n"
                              "IP Family Policy:         SingleStack\n"
                              "IP Families:              IPv4\n"
                              "IP:                       10.60.0.7\n"
                              "IPs:                      10.60.0.7\n"
                              "Port:                     <unset>  80/TCP\n"
                              "TargetPort:               http/TCP\n"
                              "NodePort:                 <unset>  30080/TCP\n"
                              "Endpoints:                10.64.0.1:8080,10.64.0.2:8081\n"
                              "Session Affinity:         ClientIP\n"
                              "Affinity Timeout:         60s\n"
                              "External Traffic Policy:  Local\n"
                              "Internal Traffic Policy:  Cluster\n"
                              "Events:                   <none>\n"))
      << text;
}

}  // namespace
}  // namespace cluster::cli
