#include "node/session/stream_server.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"

#include "base/clock.h"
#include "base/status.h"
#include "node/pod/decide.h"
#include "node/session/exec_pump.h"
#include "node/session/forward_pump.h"
#include "proto/schema/scalars.h"

namespace cluster::node {
namespace {

// Reading is a matter of milliseconds, with a quarter of a second between two looks.
constexpr absl::Duration kStatsPatience = absl::Seconds(5);

absl::StatusOr<const v1::ContainerRecord*> Choose(const v1::PodRecord& record,
                                                  const std::string& container) {
  const std::string& pod = record.assignment().pod().metadata().name();
  std::vector<std::string> names;
  std::vector<const v1::ContainerRecord*> apps;
  for (const v1::ContainerRecord& known : record.containers()) {
    names.push_back(known.name());
    if (known.kind() == v1::CONTAINER_KIND_APP) apps.push_back(&known);
  }
  if (container.empty()) {
    if (apps.size() == 1) return apps.front();
    return absl::InvalidArgumentError(absl::StrCat(
        "pod ", pod, " has several containers, choose one of: ", absl::StrJoin(names, ", ")));
  }
  const v1::ContainerRecord* known = FindContainer(record, container);
  if (known == nullptr) {
    return absl::NotFoundError(absl::StrCat("container ", container, " is not in pod ", pod,
                                            "; it has: ", absl::StrJoin(names, ", ")));
  }
  return known;
}

std::string WhyNotRunning(const v1::ContainerRecord& container) {
  if (!container.has_terminated()) return "it was not started yet; describe the pod to see why";
  return absl::StrCat("it ended with exit code ", container.terminated().exit_code(), " (",
                      container.terminated().reason(), ")");
}

}  // namespace

absl::StatusOr<StreamTarget> LogTarget(const v1::PodRecord& record,
                                       const v1::LogsRequest& request) {
  ASSIGN_OR_RETURN(const v1::ContainerRecord* const container, Choose(record, request.container()));
  StreamTarget target{record.uid(), container->name(), container->attempt()};
  if (request.previous()) {
    if (target.attempt == 0) {
      return absl::NotFoundError(absl::StrCat("previous terminated container ", container->name(),
                                              " of pod ", request.pod(),
                                              " not found: it was never restarted"));
    }
    --target.attempt;
  } else if (StageOf(*container) == Stage::kWaiting && target.attempt > 0) {
    --target.attempt;  // the restart has not happened yet: what there is, is the last one's
  } else if (StageOf(*container) == Stage::kWaiting) {
    return absl::FailedPreconditionError(absl::StrCat("container ", container->name(), " of pod ",
                                                      request.pod(),
                                                      " has no log: ", WhyNotRunning(*container)));
  }
  return target;
}

absl::StatusOr<StreamTarget> ExecTarget(const v1::PodRecord& record, const v1::ExecStart& request) {
  ASSIGN_OR_RETURN(const v1::ContainerRecord* const container, Choose(record, request.container()));
  if (StageOf(*container) != Stage::kRunning) {
    return absl::FailedPreconditionError(
        absl::StrCat("container ", container->name(), " of pod ", request.pod(),
                     " does not run: ", WhyNotRunning(*container)));
  }
  return StreamTarget{record.uid(), container->name(), container->attempt()};
}

StreamServer::StreamServer(PodWorkers* workers, Runtime* runtime, AskStats ask_stats)
    : workers_(workers), runtime_(runtime), ask_stats_(std::move(ask_stats)) {}

StreamServer::~StreamServer() { Stop(); }

void StreamServer::Reap() {
  for (auto one = active_.begin(); one != active_.end();) {
    if (!one->done) {
      ++one;
      continue;
    }
    one->thread.join();
    one = active_.erase(one);
  }
}

void StreamServer::Open(std::shared_ptr<grpc::Channel> channel, const v1::OpenStream& request) {
  MutexLock lock(&mutex_);
  Reap();
  if (stopping_ || channel == nullptr || active_.size() >= kMaxStreams) return;
  Active& active = active_.emplace_back();
  active.thread = std::thread(
      [this, channel = std::move(channel), request, &active] { Serve(channel, request, &active); });
}

void StreamServer::Stop() {
  std::list<Active> ending;
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    for (Active& active : active_) {
      if (active.stream != nullptr) active.stream->Cancel();
    }
  }
  // No more are added; the threads only touch their own entry.
  for (;;) {
    std::thread thread;
    {
      MutexLock lock(&mutex_);
      if (active_.empty()) return;
      thread = std::move(active_.front().thread);
    }
    thread.join();
    MutexLock lock(&mutex_);
    active_.pop_front();
  }
}

