#include "gtest/gtest.h"

#include "proto/schema/reader.h"
#include "proto/validate/image_name.h"
#include "proto/validate/validate.h"

namespace cluster {
namespace {

v1::Object Defaulted(const std::string& text) {
  ReadResult result = ReadManifests(text, "test.yaml");
  EXPECT_TRUE(result.ok()) << ToStatus(result.errors);
  if (result.documents.empty()) return {};
  v1::Object object = result.documents[0].object;
  SetDefaults(&object);
  v1::Object again = object;
  SetDefaults(&again);
  EXPECT_EQ(again.ShortDebugString(), object.ShortDebugString()) << "not idempotent";
  return object;
}

TEST(Defaults, Deployment) {
  const v1::Deployment deployment = Defaulted(R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: app:1}]}
)")
                                        .deployment();
  EXPECT_EQ(deployment.metadata().namespace_(), "default");
  const v1::DeploymentSpec& spec = deployment.spec();
  EXPECT_EQ(spec.replicas(), 1);
  EXPECT_EQ(spec.selector().match_labels().at("app"), "web");
  EXPECT_EQ(spec.strategy().type(), v1::STRATEGY_TYPE_ROLLING_UPDATE);
  EXPECT_EQ(spec.strategy().rolling_update().max_surge(), "25%");
  EXPECT_EQ(spec.strategy().rolling_update().max_unavailable(), "25%");
  EXPECT_EQ(spec.revision_history_limit(), 10);
  EXPECT_EQ(spec.progress_deadline_seconds(), 600);
  EXPECT_EQ(spec.template_().spec().restart_policy(), v1::RESTART_POLICY_ALWAYS);
}

TEST(Defaults, StatefulSet) {
  const v1::StatefulSetSpec spec = Defaulted(R"(
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1024Mi}}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: main, image: app:1, volumeMounts: [{name: data, mountPath: /a}]}]}
)")
                                       .stateful_set()
                                       .spec();
  EXPECT_EQ(spec.replicas(), 1);
  EXPECT_EQ(spec.selector().match_labels().at("app"), "db");
  EXPECT_EQ(spec.pod_management_policy(), v1::POD_MANAGEMENT_POLICY_ORDERED_READY);
  EXPECT_EQ(spec.update_strategy().type(), v1::STATEFUL_SET_STRATEGY_TYPE_ROLLING_UPDATE);
  EXPECT_TRUE(spec.update_strategy().rolling_update().has_partition());
  EXPECT_EQ(spec.update_strategy().rolling_update().max_unavailable(), "1");
  EXPECT_EQ(spec.revision_history_limit(), 10);
  const auto& retention = spec.persistent_volume_claim_retention_policy();
  EXPECT_EQ(retention.when_deleted(), v1::CLAIM_RETENTION_RETAIN);
  EXPECT_EQ(retention.when_scaled(), v1::CLAIM_RETENTION_RETAIN);
  const v1::PersistentVolumeClaim& claim = spec.volume_claim_templates(0);
  EXPECT_EQ(claim.kind(), "PersistentVolumeClaim");
  EXPECT_EQ(claim.spec().storage_class_name(), "local");
  EXPECT_EQ(claim.spec().resources().requests().at("storage"), "1Gi");
}

TEST(Defaults, DaemonSet) {
  const v1::DaemonSetSpec spec = Defaulted(R"(
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: log}
spec:
  template:
    metadata: {labels: {app: log}}
    spec: {containers: [{name: main, image: app:1}]}
)")
                                     .daemon_set()
                                     .spec();
  EXPECT_EQ(spec.selector().match_labels().at("app"), "log");
  EXPECT_EQ(spec.update_strategy().type(), v1::DAEMON_SET_STRATEGY_TYPE_ROLLING_UPDATE);
  EXPECT_EQ(spec.update_strategy().rolling_update().max_unavailable(), "1");
  EXPECT_EQ(spec.update_strategy().rolling_update().max_surge(), "0");
  EXPECT_EQ(spec.revision_history_limit(), 10);
}

