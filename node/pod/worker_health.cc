// What a worker has to do with probes and hooks: it says what is to be asked and run, and carries
// the answers into the state machine.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "node/pod/message_text.h"
#include "node/pod/pod_worker.h"

namespace cluster::node {
namespace {

// As in Kubernetes: so much of its log stands for the message of a container that failed.
constexpr size_t kMostLogLines = 80;
constexpr size_t kMostLogBytes = 2048;
// Holds the longest line of a log, twice.
constexpr off_t kLogWindow = 40 << 10;

// The last lines of a file, whole ones.
absl::StatusOr<std::string> ReadEnd(const std::string& path) {
  ASSIGN_OR_RETURN(UniqueFd fd, OpenAt(AT_FDCWD, path, O_RDONLY));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return ErrnoStatus("stat", path);
  const off_t from = std::max<off_t>(0, info.st_size - kLogWindow);
  std::string text(static_cast<size_t>(info.st_size - from), 0);
  const ssize_t got = ::pread(fd.get(), text.data(), text.size(), from);
  if (got < 0) return ErrnoStatus("read", path);
  text.resize(static_cast<size_t>(got));
  if (from > 0) text.erase(0, text.find('\n') + 1);
  return text;
}

bool HasProbe(const v1::Container& spec) {
  return spec.has_startup_probe() || spec.has_liveness_probe() || spec.has_readiness_probe();
}

bool IsProbed(const v1::ContainerRecord& container) {
  return StageOf(container) == Stage::kRunning && container.post_start_done() &&
         container.stop_began_ns() == 0;
}

}  // namespace

void PodWorker::AddLogTail(ContainerState* state) const {
  const std::optional<v1::Container> spec = ContainerToRun(record_, state->name);
  const bool wanted =
      spec.has_value() && spec->termination_message_policy() ==
                              v1::TERMINATION_MESSAGE_POLICY_FALLBACK_TO_LOGS_ON_ERROR;
  const bool said = !state->message.empty() || !state->termination_message.empty();
  if (!wanted || said || state->exit_code == 0) return;
  const auto log = ReadEnd(absl::StrCat(world_->runtime->LogDirectory(record_.uid(), state->name),
                                        "/", state->attempt, ".log"));
  if (log.ok()) {
    state->termination_message = LogTail(*log, kMostLogLines, kMostLogBytes);
  } else if (!absl::IsNotFound(log.status())) {
    LOG_WARN("pod {}: last words of container {}: {}", record_.uid(), state->name,
             log.status().ToString());
  }
}

void PodWorker::ObserveHooks(Observed* observed) {
  {
    MutexLock lock(&hook_ends_->mutex);
    observed->ended_hooks.swap(hook_ends_->ends);
  }
  for (const HookEnd& end : observed->ended_hooks) {
    const auto running = hooks_.find(end.container);
    if (running != hooks_.end() && running->second == end.attempt) hooks_.erase(running);
    const v1::ContainerRecord* known = FindContainer(record_, end.container);
    const bool current = known != nullptr && known->attempt() == end.attempt;
    if (current && StageOf(*known) == Stage::kRunning) ReportHook(end);
  }
  for (const auto& [container, attempt] : hooks_) {
    const v1::ContainerRecord* known = FindContainer(record_, container);
    if (known != nullptr && known->attempt() == attempt) observed->running_hooks.insert(container);
  }
  if (world_->take_probe_news == nullptr || watched_.empty()) return;
  ProbeNews news = world_->take_probe_news(record_.uid());
  observed->health = std::move(news.health);
  for (const ProbeReport& report : news.reports) ReportProbe(report);
}

void PodWorker::WatchHealth() {
  std::vector<ProbeTarget> targets;
  std::string key;
  const bool over = record_.gone() || IsEnding(record_) || IsFinishing(record_);
  for (const v1::ContainerRecord& container : record_.containers()) {
    const v1::Container* spec = FindSpec(record_, container.name());
    if (over || spec == nullptr || !HasProbe(*spec) || !IsProbed(container)) continue;
    ProbeTarget target;
    target.container = container.name();
    target.attempt = container.attempt();
    target.started_at = absl::Nanoseconds(container.started_ns());
    target.started = container.started();
    target.ready = container.ready();
    const auto adopted = adopted_.find(container.name());
    target.adopted = adopted != adopted_.end() && adopted->second == container.attempt();
    auto probes = ProbesOf(*spec, record_.pod_ip());
    if (!probes.ok()) {
      LOG_ERROR("pod {}: {}", record_.uid(), probes.status().ToString());
      continue;
    }
    target.probes = *std::move(probes);
    absl::StrAppend(&key, container.name(), "/", container.attempt(), " ");
    targets.push_back(std::move(target));
  }
  if (key == watched_) return;
  watched_ = key;
  world_->probe(record_.uid(), std::move(targets));
}

void PodWorker::RunHook(const Decision& decision) {
  const v1::Container* spec = FindSpec(record_, decision.container);
  HookEnd end;
  end.container = decision.container;
  end.attempt = FindContainer(record_, decision.container)->attempt();
  end.kind = decision.hook;
  const bool start = decision.hook == HookKind::kPostStart;
  const v1::LifecycleHandler& handler =
      start ? spec->lifecycle().post_start() : spec->lifecycle().pre_stop();
  absl::StatusOr<Action> action = ActionOf(handler, *spec, record_.pod_ip());
  hooks_[end.container] = end.attempt;
  auto done = [inbox = hook_ends_, end, look_again = world_->look_again,
               uid = record_.uid()](absl::Status status) mutable {
    end.status = std::move(status);
    {
      MutexLock lock(&inbox->mutex);
      inbox->ends.push_back(end);
    }
    look_again(uid);
  };
  if (!action.ok()) return done(action.status());
  world_->run_hook({record_.uid(), decision.container, *std::move(action), decision.hook_timeout},
                   done);
}

}  // namespace cluster::node
