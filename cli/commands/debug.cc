#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "cli/commands/commands.h"
#include "cli/commands/exec_stream.h"
#include "cli/commands/pod_choice.h"
#include "cli/commands/waiting.h"

#include "base/status.h"

namespace cluster::cli {
namespace {

struct DebugFlags {
  std::vector<std::string> words;
  std::string image;
  std::string container;
  std::string target;
  std::vector<std::string> env;
  bool stdin = false;
  bool tty = false;
  bool quiet = false;
  absl::Duration timeout = absl::Seconds(60);
};

// As kubectl's: "debugger-" and five letters that spell nothing.
std::string RandomName() {
  static constexpr char kLetters[] = "bcdfghjklmnpqrstvwxz2456789";
  std::string name = "debugger-";
  for (const char byte : NewWriteId().substr(0, 5)) {
    name += kLetters[static_cast<unsigned char>(byte) % (sizeof kLetters - 1)];
  }
  return name;
}

absl::StatusOr<v1::EphemeralContainer> ContainerFor(Session& session, const DebugFlags& flags) {
  v1::EphemeralContainer container;
  container.set_name(flags.container.empty() ? RandomName() : flags.container);
  container.set_image(flags.image);
  container.set_target_container_name(flags.target);
  container.set_stdin(flags.stdin);
  container.set_stdin_once(flags.stdin);
  container.set_tty(flags.tty);
  for (const std::string& variable : flags.env) {
    const size_t equals = variable.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return UsageError(absl::StrCat("--env ", variable, " is not KEY=VALUE"));
    }
    v1::EnvVar* env = container.add_env();
    env->set_name(variable.substr(0, equals));
    env->set_value(variable.substr(equals + 1));
  }
  std::vector<std::string> command(flags.words.begin() + 1, flags.words.end());
  command.insert(command.end(), session.trailing().begin(), session.trailing().end());
  for (const std::string& word : command) container.add_command(word);
  return container;
}

// How far the container is: under way until it runs or has ended.
Progress StartOf(const v1::Object* pod, const std::string& container) {
  if (pod == nullptr) return {ProgressState::kGivenUp, "the pod is gone"};
  for (const v1::ContainerStatus& status : pod->pod().status().ephemeral_container_statuses()) {
    if (status.name() != container) continue;
    if (!status.state().has_waiting()) return {ProgressState::kReached, "it has started"};
    return {ProgressState::kUnderWay, absl::StrCat("container ", container, " is waiting: ",
                                                   status.state().waiting().reason(), ": ",
                                                   status.state().waiting().message())};
  }
  return {ProgressState::kUnderWay,
          absl::StrCat("container ", container, " is not known to its node yet")};
}

absl::StatusOr<int> Debug(Session& session, const DebugFlags& flags) {
  if (flags.words.empty()) return UsageError("name a pod: clusterctl debug web-1 --image tools:1");
  if (flags.image.empty()) return UsageError("name an image: --image tools:1");
  ASSIGN_OR_RETURN(const v1::Pod pod, ChoosePod(session, flags.words[0]));
  v1::AddEphemeralContainerRequest request;
  request.set_namespace_(pod.metadata().namespace_());
  request.set_pod(pod.metadata().name());
  ASSIGN_OR_RETURN(*request.mutable_container(), ContainerFor(session, flags));
  const std::string name = request.container().name();
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  RETURN_IF_ERROR(client->AddEphemeralContainer(request).status());
  if (flags.container.empty() && !flags.quiet) {
    session.err() << "Defaulting debug container name to " << name << ".\n";
  }
  RETURN_IF_ERROR(WaitFor(*client,
                          {FindKind("Pod"), pod.metadata().namespace_(), pod.metadata().name()},
                          DeadlineAfter(session.Now(), flags.timeout),
                          [&name](const v1::Object* object) { return StartOf(object, name); }));
  if (!flags.stdin && !flags.tty) return kDone;
  v1::ExecStart start;
  start.set_namespace_(pod.metadata().namespace_());
  start.set_pod(pod.metadata().name());
  start.set_container(name);
  start.set_stdin(flags.stdin);
  start.set_tty(flags.tty && isatty(session.terminal().input) == 1);
  start.set_attach(true);
  return RunExec(session, std::move(start));
}

}  // namespace

void AddDebug(CLI::App& app, Session& session) {
  CLI::App* command =
      AddCommand(app, "debug",
                 "Adds a container to a running pod for a look at it, and waits until it runs. It "
                 "stays in the "
                 "pod until the pod goes",
                 "clusterctl debug -it web-1 --image busybox:1 --target nginx -- sh\n"
                 "clusterctl debug web-1 --image tools:1 -c look -- sleep 1h\n"
                 "clusterctl exec -it web-1 -c look -- sh");
  auto flags = std::make_shared<DebugFlags>();
  command->add_option("pod", flags->words, "POD, pod/NAME or deploy/NAME, then -- COMMAND...");
  command->add_option("--image", flags->image, "Image of the container");
  command->add_option("-c,--container", flags->container, "Its name (default: a random one)");
  command->add_option("--target", flags->target, "Sees the processes of this container of the pod");
  command->add_option("--env", flags->env, "KEY=VALUE, any number of times");
  command->add_flag("-i,--stdin", flags->stdin, "Keep its standard input open, and attach to it");
  command->add_flag("-t,--tty", flags->tty, "Give it a terminal, and attach to it");
  command->add_flag("-q,--quiet", flags->quiet, "Do not tell the name that was chosen");
  AddDurationOption(*command, "--timeout", flags->timeout,
                    "How long to wait until it runs (default: 1m)");
  session.OnCommand(
      command, [&session, flags] { return Debug(session, *flags); }, /*takes_trailing=*/true);
}

}  // namespace cluster::cli