void StreamServer::Serve(std::shared_ptr<grpc::Channel> channel, const v1::OpenStream& request,
                         Active* active) {
  {
    DialBackStream stream(std::move(channel), request.stream_id());
    {
      MutexLock lock(&mutex_);
      active->stream = &stream;
      if (stopping_) stream.Cancel();
    }
    switch (request.purpose_case()) {
      case v1::OpenStream::kLogs:
        ServeLogs(request.logs(), &stream);
        break;
      case v1::OpenStream::kExec:
        ServeExec(request.exec(), &stream);
        break;
      case v1::OpenStream::kStats:
        ServeStats(request.stats(), &stream);
        break;
      case v1::OpenStream::kPortForward:
        ServePortForward(request.port_forward(), &stream);
        break;
      case v1::OpenStream::PURPOSE_NOT_SET:
        stream.FinishWithError(absl::UnimplementedError(
            "this node's agent is older than the controller and does not know such streams"));
        break;
    }
    MutexLock lock(&mutex_);
    active->stream = nullptr;
  }
  MutexLock lock(&mutex_);
  active->done = true;
}

bool StreamServer::HasEnded(const StreamTarget& target, const std::string& name_space,
                            const std::string& name) const {
  const absl::StatusOr<v1::PodRecord> record = workers_->Find(name_space, name);
  if (!record.ok() || record->uid() != target.uid) return true;
  const v1::ContainerRecord* container = FindContainer(*record, target.container);
  return container == nullptr || container->attempt() > target.attempt ||
         container->has_terminated();
}

void StreamServer::ServeLogs(const v1::LogsRequest& request, DialBackStream* stream) {
  absl::StatusOr<v1::PodRecord> record = workers_->Find(request.namespace_(), request.pod());
  absl::StatusOr<StreamTarget> target = record.ok() ? LogTarget(*record, request) : record.status();
  if (!target.ok()) return stream->FinishWithError(target.status());
  LogQuery query;
  query.path = absl::StrCat(runtime_->LogDirectory(target->uid, target->container), "/",
                            target->attempt, ".log");
  query.follow = request.follow();
  if (request.has_tail_lines()) query.tail_lines = request.tail_lines();
  query.format.timestamps = request.timestamps();
  if (request.has_limit_bytes()) query.format.limit_bytes = request.limit_bytes();
  if (request.has_since_time()) query.format.since = ToTime(request.since_time());
  if (request.has_since_seconds()) {
    query.format.since = absl::Now() - absl::Seconds(request.since_seconds());
  }
  LogSurroundings surroundings;
  surroundings.give = [&](absl::string_view data) { return stream->GiveStdout(data); };
  surroundings.ended = [&] { return HasEnded(*target, request.namespace_(), request.pod()); };
  surroundings.stop_fd = stream->gone_fd();
  const absl::Status read = ReadLog(query, surroundings);
  if (read.ok()) {
    stream->Finish();
  } else {
    stream->FinishWithError(read);
  }
}

