#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "cli/commands/commands.h"
#include "cli/commands/nodes.h"
#include "cli/commands/waiting.h"

#include "base/status.h"

namespace cluster::cli {
namespace {

struct DrainFlags {
  std::string node;
  bool force = false;
  bool ignore_daemonsets = false;
  int64_t grace_period = -1;
  std::string selector;
  absl::Duration timeout = absl::ZeroDuration();
};

bool HasEnded(const v1::Pod& pod) {
  return pod.status().phase() == v1::POD_PHASE_SUCCEEDED ||
         pod.status().phase() == v1::POD_PHASE_FAILED;
}

absl::StatusOr<std::vector<v1::Pod>> PodsOf(Client& client, const DrainFlags& flags) {
  v1::ListRequest request;
  request.set_kind("Pod");
  request.set_field_selector(absl::StrCat("spec.nodeName=", flags.node));
  request.set_label_selector(flags.selector);
  ASSIGN_OR_RETURN(v1::ListResponse list, client.List(request));
  std::vector<v1::Pod> pods;
  for (v1::Object& object : *list.mutable_objects()) {
    pods.push_back(std::move(*object.mutable_pod()));
  }
  return pods;
}

bool IsOfDaemonSet(const v1::Pod& pod) {
  const v1::OwnerReference* owner = ControllerOf(pod.metadata());
  return owner != nullptr && owner->kind() == "DaemonSet";
}

// Pods of DaemonSets would come back to this very node: they stay, when the user knows of them.
absl::Status LeaveDaemons(Session& session, const DrainFlags& flags, std::vector<v1::Pod>* pods) {
  std::vector<std::string> daemons;
  for (const v1::Pod& pod : *pods) {
    if (!IsOfDaemonSet(pod) || HasEnded(pod)) continue;
    daemons.push_back(absl::StrCat(pod.metadata().namespace_(), "/", pod.metadata().name()));
  }
  if (daemons.empty()) return absl::OkStatus();
  const std::string all = absl::StrJoin(daemons, ", ");
  if (!flags.ignore_daemonsets) {
    return absl::FailedPreconditionError(
        absl::StrCat("node ", flags.node,
                     " is cordoned, but it has DaemonSet-managed Pods (use --ignore-daemonsets to "
                     "ignore): ",
                     all));
  }
  session.err() << "Warning: ignoring DaemonSet-managed Pods: " << all << "\n";
  std::erase_if(*pods, [](const v1::Pod& pod) { return IsOfDaemonSet(pod) && !HasEnded(pod); });
  return absl::OkStatus();
}

// Pods that nobody would make again elsewhere are only deleted when the user insists.
absl::Status CheckOwners(const std::vector<v1::Pod>& pods, const DrainFlags& flags) {
  std::vector<std::string> alone;
  for (const v1::Pod& pod : pods) {
    const bool goes_anyway = HasEnded(pod) || pod.metadata().has_deletion_timestamp();
    if (ControllerOf(pod.metadata()) == nullptr && !goes_anyway) {
      alone.push_back(absl::StrCat(pod.metadata().namespace_(), "/", pod.metadata().name()));
    }
  }
  if (alone.empty() || flags.force) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("node ", flags.node,
                   " is cordoned, but these pods have no controller and would "
                   "not come back: ",
                   absl::StrJoin(alone, ", "), "; delete them with --force"));
}

// The revision after which a change of the namespace's budgets is news.
absl::StatusOr<int64_t> BudgetsSeen(Client& client, const std::string& name_space) {
  v1::ListRequest list;
  list.set_kind("PodDisruptionBudget");
  list.set_namespace_(name_space);
  ASSIGN_OR_RETURN(const v1::ListResponse now, client.List(list));
  return now.revision();
}

// Until a budget of the namespace changes; `refused` when the time is over before.
absl::Status AwaitBudgetChange(Client& client, const std::string& name_space, int64_t seen,
                               absl::Time deadline, const absl::Status& refused) {
  v1::WatchRequest watch;
  watch.set_kind("PodDisruptionBudget");
  watch.set_namespace_(name_space);
  watch.set_from_revision(seen);
  const absl::Status watched =
      client.Watch(watch, deadline, [](const v1::WatchEvent&) { return false; });
  return absl::IsDeadlineExceeded(watched) ? refused : watched;
}

// A budget that allows no disruption holds the drain up, not back: it goes on once one is allowed.
absl::Status Evict(Session& session, Client& client, const v1::Pod& pod, const DrainFlags& flags,
                   absl::Time deadline) {
  const v1::ObjectMeta& meta = pod.metadata();
  session.out() << "evicting pod " << meta.namespace_() << "/" << meta.name() << "\n";
  session.out().flush();
  v1::EvictRequest request;
  request.set_namespace_(meta.namespace_());
  request.set_pod(meta.name());
  request.set_uid(meta.uid());
  if (flags.grace_period >= 0) request.set_grace_period_seconds(flags.grace_period);
  bool told = false;
  while (true) {
    ASSIGN_OR_RETURN(const int64_t seen, BudgetsSeen(client, meta.namespace_()));
    const absl::Status status = client.Evict(request).status();
    if (absl::IsNotFound(status)) return absl::OkStatus();
    if (!absl::IsResourceExhausted(status)) return status;
    if (!std::exchange(told, true)) {
      session.err() << "pod/" << meta.name() << " waits for its budget: " << status.message()
                    << "\n";
      session.err().flush();
    }
    RETURN_IF_ERROR(AwaitBudgetChange(client, meta.namespace_(), seen, deadline, status));
  }
}

absl::Status Drain(Session& session, DrainFlags flags) {
  flags.node = std::string(absl::StripPrefix(flags.node, "node/"));
  const absl::Time deadline = DeadlineAfter(absl::Now(), flags.timeout);
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  RETURN_IF_ERROR(SetUnschedulable(session, flags.node, true));
  ASSIGN_OR_RETURN(std::vector<v1::Pod> pods, PodsOf(*client, flags));
  RETURN_IF_ERROR(LeaveDaemons(session, flags, &pods));
  RETURN_IF_ERROR(CheckOwners(pods, flags));
  for (const v1::Pod& pod : pods) {
    RETURN_IF_ERROR(Evict(session, *client, pod, flags, deadline));
  }
  for (const v1::Pod& pod : pods) {
    const v1::ObjectMeta& meta = pod.metadata();
    const ObjectName name = {FindKind("Pod"), meta.namespace_(), meta.name()};
    RETURN_IF_ERROR(WaitUntilGone(*client, name, meta.uid(), deadline));
    session.out() << "pod/" << meta.name() << " evicted\n";
    session.out().flush();
  }
  session.out() << "node/" << flags.node << " drained\n";
  return absl::OkStatus();
}

}  // namespace

void AddDrain(CLI::App& app, Session& session) {
  CLI::App* command =
      AddCommand(app, "drain", "Cordons a node and moves its pods away, as their budgets allow",
                 "clusterctl drain node2\nclusterctl drain node2 --force --timeout 2m");
  auto flags = std::make_shared<DrainFlags>();
  command->add_option("node", flags->node, "NODE")->required();
  command->add_flag("--force", flags->force, "Also delete pods that no controller makes again");
  command->add_flag("--ignore-daemonsets", flags->ignore_daemonsets,
                    "Leave pods of DaemonSets, which would come back to this node");
  command->add_option("--grace-period", flags->grace_period, "Seconds from SIGTERM to SIGKILL");
  command->add_option("--pod-selector", flags->selector, "Only pods with these labels");
  AddDurationOption(*command, "--timeout", flags->timeout, "How long to wait (default: for ever)");
  session.OnCommand(command, [&session, flags] { return Drain(session, *flags); });
}

}  // namespace cluster::cli
