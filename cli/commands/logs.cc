#include <thread>

#include "absl/strings/str_cat.h"
#include "cli/commands/commands.h"
#include "cli/commands/pod_choice.h"
#include "cli/commands/targets.h"

#include "base/mutex.h"
#include "base/status.h"
#include "proto/schema/scalars.h"

namespace cluster::cli {
namespace {

// What -l shows of each pod unless told otherwise, and how many pods it takes on at once: kubectl's
// number for the first; the second bounds threads.
constexpr int64_t kSelectorTail = 10;
constexpr size_t kMostStreams = 50;

struct LogFlags {
  std::vector<std::string> words;
  std::string container;
  std::string selector;
  std::string since_time;
  absl::Duration since = absl::ZeroDuration();
  int64_t tail = -1;
  int64_t limit_bytes = 0;
  bool follow = false;
  bool previous = false;
  bool timestamps = false;
  bool all_containers = false;
  bool prefix = false;
};

// Lines of several streams on one output: a line is never torn, and says where it is from if
// wanted.
class LineWriter {
 public:
  explicit LineWriter(Session& session) : session_(session) {}

  void Write(const std::string& prefix, absl::string_view data, bool* at_line_start) {
    const MutexLock lock(&mutex_);
    while (!data.empty()) {
      const size_t end = data.find('\n');
      const absl::string_view line =
          data.substr(0, end == absl::string_view::npos ? data.size() : end + 1);
      if (*at_line_start) session_.out() << prefix;
      session_.out() << line;
      *at_line_start = line.back() == '\n';
      data.remove_prefix(line.size());
    }
    session_.out().flush();
  }