void StreamServer::ServeStats(const v1::StatsRequest& request, DialBackStream* stream) {
  if (!ask_stats_) {
    return stream->FinishWithError(absl::UnimplementedError("this node counts nothing"));
  }
  // Shared with an answer that may come too late.
  struct Wait {
    Mutex mutex;
    CondVar answered;
    std::optional<v1::NodeStats> stats ABSL_GUARDED_BY(mutex);
  };
  const auto wait = std::make_shared<Wait>();
  ask_stats_([wait](v1::NodeStats stats) {
    MutexLock lock(&wait->mutex);
    wait->stats = std::move(stats);
    wait->answered.SignalAll();
  });
  std::optional<v1::NodeStats> stats;
  {
    MutexLock lock(&wait->mutex);
    const absl::Duration deadline = RealClock()->Monotonic() + kStatsPatience;
    for (absl::Duration left = kStatsPatience; !wait->stats && left > absl::ZeroDuration();
         left = deadline - RealClock()->Monotonic()) {
      wait->answered.WaitFor(&wait->mutex, left);
    }
    stats = std::move(wait->stats);
  }
  if (!stats) {
    return stream->FinishWithError(
        absl::DeadlineExceededError("the node did not read its counters in time"));
  }
  if (!request.namespace_().empty()) {
    auto* pods = stats->mutable_pods();
    pods->erase(std::remove_if(pods->begin(), pods->end(),
                               [&](const v1::PodStats& pod) {
                                 return pod.namespace_() != request.namespace_();
                               }),
                pods->end());
  }
  stream->GiveStats(*std::move(stats));
  stream->Finish();
}

void StreamServer::ServeExec(const v1::ExecStart& request, DialBackStream* stream) {
  absl::StatusOr<v1::PodRecord> record = workers_->Find(request.namespace_(), request.pod());
  absl::StatusOr<StreamTarget> target =
      record.ok() ? ExecTarget(*record, request) : record.status();
  if (!target.ok()) return stream->FinishWithError(target.status());
  if (request.attach()) return ServeAttach(*target, request, stream);
  ExecSpec spec;
  spec.pod_uid = target->uid;
  spec.container = target->container;
  spec.argv.assign(request.command().begin(), request.command().end());
  spec.stdin = request.stdin();
  spec.tty = request.tty();
  spec.size = {static_cast<uint16_t>(request.size().rows()),
               static_cast<uint16_t>(request.size().columns())};
  absl::StatusOr<std::unique_ptr<ExecProcess>> process = runtime_->Exec(spec);
  if (!process.ok()) return stream->FinishWithError(process.status());
  PumpExec(process->get(), request.tty(), stream);
}

void StreamServer::ServeAttach(const StreamTarget& target, const v1::ExecStart& request,
                               DialBackStream* stream) {
  AttachSpec spec;
  spec.pod_uid = target.uid;
  spec.container = target.container;
  spec.stdin = request.stdin();
  spec.size = {static_cast<uint16_t>(request.size().rows()),
               static_cast<uint16_t>(request.size().columns())};
  absl::StatusOr<std::unique_ptr<ExecProcess>> process = runtime_->Attach(spec);
  if (!process.ok()) return stream->FinishWithError(process.status());
  PumpExec(process->get(), request.tty(), stream);
}

void StreamServer::ServePortForward(const v1::PortForwardStart& request, DialBackStream* stream) {
  absl::StatusOr<v1::PodRecord> record = workers_->Find(request.namespace_(), request.pod());
  if (!record.ok()) return stream->FinishWithError(record.status());
  absl::StatusOr<PodConnection> connection =
      runtime_->Dial(record->uid(), static_cast<uint16_t>(request.port()));
  // It has a record, so the pod is there: it was not started yet, or is over.
  if (absl::IsNotFound(connection.status())) {
    return stream->FinishWithError(
        absl::FailedPreconditionError(absl::StrCat("pod ", request.pod(), " does not run")));
  }
  if (!connection.ok()) return stream->FinishWithError(connection.status());
  PumpConnection(*std::move(connection), stream);
}

}  // namespace cluster::node
