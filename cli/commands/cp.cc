#include <unistd.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cli/commands/commands.h"
#include "cli/commands/copy_archive.h"
#include "cli/commands/pod_choice.h"

#include "base/status.h"

namespace cluster::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostComplaints = 2 << 10;

struct CpFlags {
  std::vector<std::string> paths;
  std::string container;
  bool no_preserve = false;
};

// PATH, POD:PATH or NAMESPACE/POD:PATH.
struct Place {
  std::string name_space;
  std::string pod;  // empty: here
  std::string path;
};

absl::StatusOr<Place> ParsePlace(const std::string& text) {
  const size_t colon = text.find(':');
  if (colon == std::string::npos) return Place{"", "", text};
  const std::vector<std::string> pod = absl::StrSplit(text.substr(0, colon), '/');
  Place place;
  place.path = text.substr(colon + 1);
  if (pod.size() == 2) place.name_space = pod.front();
  place.pod = pod.back();
  if (pod.size() > 2 || place.pod.empty() || place.path.empty()) {
    return UsageError(
        absl::StrCat("'", text, "' is no place: write PATH, POD:PATH or NAMESPACE/POD:PATH"));
  }
  return place;
}

// A command in the container whose input and output are ours.
class RemoteCommand {
 public:
  RemoteCommand(Client* client, v1::ExecStart start, std::vector<std::string> argv)
      : client_(client), call_(client->stub().Exec(&context_)) {
    name_ = argv.front();
    start.mutable_command()->Assign(argv.begin(), argv.end());
    v1::ExecRequest request;
    *request.mutable_start() = std::move(start);
    call_->Write(request);
  }
  RemoteCommand(const RemoteCommand&) = delete;
  RemoteCommand& operator=(const RemoteCommand&) = delete;
  ~RemoteCommand() {
    if (finished_) return;
    context_.TryCancel();
    (void)Finish();
  }

  // While input is given, somebody has to take what it says.
  void DrainBeside() {
    drain_ = std::thread([this] { Drain(); });
  }
  absl::Status Give(absl::string_view bytes) {
    v1::ExecRequest request;
    request.set_stdin(bytes.data(), bytes.size());
    if (call_->Write(request)) return absl::OkStatus();
    return absl::UnavailableError("the command takes no more");
  }
  void EndInput() {
    v1::ExecRequest request;
    request.set_stdin_eof(true);
    call_->Write(request);
  }

  // The next piece of its output; "" at the end.
  std::string TakeOutput() {
    v1::ExecResponse response;
    while (call_->Read(&response)) {
      if (response.has_stdout()) return response.stdout();
      if (response.has_stderr() && complaints_.size() < kMostComplaints) {
        complaints_ += response.stderr();
      }
      if (response.response_case() == v1::ExecResponse::kExitCode)
        exit_code_ = response.exit_code();
    }
    return "";
  }

  // Waits for its end. FailedPrecondition: it failed, and what it had to say.
  absl::Status Finish() {
    finished_ = true;
    if (drain_.joinable()) {
      drain_.join();
    } else {
      Drain();
    }
    RETURN_IF_ERROR(client_->ToStatus(call_->Finish()));
    if (exit_code_.value_or(-1) == 0) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat(name_, " in the container ended with exit code ", exit_code_.value_or(-1),
                     complaints_.empty() ? "" : ": ", absl::StripAsciiWhitespace(complaints_)));
  }

 private:
  void Drain() {
    while (!TakeOutput().empty()) {
    }
  }

  Client* const client_;
  std::string name_;
  grpc::ClientContext context_;
  const std::unique_ptr<grpc::ClientReaderWriter<v1::ExecRequest, v1::ExecResponse>> call_;
  std::string complaints_;
  std::optional<int> exit_code_;
  bool finished_ = false;
  std::thread drain_;
};

// "/a/b/" is "b" in "/a"; "." is itself.
std::pair<std::string, std::string> DirectoryAndName(const std::string& path) {
  fs::path clean = fs::path(path).lexically_normal();
  if (!clean.has_filename()) clean = clean.parent_path();
  if (clean == "/" || clean == "." || clean == ".." || clean.empty()) {
    return {clean.empty() ? "." : clean.string(), "."};
  }
  const std::string parent = clean.parent_path();
  return {parent.empty() ? "." : parent, clean.filename()};
}

