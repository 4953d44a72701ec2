#include "cli/output/describe.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/commands/commands.h"
#include "cli/commands/targets.h"
#include "cli/output/rows.h"

#include "base/status.h"
#include "proto/schema/selector.h"

namespace cluster::cli {
namespace {

absl::StatusOr<v1::ListResponse> List(Client& client, const std::string& kind,
                                      const std::string& name_space,
                                      const std::string& label_selector,
                                      const std::string& field_selector) {
  v1::ListRequest request;
  request.set_kind(kind);
  request.set_namespace_(name_space);
  request.set_label_selector(label_selector);
  request.set_field_selector(field_selector);
  return client.List(request);
}

bool IsOwnedBy(const v1::ObjectMeta& meta, const v1::ObjectMeta& owner) {
  for (const v1::OwnerReference& reference : meta.owner_references()) {
    if (reference.uid() == owner.uid()) return true;
  }
  return false;
}

bool Claims(const v1::Pod& pod, const std::string& claim) {
  for (const v1::Volume& volume : pod.spec().volumes()) {
    if (volume.persistent_volume_claim().claim_name() == claim) return true;
  }
  return false;
}

// Whether `describe` of the object speaks of this pod, which lives where the object does.
bool IsRelated(const v1::Object& object, const v1::Pod& pod) {
  if (object.has_node() || object.has_service()) return true;  // as listed
  if (object.has_persistent_volume_claim()) return Claims(pod, Meta(object).name());
  return IsOwnedBy(pod.metadata(), Meta(object));
}

absl::Status FetchPods(Client& client, const v1::Object& object, Related& related) {
  const v1::ServiceSpec& service = object.service().spec();
  const bool has_pods = object.has_replica_set() || object.has_stateful_set() ||
                        object.has_daemon_set() || object.has_node() ||
                        object.has_persistent_volume_claim() || !service.selector().empty();
  if (!has_pods) return absl::OkStatus();
  const v1::ObjectMeta& meta = Meta(object);
  ASSIGN_OR_RETURN(
      v1::ListResponse pods,
      List(client, "Pod", meta.namespace_(),
           service.selector().empty() ? "" : LabelsText(service.selector()),
           object.has_node() ? absl::StrCat("spec.nodeName=", meta.name()) : std::string()));
  for (v1::Object& pod : *pods.mutable_objects()) {
    if (IsRelated(object, pod.pod())) related.pods.push_back(std::move(*pod.mutable_pod()));
  }
  return absl::OkStatus();
}

absl::Status FetchOwned(Client& client, const v1::Object& object, Related& related) {
  RETURN_IF_ERROR(FetchPods(client, object, related));
  if (!object.has_deployment()) return absl::OkStatus();
  const v1::ObjectMeta& meta = Meta(object);
  ASSIGN_OR_RETURN(v1::ListResponse sets, List(client, "ReplicaSet", meta.namespace_(), "", ""));
  for (v1::Object& set : *sets.mutable_objects()) {
    if (IsOwnedBy(Meta(set), meta)) {
      related.replica_sets.push_back(std::move(*set.mutable_replica_set()));
    }
  }
  return absl::OkStatus();
}

// Only what has not ended is placed anywhere; one that ends meanwhile has nothing to say.
absl::Status FetchWhy(Client& client, const v1::Object& object, Related& related) {
  const v1::PodPhase phase = object.pod().status().phase();
  if (!object.has_pod() || phase == v1::POD_PHASE_SUCCEEDED || phase == v1::POD_PHASE_FAILED) {
    return absl::OkStatus();
  }
  v1::WhyRequest request;
  request.set_namespace_(Meta(object).namespace_());
  request.set_pod(Meta(object).name());
  absl::StatusOr<v1::WhyResponse> why = client.Why(request);
  const absl::Status status = why.status();
  if (status.ok()) related.why = *std::move(why);
  const bool is_over = absl::IsNotFound(status) || absl::IsFailedPrecondition(status);
  return is_over ? absl::OkStatus() : status;
}

absl::StatusOr<Related> FetchRelated(Client& client, const v1::Object& object) {
  Related related;
  const Kind& kind = KindOf(object);
  if (object.has_event()) return related;
  ASSIGN_OR_RETURN(v1::ListResponse events,
                   List(client, "Event", Meta(object).namespace_(), "",
                        absl::StrCat("involvedObject.kind=", kind.name,
                                     ",involvedObject.name=", Meta(object).name())));
  for (v1::Object& event : *events.mutable_objects()) {
    // Events about an earlier object of the same name are not about this one.
    const std::string& uid = event.event().involved_object().uid();
    if (uid.empty() || uid == Meta(object).uid()) {
      related.events.push_back(std::move(*event.mutable_event()));
    }
  }
  RETURN_IF_ERROR(FetchOwned(client, object, related));
  RETURN_IF_ERROR(FetchWhy(client, object, related));
  return related;
}

// As kubectl does: a name that does not exist stands for all names that begin with it.
absl::StatusOr<std::vector<v1::Object>> FetchByPrefix(Session& session, const Target& target,
                                                      const absl::Status& missing) {
  ASSIGN_OR_RETURN(const Found all, Fetch(session, Selection{{{target.kind, ""}}, false, "", ""}));
  std::vector<v1::Object> matching;
  for (const v1::Object& object : all.objects) {
    if (absl::StartsWith(Meta(object).name(), target.name)) matching.push_back(object);
  }
  if (matching.empty()) return missing;
  return matching;
}

absl::Status DescribeAll(Session& session, const Selection& selection) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  ASSIGN_OR_RETURN(Found found, Fetch(session, selection));
  absl::Status missing = found.missing;
  if (!missing.ok() && selection.targets.size() == 1) {
    ASSIGN_OR_RETURN(found.objects, FetchByPrefix(session, selection.targets[0], missing));
    missing = absl::OkStatus();
  }
  bool first = true;
  for (const v1::Object& object : found.objects) {
    ASSIGN_OR_RETURN(const Related related, FetchRelated(*client, object));
    if (!std::exchange(first, false)) session.out() << "\n\n";
    session.out() << Describe(object, related, session.Now());
  }
  if (found.objects.empty() && missing.ok()) session.err() << "No resources found.\n";
  return missing;
}

struct DescribeFlags {
  std::vector<std::string> words;
  std::string selector;
  bool all_namespaces = false;
};

absl::Status RunDescribe(Session& session, const DescribeFlags& flags) {
  Selection selection;
  ASSIGN_OR_RETURN(selection.targets, ParseTargets(flags.words));
  selection.label_selector = flags.selector;
  selection.all_namespaces = flags.all_namespaces;
  return DescribeAll(session, selection);
}

}  // namespace

void AddDescribe(CLI::App& app, Session& session) {
  CLI::App* command =
      AddCommand(app, "describe", "Prints everything about objects, with their events",
                 "clusterctl describe pod web-1\n"
                 "clusterctl describe deploy/web node/node1\n"
                 "clusterctl describe pods -l app=web");
  auto flags = std::make_shared<DescribeFlags>();
  command->add_option("what", flags->words, "KIND [NAME...] or KIND/NAME...");
  command->add_option("-l,--selector", flags->selector, "Only with these labels");
  command->add_flag("-A,--all-namespaces", flags->all_namespaces, "In all namespaces");
  session.OnCommand(command, [&session, flags] { return RunDescribe(session, *flags); });
}

}  // namespace cluster::cli