TEST(Defaults, ProbesHooksAndLastWordsOfEveryKindOfContainer) {
  const v1::PodSpec spec = Defaulted(R"(
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  initContainers:
  - {name: one, image: "app:1", restartPolicy: Always, startupProbe: {tcpSocket: {port: 80}}}
  ephemeralContainers: [{name: look, image: app}]
  containers:
  - name: main
    image: app:1
    readinessProbe: {httpGet: {port: 80}}
    livenessProbe: {grpc: {port: 80}, periodSeconds: 1, timeoutSeconds: 2, failureThreshold: 4}
    lifecycle: {preStop: {httpGet: {port: 80, scheme: HTTPS}}}
)")
                               .pod()
                               .spec();
  const v1::Probe& readiness = spec.containers(0).readiness_probe();
  EXPECT_EQ(readiness.http_get().path(), "/");
  EXPECT_EQ(readiness.http_get().scheme(), v1::URI_SCHEME_HTTP);
  EXPECT_EQ(readiness.timeout_seconds(), 1);
  EXPECT_EQ(readiness.period_seconds(), 10);
  EXPECT_EQ(readiness.success_threshold(), 1);
  EXPECT_EQ(readiness.failure_threshold(), 3);
  const v1::Probe& liveness = spec.containers(0).liveness_probe();
  EXPECT_EQ(liveness.period_seconds(), 1);
  EXPECT_EQ(liveness.timeout_seconds(), 2);
  EXPECT_EQ(liveness.failure_threshold(), 4);
  EXPECT_TRUE(liveness.grpc().has_service());
  EXPECT_EQ(spec.containers(0).lifecycle().pre_stop().http_get().scheme(), v1::URI_SCHEME_HTTPS);
  EXPECT_EQ(spec.init_containers(0).startup_probe().period_seconds(), 10);
  EXPECT_EQ(spec.init_containers(0).image_pull_policy(), v1::IMAGE_PULL_POLICY_IF_NOT_PRESENT);
  EXPECT_EQ(spec.ephemeral_containers(0).image_pull_policy(), v1::IMAGE_PULL_POLICY_ALWAYS);
  for (const std::string& path : {spec.containers(0).termination_message_path(),
                                  spec.init_containers(0).termination_message_path(),
                                  spec.ephemeral_containers(0).termination_message_path()}) {
    EXPECT_EQ(path, "/dev/termination-log");
  }
  EXPECT_EQ(spec.containers(0).termination_message_policy(), v1::TERMINATION_MESSAGE_POLICY_FILE);
}

TEST(Defaults, PortsInTheNodesNetworkAreTheNodes) {
  const v1::PodSpec spec = Defaulted(R"(
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {hostNetwork: true, containers: [{name: main, image: app:1, ports: [{containerPort: 80}]}]}
)")
                               .pod()
                               .spec();
  EXPECT_EQ(spec.containers(0).ports(0).host_port(), 80);
}

TEST(Defaults, WhatWasSaidStays) {
  const v1::DeploymentSpec spec = Defaulted(R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: team}
spec:
  replicas: 0
  revisionHistoryLimit: 0
  strategy: {type: Recreate}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, tier: front}}
    spec: {terminationGracePeriodSeconds: 0, containers: [{name: main, image: app:1}]}
)")
                                      .deployment()
                                      .spec();
  EXPECT_EQ(spec.replicas(), 0);
  EXPECT_EQ(spec.revision_history_limit(), 0);
  EXPECT_FALSE(spec.strategy().has_rolling_update());
  EXPECT_EQ(spec.selector().match_labels().size(), 1u);
  EXPECT_EQ(spec.template_().spec().termination_grace_period_seconds(), 0);
}

TEST(Defaults, SetsThatWaitForDeletionHaveNoBudget) {
  for (const std::string kind : {"StatefulSet", "DaemonSet"}) {
    const v1::Object set = Defaulted("apiVersion: apps/v1\nkind: " + kind +
                                     "\nmetadata: {name: s}\nspec:\n"
                                     "  updateStrategy: {type: OnDelete}\n"
                                     "  template:\n    metadata: {labels: {app: a}}\n"
                                     "    spec: {containers: [{name: main, image: app:1}]}\n");
    EXPECT_FALSE(set.stateful_set().spec().update_strategy().has_rolling_update());
    EXPECT_FALSE(set.daemon_set().spec().update_strategy().has_rolling_update());
    EXPECT_TRUE(Validate(set).empty());
  }
}

