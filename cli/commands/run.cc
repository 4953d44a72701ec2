#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cli/commands/commands.h"
#include "cli/commands/exec_stream.h"
#include "cli/commands/waiting.h"

#include "base/status.h"

namespace cluster::cli {
namespace {

struct RunFlags {
  std::vector<std::string> words;
  std::string image;
  std::vector<std::string> env;
  std::vector<std::string> labels;
  int32_t port = 0;
  std::string restart = "Always";
  bool stdin = false;
  bool tty = false;
  bool attach = false;
  bool remove = false;
  bool is_command = false;
  absl::Duration timeout = absl::Minutes(1);
};

absl::StatusOr<v1::RestartPolicy> ParseRestart(const std::string& word) {
  if (word == "Always") return v1::RESTART_POLICY_ALWAYS;
  if (word == "OnFailure") return v1::RESTART_POLICY_ON_FAILURE;
  if (word == "Never") return v1::RESTART_POLICY_NEVER;
  return UsageError(absl::StrCat("--restart=", word, " is not one of Always, OnFailure, Never"));
}

absl::StatusOr<std::pair<std::string, std::string>> ParsePair(absl::string_view flag,
                                                              const std::string& text) {
  const std::pair<std::string, std::string> pair = absl::StrSplit(text, absl::MaxSplits('=', 1));
  if (pair.first.empty() || pair.first.size() == text.size()) {
    return UsageError(absl::StrCat(flag, " ", text, " is not KEY=VALUE"));
  }
  return pair;
}

absl::StatusOr<v1::Object> PodFor(Session& session, const RunFlags& flags) {
  v1::Object object;
  v1::Pod& pod = *object.mutable_pod();
  pod.mutable_metadata()->set_name(flags.words[0]);
  pod.mutable_metadata()->set_namespace_(session.name_space());
  (*pod.mutable_metadata()->mutable_labels())["run"] = flags.words[0];
  for (const std::string& label : flags.labels) {
    for (const absl::string_view one : absl::StrSplit(label, ',')) {
      ASSIGN_OR_RETURN(const auto pair, ParsePair("--labels", std::string(one)));
      (*pod.mutable_metadata()->mutable_labels())[pair.first] = pair.second;
    }
  }
  ASSIGN_OR_RETURN(const v1::RestartPolicy restart, ParseRestart(flags.restart));
  pod.mutable_spec()->set_restart_policy(restart);
  v1::Container& container = *pod.mutable_spec()->add_containers();
  container.set_name(flags.words[0]);
  container.set_image(flags.image);
  container.set_stdin(flags.stdin);
  // Made for the one who is attached to it: it ends when he does.
  container.set_stdin_once(flags.stdin);
  container.set_tty(flags.tty);
  for (const std::string& variable : flags.env) {
    ASSIGN_OR_RETURN(const auto pair, ParsePair("--env", variable));
    v1::EnvVar& env = *container.add_env();
    env.set_name(pair.first);
    env.set_value(pair.second);
  }
  if (flags.port != 0) container.add_ports()->set_container_port(flags.port);
  std::vector<std::string> command(flags.words.begin() + 1, flags.words.end());
  command.insert(command.end(), session.trailing().begin(), session.trailing().end());
  for (const std::string& word : command) {
    if (flags.is_command) {
      container.add_command(word);
    } else {
      container.add_args(word);
    }
  }
  return object;
}

bool IsOver(const v1::Pod& pod) {
  return pod.status().phase() == v1::POD_PHASE_SUCCEEDED ||
         pod.status().phase() == v1::POD_PHASE_FAILED;
}

// Until there is something to attach to, or it is all over.
Progress RunsOrEnded(const v1::Object* object) {
  if (object == nullptr) return {ProgressState::kGivenUp, "the pod was deleted"};
  const v1::Pod& pod = object->pod();
  const bool runs = pod.status().container_statuses_size() > 0 &&
                    pod.status().container_statuses(0).state().has_running();
  if (runs || IsOver(pod)) return {ProgressState::kReached, ""};
  return {ProgressState::kUnderWay, WhyNotReady(pod)};
}

Progress Ended(const v1::Object* object) {
  if (object == nullptr) return {ProgressState::kGivenUp, "the pod was deleted"};
  return {IsOver(object->pod()) ? ProgressState::kReached : ProgressState::kUnderWay, ""};
}

// What it wrote when it was over before anybody could attach.
absl::Status CopyLog(Session& session, Client& client, const ObjectName& name) {
  v1::LogsRequest request;
  request.set_namespace_(name.name_space);
  request.set_pod(name.name);
  grpc::ClientContext context;
  const auto reader = client.stub().Logs(&context, request);
  v1::LogsResponse response;
  while (reader->Read(&response)) session.out() << response.data();
  session.out().flush();
  return client.ToStatus(reader->Finish());
}

absl::StatusOr<int> ExitCodeOf(Client& client, const ObjectName& name) {
  ASSIGN_OR_RETURN(const v1::Object object, client.Get("Pod", name.name_space, name.name));
  if (object.pod().status().container_statuses_size() == 0) {
    return absl::InternalError(absl::StrCat("pod ", name.name, " has no container status"));
  }
  return object.pod().status().container_statuses(0).state().terminated().exit_code();
}

// The container's exit code, where it is known to be the last one.
absl::StatusOr<int> Join(Session& session, Client& client, const ObjectName& name,
                         const RunFlags& flags) {
  const absl::Time deadline = DeadlineAfter(absl::Now(), flags.timeout);
  RETURN_IF_ERROR(WaitFor(client, name, deadline, RunsOrEnded));
  ASSIGN_OR_RETURN(const v1::Object object, client.Get("Pod", name.name_space, name.name));
  const bool over = IsOver(object.pod());
  absl::StatusOr<int> code = absl::FailedPreconditionError("it is over");
  if (!over) {
    code = RunExec(session, AttachStart(session, object.pod(), name.name, flags.stdin, flags.tty));
  }
  const bool too_late =
      absl::IsFailedPrecondition(code.status()) || absl::IsNotFound(code.status());
  if (!code.ok() && !too_late) return code.status();
  if (too_late) RETURN_IF_ERROR(CopyLog(session, client, name));
  if (flags.restart != "Never") return 0;
  if (too_late) {
    RETURN_IF_ERROR(WaitFor(client, name, deadline, Ended));
    return ExitCodeOf(client, name);
  }
  return code;
}

absl::Status Remove(Session& session, Client& client, const ObjectName& name) {
  v1::DeleteRequest request;
  request.set_kind(name.kind->name);
  request.set_namespace_(name.name_space);
  request.set_name(name.name);
  RETURN_IF_ERROR(client.Delete(std::move(request)).status());
  session.out() << "pod \"" << name.name << "\" deleted\n";
  return absl::OkStatus();
}

absl::StatusOr<int> Run(Session& session, const RunFlags& flags) {
  if (flags.words.empty() || flags.image.empty()) {
    return UsageError(
        "name the pod and its image: clusterctl run shell -it --rm --image web:1 -- sh");
  }
  const bool joins = flags.attach || flags.stdin || flags.tty;
  if (flags.remove && !joins) return UsageError("--rm goes with --attach, -i or -t");
  ASSIGN_OR_RETURN(v1::Object object, PodFor(session, flags));
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  const ObjectName name = {FindKind("Pod"), session.name_space(), flags.words[0]};
  const auto there = client->Get("Pod", name.name_space, name.name);
  if (there.ok()) {
    return absl::AlreadyExistsError(
        absl::StrCat("pod ", name.name, " exists; delete it or choose another name"));
  }
  if (!absl::IsNotFound(there.status())) return there.status();
  v1::ApplyRequest request;
  *request.add_objects() = std::move(object);
  RETURN_IF_ERROR(client->Apply(std::move(request)).status());
  if (!joins) {
    session.out() << "pod/" << name.name << " created\n";
    return 0;
  }
  const absl::StatusOr<int> code = Join(session, *client, name, flags);
  if (flags.remove) RETURN_IF_ERROR(Remove(session, *client, name));
  return code;
}

}  // namespace

void AddRun(CLI::App& app, Session& session) {
  CLI::App* command =
      AddCommand(app, "run", "Makes a pod of one container and joins it if told to",
                 "clusterctl run web --image web:1 --port 80\n"
                 "clusterctl run shell -it --rm --restart Never --image web:1 -- sh\n"
                 "echo text | clusterctl run count -i --rm --restart Never "
                 "--image web:1 --command -- wc -c");
  auto flags = std::make_shared<RunFlags>();
  command->add_option("name", flags->words, "NAME, then -- ARGUMENTS...");
  command->add_option("--image", flags->image, "Image of the container");
  command->add_option("--env", flags->env, "KEY=VALUE; may be repeated")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("-l,--labels", flags->labels, "KEY=VALUE,...; run=NAME is there in any case")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("--port", flags->port, "Port that the container listens on");
  command->add_option("--restart", flags->restart, "Always (default), OnFailure or Never");
  command->add_flag("-i,--stdin", flags->stdin, "Pass standard input on");
  command->add_flag("-t,--tty", flags->tty, "With a terminal");
  command->add_flag("--attach", flags->attach, "Show what it writes");
  command->add_flag("--rm", flags->remove, "Delete the pod afterwards");
  command->add_flag("--command", flags->is_command,
                    "The words after -- are the command, not its arguments");
  AddDurationOption(*command, "--pod-running-timeout", flags->timeout,
                    "How long to wait for it to run (default: 1m)");
  session.OnCommand(
      command, [&session, flags] { return Run(session, *flags); }, /*takes_trailing=*/true);
}

}  // namespace cluster::cli
