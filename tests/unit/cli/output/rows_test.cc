#include "cli/output/rows.h"

#include <sstream>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "objects.h"

namespace cluster::cli {
namespace {

std::string Printed(const v1::Object& object, const RowOptions& options) {
  std::ostringstream out;
  Table(out).Print({Header(KindOf(object), options), Row(object, options, Noon())});
  return out.str();
}

constexpr RowOptions kWide = {.wide = true};

v1::Object WebPod() {
  return Parse(absl::StrCat(
      "pod { metadata { name: 'web-1' namespace: 'shop' creation_timestamp ", At(absl::Minutes(3)),
      " labels { key: 'tier' value: 'front' } labels { key: 'app' value: 'web' } }"
      " spec { node_name: 'node2' containers { name: 'nginx' } }"
      " status { phase: POD_PHASE_RUNNING pod_ip: '10.64.4.2'"
      " container_statuses { name: 'nginx' ready: true state { running {} } } } }"));
}

TEST(RowsTest, Pod) {
  EXPECT_EQ(Printed(WebPod(), {}),
            "NAME    READY   STATUS    RESTARTS   AGE\n"
            "web-1   1/1     Running   0          3m\n");
  EXPECT_EQ(Printed(WebPod(), kWide),
            "NAME    READY   STATUS    RESTARTS   AGE   IP          NODE\n"
            "web-1   1/1     Running   0          3m    10.64.4.2   node2\n");
}

TEST(RowsTest, Services) {
  const auto row = [](const std::string& name, const std::string& spec) {
    return Printed(Parse(absl::StrCat("service { metadata { name: '", name, "' creation_timestamp ",
                                      At(absl::Minutes(3)), " } spec { ", spec, " } }")),
                   kWide);
  };
  EXPECT_EQ(row("web",
                "type: SERVICE_TYPE_LOAD_BALANCER cluster_ip: '10.60.0.7' selector { key: 'app' "
                "value: 'web' } ports { port: 80 protocol: PROTOCOL_TCP node_port: 30080 } ports "
                "{ port: 53 protocol: PROTOCOL_UDP }"),
            "NAME   TYPE           CLUSTER-IP   EXTERNAL-IP   PORT(S)               AGE   "
            "SELECTOR\n"
            "web    LoadBalancer   10.60.0.7    <pending>     80:30080/TCP,53/UDP   3m    "
            "app=web\n");
  EXPECT_EQ(row("db", "type: SERVICE_TYPE_EXTERNAL_NAME external_name: 'db.example'"),
            "NAME   TYPE           CLUSTER-IP   EXTERNAL-IP   PORT(S)   AGE   SELECTOR\n"
            "db     ExternalName   <none>       db.example    <none>    3m    <none>\n");
}

TEST(RowsTest, BudgetsAndPriorityClasses) {
  EXPECT_EQ(Printed(Parse(absl::StrCat(
                        "pod_disruption_budget { metadata { name: 'web' creation_timestamp ",
                        At(absl::Minutes(3)), " } spec { max_unavailable: '1' }",
                        " status { disruptions_allowed: 2 } }")),
                    {}),
            "NAME   MIN AVAILABLE   MAX UNAVAILABLE   ALLOWED DISRUPTIONS   AGE\n"
            "web    N/A             1                 2                     3m\n");
  EXPECT_EQ(
      Printed(Parse(absl::StrCat("priority_class { metadata { name: 'high' creation_timestamp ",
                                 At(absl::Minutes(3)),
                                 " } value: 1000 preemption_policy: PREEMPTION_POLICY_NEVER }")),
              {}),
      "NAME   VALUE   GLOBAL-DEFAULT   AGE   PREEMPTIONPOLICY\n"
      "high   1000    false            3m    Never\n");
}

// In the text form; `current` may be empty: not known.
struct MetricLines {
  std::string resource;
  std::string target;
  std::string current;
};

v1::Object WebAutoscaler(const std::vector<MetricLines>& metrics) {
  std::string text =
      absl::StrCat("horizontal_pod_autoscaler { metadata { name: 'web' creation_timestamp ",
                   At(absl::Minutes(3)),
                   " } spec { scale_target_ref { kind: 'Deployment' name: 'web' } min_replicas: 2"
                   " max_replicas: 10");
  for (const MetricLines& metric : metrics) {
    absl::StrAppend(&text, " metrics { resource { name: '", metric.resource, "' target { ",
                    metric.target, " } } }");
  }
  absl::StrAppend(&text, " } status { current_replicas: 3");
  for (const MetricLines& metric : metrics) {
    if (metric.current.empty()) continue;
    absl::StrAppend(&text, " current_metrics { resource { name: '", metric.resource, "' current { ",
                    metric.current, " } } }");
  }
  return Parse(absl::StrCat(text, " } }"));
}

TEST(RowsTest, Autoscalers) {
  const std::string percent = "type: METRIC_TARGET_TYPE_UTILIZATION average_utilization: 80";
  const std::string amount = "type: METRIC_TARGET_TYPE_AVERAGE_VALUE average_value: '100Mi'";
  EXPECT_EQ(Printed(WebAutoscaler({{"cpu", percent, ""}}), {}),
            "NAME   REFERENCE        TARGETS              MINPODS   MAXPODS   REPLICAS   AGE\n"
            "web    Deployment/web   cpu: <unknown>/80%   2         10        3          3m\n");
  const v1::Object two =
      WebAutoscaler({{"cpu", percent, "average_utilization: 35 average_value: '350m'"},
                     {"memory", amount, "average_value: '40Mi'"}});
  EXPECT_EQ(Row(two, {}, Noon())[2], "cpu: 35%/80%, memory: 40Mi/100Mi");
  const v1::Object four = WebAutoscaler({{"memory", percent, ""},
                                         {"memory", amount, "average_value: '1'"},
                                         {"cpu", percent, ""},
                                         {"cpu", percent, ""}});
  EXPECT_EQ(Row(four, {}, Noon())[2], "memory: <unknown>/80%, memory: 1/100Mi + 2 more...");
}

TEST(RowsTest, NamespaceKindAndLabelsAreExtraColumns) {
  EXPECT_EQ(Printed(WebPod(), {.with_namespace = true, .with_labels = true, .with_kind = true}),
            "NAMESPACE   NAME        READY   STATUS    RESTARTS   AGE   LABELS\n"
            "shop        pod/web-1   1/1     Running   0          3m    app=web,tier=front\n");
}

TEST(RowsTest, PersistentVolumeClaim) {
  const std::string spec =
      "spec { access_modes: ACCESS_MODE_READ_WRITE_ONCE storage_class_name: 'local' "
      "volume_mode: VOLUME_MODE_FILESYSTEM } ";
  const auto claim = [&](const std::string& meta, const std::string& status) {
    return Parse(absl::StrCat("persistent_volume_claim { metadata { name: 'data' uid: 'c1' ", meta,
                              "creation_timestamp ", At(absl::Minutes(3)), " } ", spec,
                              " status { ", status, " } }"));
  };
  EXPECT_EQ(Printed(claim("", "phase: CLAIM_PHASE_PENDING"), {}),
            "NAME   STATUS    VOLUME   CAPACITY   ACCESS MODES   STORAGECLASS   AGE\n"
            "data   Pending                                      local          3m\n");
  const std::string bound =
      "phase: CLAIM_PHASE_BOUND node_name: 'n2' access_modes: ACCESS_MODE_READ_WRITE_ONCE "
      "capacity { key: 'storage' value: '1Gi' }";
  EXPECT_EQ(Printed(claim("", bound), kWide),
            "NAME   STATUS   VOLUME   CAPACITY   ACCESS MODES   STORAGECLASS   AGE   VOLUMEMODE   "
            "NODE\n"
            "data   Bound    pvc-c1   1Gi        RWO            local          3m    Filesystem   "
            "n2\n");
  EXPECT_NE(Printed(claim("deletion_timestamp { seconds: 1 } ", bound), {}).find("Terminating"),
            std::string::npos);
}

TEST(RowsTest, APodWithoutNodeHasNone) {
  EXPECT_EQ(Printed(Parse("pod { metadata { name: 'a' } spec { containers {} } }"), kWide),
            "NAME   READY   STATUS    RESTARTS   AGE         IP       NODE\n"
            "a      0/1     Pending   0          <unknown>   <none>   <none>\n");
}

TEST(RowsTest, Deployment) {
  const v1::Object web = Parse(absl::StrCat(
      "deployment { metadata { name: 'web' creation_timestamp ", At(absl::Hours(5)),
      " } spec { replicas: 3 selector { match_labels { key: 'app' value: 'web' } }"
      " template { spec { containers { name: 'a' image: 'web:1' } containers { name: 'b' image: "
      "'side:2' } } } } status { replicas: 3 updated_replicas: 2 ready_replicas: 3 "
      "available_replicas: 1 } }"));
  EXPECT_EQ(Printed(web, kWide),
            "NAME   READY   UP-TO-DATE   AVAILABLE   AGE   CONTAINERS   IMAGES         SELECTOR\n"
            "web    3/3     2            1           5h    a,b          web:1,side:2   app=web\n");
}

TEST(RowsTest, ReplicaSet) {
  const v1::Object set = Parse(absl::StrCat(
      "replica_set { metadata { name: 'web-abc' creation_timestamp ", At(absl::Seconds(9)),
      " } spec { replicas: 3 } status { replicas: 2 ready_replicas: 1 } }"));
  EXPECT_EQ(Printed(set, {}),
            "NAME      DESIRED   CURRENT   READY   AGE\n"
            "web-abc   3         2         1       9s\n");
}

TEST(RowsTest, StatefulSet) {
  const v1::Object set = Parse(
      absl::StrCat("stateful_set { metadata { name: 'db' creation_timestamp ", At(absl::Hours(5)),
                   " } spec { replicas: 3 selector { match_labels { key: 'app' value: 'db' } }"
                   " template { spec { containers { name: 'a' image: 'db:1' } } } }"
                   " status { replicas: 3 ready_replicas: 2 } }"));
  EXPECT_EQ(Printed(set, {}),
            "NAME   READY   AGE\n"
            "db     2/3     5h\n");
  EXPECT_EQ(Printed(set, kWide),
            "NAME   READY   AGE   CONTAINERS   IMAGES\n"
            "db     2/3     5h    a            db:1\n");
}

TEST(RowsTest, DaemonSet) {
  const v1::Object set = Parse(absl::StrCat(
      "daemon_set { metadata { name: 'log' creation_timestamp ", At(absl::Hours(5)),
      " } spec { selector { match_labels { key: 'app' value: 'log' } }"
      " template { spec { containers { name: 'a' image: 'log:1' }"
      " node_selector { key: 'disk' value: 'ssd' } } } }"
      " status { desired_number_scheduled: 4 current_number_scheduled: 3 number_ready: 2"
      " updated_number_scheduled: 1 number_available: 2 } }"));
  EXPECT_EQ(Printed(set, kWide),
            "NAME   DESIRED   CURRENT   READY   UP-TO-DATE   AVAILABLE   NODE SELECTOR   AGE   "
            "CONTAINERS   IMAGES   SELECTOR\n"
            "log    4         3         2       1            2           disk=ssd        5h    "
            "a            log:1    app=log\n");
}

TEST(RowsTest, ControllerRevision) {
  const v1::Object revision = Parse(absl::StrCat(
      "controller_revision { metadata { name: 'db-5f' creation_timestamp ", At(absl::Hours(5)),
      " owner_references { api_version: 'apps/v1' kind: 'StatefulSet' name: 'db' controller: true "
      "} } revision: 7 }"));
  EXPECT_EQ(Printed(revision, {}),
            "NAME    CONTROLLER            REVISION   AGE\n"
            "db-5f   statefulset.apps/db   7          5h\n");
}

TEST(RowsTest, DataIsCountedAndNeverShown) {
  const std::string meta =
      absl::StrCat("metadata { name: 'c' creation_timestamp ", At(absl::Hours(24 * 30)), " } ");
  EXPECT_EQ(Printed(Parse(absl::StrCat("config_map { ", meta,
                                       "data { key: 'a' value: 'x' } binary_data { key: 'b' } }")),
                    {}),
            "NAME   DATA   AGE\n"
            "c      2      30d\n");
  EXPECT_EQ(Printed(Parse(absl::StrCat("secret { ", meta,
                                       "type: 'Opaque' data { key: 'k' value: 'hidden' } }")),
                    kWide),
            "NAME   TYPE     DATA   AGE\n"
            "c      Opaque   1      30d\n");
}

TEST(RowsTest, NodeSaysWhetherItTakesPods) {
  const v1::Object node = Parse(absl::StrCat(
      "node { metadata { name: 'node1' creation_timestamp ", At(absl::Minutes(15)),
      " labels { key: 'node-role.kubernetes.io/worker' } } spec { unschedulable: true }"
      " status { conditions { type: 'Ready' status: CONDITION_STATUS_UNKNOWN }"
      " addresses { type: 'InternalIP' address: '192.0.2.1' }"
      " node_info { agent_version: '0.1.0' os_image: 'Debian 12' kernel_version: '6.1' "
      "cgroup_version: 'hybrid' } } }"));
  EXPECT_EQ(
      Printed(node, kWide),
      "NAME    STATUS                        ROLES    AGE   VERSION   INTERNAL-IP   OS-IMAGE    "
      "KERNEL-VERSION   CGROUP\n"
      "node1   NotReady,SchedulingDisabled   worker   15m   0.1.0     192.0.2.1     Debian 12   "
      "6.1              hybrid\n");
}

TEST(RowsTest, EventsCountWhatRepeats) {
  const v1::Object event = Parse(absl::StrCat(
      "event { metadata { name: 'e' namespace: 'shop' } type: 'Warning' reason: 'BackOff' message: "
      "'again\\nand again' count: 4 involved_object { kind: 'Pod' name: 'web-1' } first_timestamp ",
      At(absl::Minutes(10)), " last_timestamp ", At(absl::Minutes(3)), " }"));
  EXPECT_EQ(Printed(event, {.with_namespace = true}),
            "NAMESPACE   LAST SEEN          TYPE      REASON    OBJECT      MESSAGE\n"
            "shop        3m (x4 over 10m)   Warning   BackOff   pod/web-1   again and again\n");
}

TEST(RowsTest, Job) {
  const auto job = [](const std::string& spec, const std::string& status) {
    return Parse(absl::StrCat("job { metadata { name: 'work' creation_timestamp ",
                              At(absl::Minutes(9)), " } spec { ", spec,
                              " selector { match_labels { key: 'job' value: 'work' } } template { "
                              "spec { containers { name: 'a' image: 'app:1' } } } } status { ",
                              status, " } }"));
  };
  const std::string start = absl::StrCat("start_time ", At(absl::Minutes(8)));
  EXPECT_EQ(Printed(job("completions: 3", absl::StrCat("succeeded: 1 ", start)), {}),
            "NAME   STATUS    COMPLETIONS   DURATION   AGE\n"
            "work   Running   1/3           8m         9m\n");
  EXPECT_EQ(Printed(job("completions: 3", absl::StrCat("succeeded: 3 ", start, " completion_time ",
                                                       At(absl::Minutes(7)),
                                                       " conditions { type: 'Complete' status: "
                                                       "CONDITION_STATUS_TRUE }")),
                    kWide),
            "NAME   STATUS     COMPLETIONS   DURATION   AGE   CONTAINERS   IMAGES   SELECTOR\n"
            "work   Complete   3/3           60s        9m    a            app:1    job=work\n");
  EXPECT_EQ(Printed(job("parallelism: 4", ""), {}),
            "NAME   STATUS    COMPLETIONS   DURATION   AGE\n"
            "work   Running   0/1 of 4                 9m\n");
}

TEST(RowsTest, CronJob) {
  const auto cron = [](const std::string& more) {
    return Parse(absl::StrCat("cron_job { metadata { name: 'backup' creation_timestamp ",
                              At(absl::Hours(5)), " } ", more, " }"));
  };
  EXPECT_EQ(Printed(cron("spec { schedule: '@daily' }"), {}),
            "NAME     SCHEDULE   TIMEZONE   SUSPEND   ACTIVE   LAST SCHEDULE   AGE\n"
            "backup   @daily     <none>     False     0        <none>          5h\n");
  EXPECT_EQ(Printed(cron(absl::StrCat("spec { schedule: '*/5 * * * *' time_zone: 'Europe/Berlin' "
                                      "suspend: true } status { active {} last_schedule_time ",
                                      At(absl::Minutes(4)), " }")),
                    {}),
            "NAME     SCHEDULE      TIMEZONE        SUSPEND   ACTIVE   LAST SCHEDULE   AGE\n"
            "backup   */5 * * * *   Europe/Berlin   True      1        4m              5h\n");
}

TEST(RowsTest, ResourceQuota) {
  const v1::Object quota = Parse(absl::StrCat(
      "resource_quota { metadata { name: 'q' creation_timestamp ", At(absl::Minutes(9)),
      " } status { hard { key: 'pods' value: '4' } hard { key: 'requests.cpu' value: '1' }"
      " hard { key: 'limits.cpu' value: '2' } used { key: 'pods' value: '3' }"
      " used { key: 'limits.cpu' value: '500m' } } }"));
  EXPECT_EQ(Printed(quota, {}),
            "NAME   REQUEST                        LIMIT                AGE\n"
            "q      pods: 3/4, requests.cpu: 0/1   limits.cpu: 500m/2   9m\n");
}

}  // namespace
}  // namespace cluster::cli
