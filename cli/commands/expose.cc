#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/commands/commands.h"
#include "cli/commands/targets.h"

#include "base/status.h"
#include "proto/schema/enum_text.h"

namespace cluster::cli {
namespace {

struct ExposeFlags {
  std::vector<std::string> words;
  std::string name;
  std::string type;
  std::string cluster_ip;
  std::string target_port;
  std::string protocol;
  int port = 0;
};

// What the service will look for, and which ports its pods have.
struct Pods {
  google::protobuf::Map<std::string, std::string> labels;
  const v1::PodSpec* spec = nullptr;
};

template <typename Workload>
absl::StatusOr<Pods> PodsOf(const Workload& workload) {
  const v1::LabelSelector& selector = workload.spec().selector();
  if (!selector.match_expressions().empty() || selector.match_labels().empty()) {
    return absl::FailedPreconditionError(
        "its selector has more than matchLabels, which a service cannot look for: write the "
        "service as a manifest");
  }
  return Pods{selector.match_labels(), &workload.spec().template_().spec()};
}

absl::StatusOr<Pods> PodsOf(const v1::Object& object) {
  if (object.has_deployment()) return PodsOf(object.deployment());
  if (object.has_replica_set()) return PodsOf(object.replica_set());
  if (object.has_stateful_set()) return PodsOf(object.stateful_set());
  if (object.has_daemon_set()) return PodsOf(object.daemon_set());
  if (!object.has_pod()) {
    return UsageError(absl::StrCat("a ", KindOf(object).singular,
                                   " cannot be exposed; name a deployment, a replicaset, a "
                                   "statefulset, a daemonset or a pod"));
  }
  if (object.pod().metadata().labels().empty()) {
    return absl::FailedPreconditionError(
        "the pod has no labels that a service could look for: label it first");
  }
  return Pods{object.pod().metadata().labels(), &object.pod().spec()};
}

// A word of an enum, written in any way: "nodeport". `what` names the flag.
template <typename Enum>
absl::StatusOr<Enum> ParseWord(const std::string& what, const std::string& word) {
  const auto* const type = google::protobuf::GetEnumDescriptor<Enum>();
  for (const std::string& each : EnumWords(*type)) {
    if (!absl::EqualsIgnoreCase(each, word)) continue;
    return static_cast<Enum>(FindEnumText(*type, each)->number());
  }
  return UsageError(
      absl::StrCat(what, " ", word, " is none of ", absl::StrJoin(EnumWords(*type), ", ")));
}

void AddPort(int number, v1::Protocol protocol, const std::string& target, v1::ServiceSpec* spec) {
  v1::ServicePort* port = spec->add_ports();
  port->set_port(number);
  port->set_protocol(protocol);
  port->set_target_port(target);
}

// As kubectl does: without --port, every port that the pods' containers name.
absl::Status FillPorts(const ExposeFlags& flags, const v1::PodSpec& pod, v1::ServiceSpec* spec) {
  v1::Protocol protocol = v1::PROTOCOL_UNSPECIFIED;
  if (!flags.protocol.empty()) {
    ASSIGN_OR_RETURN(protocol, ParseWord<v1::Protocol>("--protocol", flags.protocol));
  }
  if (flags.port != 0) {
    AddPort(flags.port, protocol, flags.target_port, spec);
    return absl::OkStatus();
  }
  for (const v1::Container& container : pod.containers()) {
    for (const v1::ContainerPort& port : container.ports()) {
      AddPort(port.container_port(), protocol == 0 ? port.protocol() : protocol, flags.target_port,
              spec);
    }
  }
  if (spec->ports().empty() && flags.cluster_ip != "None") {
    return UsageError("its containers name no port: say which one with --port");
  }
  for (int i = 0; spec->ports_size() > 1 && i < spec->ports_size(); ++i) {
    spec->mutable_ports(i)->set_name(absl::StrCat("port-", i + 1));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::Object> NewService(const ExposeFlags& flags, const v1::Object& exposed,
                                      const std::string& name_space) {
  v1::Object object = NewObject(*FindKind("Service"));
  v1::Service* service = object.mutable_service();
  const v1::ObjectMeta& meta = Meta(exposed);
  service->mutable_metadata()->set_name(flags.name.empty() ? meta.name() : flags.name);
  service->mutable_metadata()->set_namespace_(name_space);
  *service->mutable_metadata()->mutable_labels() = meta.labels();
  v1::ServiceSpec* spec = service->mutable_spec();
  ASSIGN_OR_RETURN(const Pods pods, PodsOf(exposed));
  *spec->mutable_selector() = pods.labels;
  RETURN_IF_ERROR(FillPorts(flags, *pods.spec, spec));
  spec->set_cluster_ip(flags.cluster_ip);
  if (flags.type.empty()) return object;
  ASSIGN_OR_RETURN(const auto type, ParseWord<v1::ServiceType>("--type", flags.type));
  spec->set_type(type);
  return object;
}

absl::Status Expose(Session& session, const ExposeFlags& flags) {
  ASSIGN_OR_RETURN(const Target target, ParseOneTarget(flags.words));
  ASSIGN_OR_RETURN(const v1::Object exposed, FetchOne(session, target));
  ASSIGN_OR_RETURN(v1::Object object, NewService(flags, exposed, session.name_space()));
  const std::string name = Meta(object).name();
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  const auto there = client->Get("Service", session.name_space(), name);
  if (there.ok()) {
    return absl::AlreadyExistsError(
        absl::StrCat("service ", name, " exists; delete it or choose another --name"));
  }
  if (!absl::IsNotFound(there.status())) return there.status();
  v1::ApplyRequest request;
  *request.add_objects() = std::move(object);
  RETURN_IF_ERROR(client->Apply(std::move(request)).status());
  session.out() << "service/" << name << " exposed\n";
  return absl::OkStatus();
}

}  // namespace

void AddExpose(CLI::App& app, Session& session) {
  CLI::App* command =
      AddCommand(app, "expose", "Makes a service that leads to the pods of a workload, or to a pod",
                 "clusterctl expose deployment web --port 80 --target-port 8080\n"
                 "clusterctl expose deploy/web --type NodePort --name web-outside");
  auto flags = std::make_shared<ExposeFlags>();
  command->add_option("what", flags->words, "KIND NAME or KIND/NAME");
  command
      ->add_option("--port", flags->port,
                   "The service's port (default: all that the containers name)")
      ->check(CLI::Range(1, 65535));
  command->add_option("--target-port", flags->target_port,
                      "Number or name of the pods' port (default: the service's)");
  command->add_option("--protocol", flags->protocol, "TCP, UDP or SCTP (default TCP)");
  command->add_option("--type", flags->type, "ClusterIP, NodePort or LoadBalancer");
  command->add_option("--cluster-ip", flags->cluster_ip, "The address it shall have, or None");
  command->add_option("--name", flags->name, "Of the service (default: that of the workload)");
  session.OnCommand(command, [&session, flags] { return Expose(session, *flags); });
}

}  // namespace cluster::cli