TEST(Defaults, Pod) {
  const v1::PodSpec spec = Defaulted(R"(
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - name: main
    image: app
    ports: [{containerPort: 80}]
    env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
    resources: {limits: {cpu: 1000m, memory: 1024Ki}, requests: {cpu: 0.5}}
)")
                               .pod()
                               .spec();
  EXPECT_EQ(spec.restart_policy(), v1::RESTART_POLICY_ALWAYS);
  EXPECT_EQ(spec.termination_grace_period_seconds(), 30);
  EXPECT_EQ(spec.dns_policy(), v1::DNS_POLICY_CLUSTER_FIRST);
  EXPECT_EQ(spec.scheduler_name(), "default-scheduler");
  const v1::Container& container = spec.containers(0);
  EXPECT_EQ(container.image_pull_policy(), v1::IMAGE_PULL_POLICY_ALWAYS);
  EXPECT_EQ(container.ports(0).protocol(), v1::PROTOCOL_TCP);
  EXPECT_EQ(container.env(0).value_from().field_ref().api_version(), "v1");
  EXPECT_EQ(container.resources().limits().at("cpu"), "1");
  EXPECT_EQ(container.resources().requests().at("cpu"), "500m");
  EXPECT_EQ(container.resources().requests().at("memory"), "1Mi");
}

TEST(Defaults, SecretTextBecomesData) {
  const v1::Secret secret = Defaulted(R"(
apiVersion: v1
kind: Secret
metadata: {name: web}
data: {a: YQ==, b: YQ==}
stringData: {b: text}
)")
                                .secret();
  EXPECT_EQ(secret.type(), "Opaque");
  EXPECT_EQ(secret.data().at("a"), "a");
  EXPECT_EQ(secret.data().at("b"), "text");
  EXPECT_TRUE(secret.string_data().empty());
}

TEST(Defaults, ANamespaceCarriesItsNameAsLabel) {
  const v1::Object object = Defaulted("apiVersion: v1\nkind: Namespace\nmetadata: {name: team}\n");
  EXPECT_EQ(object.namespace_().metadata().labels().at("kubernetes.io/metadata.name"), "team");
  EXPECT_EQ(object.namespace_().metadata().namespace_(), "");
}

TEST(ImageName, Problems) {
  for (const char* good :
       {"app", "app:1", "a/b/c:v1.2_3-x", "docker.io/library/nginx:1.22", "localhost/app",
        "localhost:5000/app", "host.example:5000/a_b:x", "a__b", "a--b"}) {
    EXPECT_EQ(ImageNameProblem(good), "") << good;
  }
  EXPECT_EQ(ImageNameProblem("app@sha256:" + std::string(64, 'a')), "");
  EXPECT_EQ(ImageNameProblem("app:1@sha256:" + std::string(64, '0')), "");
  for (const char* bad :
       {"", ":1", "app:", "App", "a//b", "/a", "a/", "-a", "a.", "a..b", "a___b", "app:-1", "a b",
        "app@sha256:xyz", "app@md5:00", "h.example:x/a", "h.example:/a"}) {
    EXPECT_NE(ImageNameProblem(bad), "") << bad;
  }
  EXPECT_NE(ImageNameProblem("app:" + std::string(129, 'a')), "");
}

TEST(ImageName, Latest) {
  EXPECT_TRUE(IsLatest("app"));
  EXPECT_TRUE(IsLatest("app:latest"));
  EXPECT_TRUE(IsLatest("host.example:5000/app"));
  EXPECT_FALSE(IsLatest("app:1"));
  EXPECT_FALSE(IsLatest("app@sha256:" + std::string(64, 'a')));
}

}  // namespace
}  // namespace cluster
