#include <algorithm>
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cli/commands/commands.h"
#include "cli/commands/targets.h"
#include "cli/commands/waiting.h"
#include "cli/output/describe.h"
#include "cli/output/progress.h"
#include "cli/output/set_progress.h"

#include "base/status.h"

namespace cluster::cli {
namespace {

constexpr char kRevision[] = "deployment.kubernetes.io/revision";
constexpr char kChangeCause[] = "kubernetes.io/change-cause";

struct RolloutFlags {
  std::vector<std::string> words;
  bool watch = true;
  int64_t revision = 0;
  absl::Duration timeout = absl::ZeroDuration();
};

absl::StatusOr<Target> ParseWorkload(const std::vector<std::string>& words) {
  ASSIGN_OR_RETURN(const Target target, ParseOneTarget(words));
  const v1::Object::ObjectCase kind = target.kind->object_case;
  if (kind != v1::Object::kDeployment && kind != v1::Object::kDaemonSet &&
      kind != v1::Object::kStatefulSet) {
    return UsageError(absl::StrCat("a ", target.kind->singular,
                                   " has no rollout; name a deployment, a daemonset or a "
                                   "statefulset"));
  }
  return target;
}

absl::Status RolloutStatus(Session& session, const RolloutFlags& flags) {
  ASSIGN_OR_RETURN(const Target target, ParseWorkload(flags.words));
  ASSIGN_OR_RETURN(const v1::Object object, FetchOne(session, target));
  if (const std::string problem = NoRolloutProblem(object); !problem.empty()) {
    return absl::FailedPreconditionError(problem);
  }
  if (!flags.watch) {
    const Progress progress = ReadyProgress(object);
    if (progress.state == ProgressState::kGivenUp) {
      return absl::FailedPreconditionError(progress.message);
    }
    session.out() << progress.message << "\n";
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  const ObjectName name = {target.kind, NamespaceFor(*target.kind, session), target.name};
  return WaitUntilReady(*client, name, DeadlineAfter(absl::Now(), flags.timeout),
                        [&](const std::string& message) {
                          session.out() << message << "\n";
                          session.out().flush();
                        });
}

int64_t RevisionOf(const v1::ObjectMeta& meta) {
  int64_t revision = 0;
  const auto found = meta.annotations().find(kRevision);
  if (found == meta.annotations().end() || !absl::SimpleAtoi(found->second, &revision)) return 0;
  return revision;
}

struct KeptRevision {
  v1::PodTemplateSpec pod_template;
  std::string cause;
};

std::string CauseOf(const v1::ObjectMeta& meta) {
  const auto cause = meta.annotations().find(kChangeCause);
  return cause == meta.annotations().end() ? "<none>" : cause->second;
}

// The kept revisions of a workload, by number.
absl::StatusOr<std::map<int64_t, KeptRevision>> Revisions(Session& session,
                                                          const v1::Object& workload) {
  const char* kind = workload.has_deployment() ? "ReplicaSet" : "ControllerRevision";
  const Selection selection = {{{FindKind(kind), ""}}, false, "", ""};
  ASSIGN_OR_RETURN(const Found found, Fetch(session, selection));
  std::map<int64_t, KeptRevision> revisions;
  for (const v1::Object& each : found.objects) {
    const v1::OwnerReference* owner = ControllerOf(Meta(each));
    if (owner == nullptr || owner->uid() != Meta(workload).uid()) continue;
    const int64_t number =
        each.has_replica_set() ? RevisionOf(Meta(each)) : each.controller_revision().revision();
    if (number <= 0) continue;
    revisions[number] = {each.has_replica_set() ? each.replica_set().spec().template_()
                                                : each.controller_revision().data(),
                         CauseOf(Meta(each))};
  }
  return revisions;
}

absl::Status RolloutHistory(Session& session, const RolloutFlags& flags) {
  ASSIGN_OR_RETURN(const Target target, ParseWorkload(flags.words));
  ASSIGN_OR_RETURN(const v1::Object object, FetchOne(session, target));
  ASSIGN_OR_RETURN(const auto revisions, Revisions(session, object));
  if (flags.revision > 0) {
    const auto found = revisions.find(flags.revision);
    if (found == revisions.end()) {
      return absl::NotFoundError(absl::StrCat(target.kind->singular, " \"", target.name,
                                              "\" keeps no revision ", flags.revision,
                                              "; see rollout history"));
    }
    Description text;
    DescribePodTemplate(found->second.pod_template, 0, text);
    session.out() << TargetText(*target.kind, target.name) << " with revision #" << flags.revision
                  << "\n"
                  << text.ToString();
    return absl::OkStatus();
  }
  session.out() << TargetText(*target.kind, target.name) << "\n";
  std::vector<Cells> rows = {{"REVISION", "CHANGE-CAUSE"}};
  for (const auto& [number, revision] : revisions) {
    rows.push_back({absl::StrCat(number), revision.cause});
  }
  Table(session.out(), {.min_width = 0, .gap = 2}).Print(rows);
  return absl::OkStatus();
}

absl::Status RolloutUndo(Session& session, const RolloutFlags& flags) {
  ASSIGN_OR_RETURN(const Target target, ParseWorkload(flags.words));
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  v1::UndoRequest request;
  request.set_kind(target.kind->name);
  request.set_namespace_(NamespaceFor(*target.kind, session));
  request.set_name(target.name);
  request.set_to_revision(flags.revision);
  ASSIGN_OR_RETURN(const v1::UndoResponse response, client->Undo(request));
  session.out() << TargetText(*target.kind, target.name) << " rolled back to revision "
                << response.from_history() << "\n";
  return absl::OkStatus();
}

// "deployment/web paused"
absl::Status EditRollout(Session& session, const RolloutFlags& flags, v1::RolloutAction action,
                         const char* done) {
  ASSIGN_OR_RETURN(const Target target, ParseWorkload(flags.words));
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  v1::RolloutRequest request;
  request.set_kind(target.kind->name);
  request.set_namespace_(NamespaceFor(*target.kind, session));
  request.set_name(target.name);
  request.set_action(action);
  RETURN_IF_ERROR(client->Rollout(request).status());
  session.out() << TargetText(*target.kind, target.name) << " " << done << "\n";
  return absl::OkStatus();
}

absl::Status RolloutPause(Session& session, const RolloutFlags& flags) {
  return EditRollout(session, flags, v1::ROLLOUT_ACTION_PAUSE, "paused");
}

absl::Status RolloutResume(Session& session, const RolloutFlags& flags) {
  return EditRollout(session, flags, v1::ROLLOUT_ACTION_RESUME, "resumed");
}

absl::Status RolloutRestart(Session& session, const RolloutFlags& flags) {
  return EditRollout(session, flags, v1::ROLLOUT_ACTION_RESTART, "restarted");
}

using RolloutAction = absl::Status (*)(Session&, const RolloutFlags&);

CLI::App* AddRolloutCommand(CLI::App& rollout, Session& session,
                            const std::shared_ptr<RolloutFlags>& flags, const std::string& name,
                            const std::string& description, const std::string& examples,
                            RolloutAction action) {
  CLI::App* command = AddCommand(rollout, name, description, examples);
  command->add_option("what", flags->words,
                      "KIND NAME or KIND/NAME of a deployment, daemonset or statefulset");
  session.OnCommand(command, [&session, flags, action] { return action(session, *flags); });
  return command;
}

}  // namespace

void AddRollout(CLI::App& app, Session& session) {
  CLI::App* rollout = AddCommand(app, "rollout", "Follows, lists and takes back rollouts",
                                 "clusterctl rollout status deploy/web\n"
                                 "clusterctl rollout undo deploy/web --to-revision 2");
  rollout->require_subcommand(1);
  auto flags = std::make_shared<RolloutFlags>();
  CLI::App* status =
      AddRolloutCommand(*rollout, session, flags, "status", "Waits until a workload is rolled out",
                        "clusterctl rollout status deploy/web --timeout 2m", RolloutStatus);
  status->add_flag("-w,--watch", flags->watch, "Wait for its end (default: true)");
  AddDurationOption(*status, "--timeout", flags->timeout, "How long to wait (default: for ever)");
  CLI::App* history = AddRolloutCommand(
      *rollout, session, flags, "history", "Prints the revisions that are kept",
      "clusterctl rollout history deploy/web\nclusterctl rollout history deploy/web --revision 2",
      RolloutHistory);
  history->add_option("--revision", flags->revision, "The pod template of this one");
  CLI::App* undo = AddRolloutCommand(*rollout, session, flags, "undo",
                                     "Puts an earlier revision of the pod template back",
                                     "clusterctl rollout undo deploy/web", RolloutUndo);
  undo->add_option("--to-revision", flags->revision, "Which one (default: the one before)");
  AddRolloutCommand(*rollout, session, flags, "pause",
                    "Stops rolling a deployment; changes gather until it is resumed",
                    "clusterctl rollout pause deploy/web", RolloutPause);
  AddRolloutCommand(*rollout, session, flags, "resume", "Goes on rolling a paused deployment",
                    "clusterctl rollout resume deploy/web", RolloutResume);
  AddRolloutCommand(*rollout, session, flags, "restart",
                    "Replaces every pod as in a rollout, though nothing changed",
                    "clusterctl rollout restart deploy/web", RolloutRestart);
}

}  // namespace cluster::cli