 private:
  Session& session_;
  Mutex mutex_;
};

struct Stream {
  v1::LogsRequest request;
  std::string prefix;
};

absl::Status Copy(Client& client, const Stream& stream, LineWriter& writer) {
  grpc::ClientContext context;
  const auto reader = client.stub().Logs(&context, stream.request);
  v1::LogsResponse response;
  bool at_line_start = true;
  while (reader->Read(&response)) writer.Write(stream.prefix, response.data(), &at_line_start);
  return client.ToStatus(reader->Finish());
}

absl::StatusOr<v1::LogsRequest> BaseRequest(const LogFlags& flags) {
  v1::LogsRequest request;
  request.set_follow(flags.follow);
  request.set_previous(flags.previous);
  request.set_timestamps(flags.timestamps);
  if (flags.tail >= 0) {
    request.set_tail_lines(flags.tail);
  } else if (!flags.selector.empty()) {
    request.set_tail_lines(kSelectorTail);
  }
  if (flags.limit_bytes > 0) request.set_limit_bytes(flags.limit_bytes);
  if (flags.since > absl::ZeroDuration() && !flags.since_time.empty()) {
    return UsageError("give --since or --since-time, not both");
  }
  if (flags.since > absl::ZeroDuration()) {
    request.set_since_seconds(absl::ToInt64Seconds(absl::Ceil(flags.since, absl::Seconds(1))));
  }
  if (!flags.since_time.empty()) {
    const auto time = ParseTimestamp(flags.since_time);
    if (!time.ok()) return UsageError(absl::StrCat("--since-time: ", time.status().message()));
    *request.mutable_since_time() = *time;
  }
  return request;
}

absl::Status AddStreams(Session& session, const LogFlags& flags, const v1::LogsRequest& base,
                        const v1::Pod& pod, std::vector<Stream>& streams) {
  std::vector<std::string> containers;
  if (flags.all_containers) {
    for (const ContainerName& each : ContainerNames(pod)) containers.push_back(each.name);
  } else {
    const std::string wanted =
        flags.container.empty() && flags.words.size() > 1 ? flags.words[1] : flags.container;
    ASSIGN_OR_RETURN(containers.emplace_back(), ChooseContainer(session, pod, wanted));
  }
  for (const std::string& container : containers) {
    Stream& stream = streams.emplace_back();
    stream.request = base;
    stream.request.set_namespace_(pod.metadata().namespace_());
    stream.request.set_pod(pod.metadata().name());
    stream.request.set_container(container);
    if (flags.prefix) {
      stream.prefix = absl::StrCat("[pod/", pod.metadata().name(), "/", container, "] ");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Stream>> Streams(Session& session, const LogFlags& flags) {
  ASSIGN_OR_RETURN(const v1::LogsRequest base, BaseRequest(flags));
  std::vector<Stream> streams;
  if (flags.selector.empty()) {
    if (flags.words.empty() || flags.words.size() > 2) {
      return UsageError("name one pod, such as web-1 or deploy/web, or give -l SELECTOR");
    }
    ASSIGN_OR_RETURN(const v1::Pod pod, ChoosePod(session, flags.words[0]));
    RETURN_IF_ERROR(AddStreams(session, flags, base, pod, streams));
    return streams;
  }
  if (!flags.words.empty()) return UsageError("give a name or a selector, not both");
  const Selection selection = {{{FindKind("Pod"), ""}}, false, flags.selector, ""};
  ASSIGN_OR_RETURN(const Found pods, Fetch(session, selection));
  for (const v1::Object& pod : pods.objects) {
    RETURN_IF_ERROR(AddStreams(session, flags, base, pod.pod(), streams));
  }
  if (streams.empty()) session.err() << "No resources found.\n";
  return streams;
}

// All at once: with -f none of them ends by itself.
absl::Status CopyTogether(Client& client, const std::vector<Stream>& streams, LineWriter& writer) {
  std::vector<absl::Status> results(streams.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < streams.size(); ++i) {
    threads.emplace_back([&, i] { results[i] = Copy(client, streams[i], writer); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& result : results) RETURN_IF_ERROR(result);
  return absl::OkStatus();
}

absl::Status Logs(Session& session, const LogFlags& flags) {
  ASSIGN_OR_RETURN(const std::vector<Stream> streams, Streams(session, flags));
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  LineWriter writer(session);
  if (flags.follow && streams.size() > 1) {
    if (streams.size() > kMostStreams) {
      return UsageError(absl::StrCat("-f of ", streams.size(), " containers at once is too much (",
                                     kMostStreams, " at most); narrow the selector"));
    }
    return CopyTogether(*client, streams, writer);
  }
  for (const Stream& stream : streams) RETURN_IF_ERROR(Copy(*client, stream, writer));
  return absl::OkStatus();
}

}  // namespace

void AddLogs(CLI::App& app, Session& session) {
  CLI::App* command = AddCommand(app, "logs", "Prints what containers have written",
                                 "clusterctl logs web-1 -f --tail 20\n"
                                 "clusterctl logs deploy/web -c nginx --since 10m\n"
                                 "clusterctl logs web-1 --previous\n"
                                 "clusterctl logs -l app=web --prefix");
  auto flags = std::make_shared<LogFlags>();
  command->add_option("pod", flags->words, "POD [CONTAINER], pod/NAME, deploy/NAME or job/NAME");
  command->add_option("-c,--container", flags->container, "Which container (default: the first)");
  command->add_option("-l,--selector", flags->selector, "Of all pods with these labels");
  command->add_flag("-f,--follow", flags->follow, "Go on with what is written next");
  command->add_flag("-p,--previous", flags->previous, "Of the instance before the current one");
  command->add_option("--tail", flags->tail, "Only so many of the last lines (-1: all)");
  AddDurationOption(*command, "--since", flags->since, "Only what is younger: 10m");
  command->add_option("--since-time", flags->since_time, "Only what is younger: an RFC 3339 time");
  command->add_flag("--timestamps", flags->timestamps, "Each line's time before it");
  command->add_option("--limit-bytes", flags->limit_bytes, "Stop after so many bytes");
  command->add_flag("--all-containers", flags->all_containers, "Of all containers of the pod");
  command->add_flag("--prefix", flags->prefix, "Pod and container before each line");
  session.OnCommand(command, [&session, flags] { return Logs(session, *flags); });
}

}  // namespace cluster::cli