absl::Status Download(Session& session, Client* client, const v1::ExecStart& start,
                      const std::string& from, const std::string& to) {
  const auto [directory, name] = DirectoryAndName(from);
  RemoteCommand tar(client, start, {"tar", "cf", "-", "-C", directory, "./" + name});
  const absl::Status unpacked =
      UnpackCopied([&tar]() -> absl::StatusOr<std::string> { return tar.TakeOutput(); }, name, to,
                   [&session](const std::string& sentence) {
                     session.err() << "warning: " << sentence << "\n";
                   });
  // An archive that broke off has its reason there.
  const bool ours = absl::IsInvalidArgument(unpacked) || absl::IsNotFound(unpacked);
  if (!unpacked.ok() && !ours) return unpacked;
  const absl::Status made = tar.Finish();
  return made.ok() ? unpacked : made;
}

absl::Status Upload(Session& session, Client* client, const v1::ExecStart& start,
                    const std::string& from, const std::string& to, bool no_preserve) {
  std::error_code error;
  if (!fs::exists(from, error)) {
    return absl::NotFoundError(absl::StrCat(from, " does not exist on this machine"));
  }
  auto [directory, name] = DirectoryAndName(to);
  // A directory that is there takes it under its own name. Where it cannot be asked, it is none.
  RemoteCommand test(client, start, {"test", "-d", to});
  if (name == "." || test.Finish().ok()) {
    directory = to;
    name = DirectoryAndName(fs::absolute(from).string()).second;
  }
  std::vector<std::string> command = {"tar", "-xmf", "-", "-C", directory};
  if (no_preserve) {
    command.insert(command.begin() + 1, {"--no-same-permissions", "--no-same-owner"});
  }
  v1::ExecStart with_input = start;
  with_input.set_stdin(true);
  RemoteCommand tar(client, with_input, command);
  tar.DrainBeside();
  const absl::Status packed = PackForCopy(
      from, name, [&tar](absl::string_view bytes) { return tar.Give(bytes); },
      [&session](const std::string& sentence) {
        session.err() << "warning: " << sentence << "\n";
      });
  if (!packed.ok() && !absl::IsUnavailable(packed)) return packed;
  tar.EndInput();
  const absl::Status unpacked = tar.Finish();
  return unpacked.ok() ? packed : unpacked;
}

absl::Status Cp(Session& session, const CpFlags& flags) {
  if (flags.paths.size() != 2) {
    return UsageError("name a source and a destination: clusterctl cp ./site web-1:/srv");
  }
  ASSIGN_OR_RETURN(const Place from, ParsePlace(flags.paths[0]));
  ASSIGN_OR_RETURN(const Place to, ParsePlace(flags.paths[1]));
  if (from.pod.empty() == to.pod.empty()) {
    return UsageError("one of the two is in a pod, written POD:PATH, and the other one here");
  }
  const Place& there = from.pod.empty() ? to : from;
  if (!there.name_space.empty()) session.flags().name_space = there.name_space;
  ASSIGN_OR_RETURN(const v1::Pod pod, ChoosePod(session, there.pod));
  v1::ExecStart start;
  start.set_namespace_(pod.metadata().namespace_());
  start.set_pod(pod.metadata().name());
  ASSIGN_OR_RETURN(*start.mutable_container(), ChooseContainer(session, pod, flags.container));
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  if (from.pod.empty()) {
    return Upload(session, client, start, from.path, to.path, flags.no_preserve);
  }
  return Download(session, client, start, from.path, to.path);
}

}  // namespace

void AddCp(CLI::App& app, Session& session) {
  CLI::App* command =
      AddCommand(app, "cp", "Copies files and directories to and from a container, which needs tar",
                 "clusterctl cp ./site web-1:/srv\n"
                 "clusterctl cp web-1:/var/log/app ./logs -c app\n"
                 "clusterctl cp ./config.yaml shop/web-1:/etc/app/config.yaml");
  auto flags = std::make_shared<CpFlags>();
  command->add_option("paths", flags->paths, "SOURCE DESTINATION: PATH or [NAMESPACE/]POD:PATH");
  command->add_option("-c,--container", flags->container, "Which container (default: the first)");
  command->add_flag(
      "--no-preserve", flags->no_preserve,
      "Give the copies in the container no owner and no permissions of the originals");
  session.OnCommand(command, [&session, flags] { return Cp(session, *flags); });
}

}  // namespace cluster::cli
