#include "node/pod/pod_worker.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "base/log.h"
#include "base/status.h"
#include "node/pod/claim_book.h"
#include "node/pod/pod_specs.h"
#include "node/pod/status.h"
#include "node/volume/volume_plan.h"
#include "proto/schema/scalars.h"
#include "proto/schema/signal_names.h"
#include "proto/schema/stable_bytes.h"

namespace cluster::node {
namespace {

// A lost hint costs at most this much. None is lost that we know of: a cluster-init that cannot
// tell hangs up, and that is heard. A thousand idle pods cost what a thousand looks in that time
// cost.
constexpr absl::Duration kFirstRetry = absl::Milliseconds(200);
constexpr absl::Duration kLongestRetry = absl::Seconds(30);
constexpr char kPreparing[] = "sandbox";
constexpr char kRemoving[] = "removal";

bool IsPermanent(const absl::Status& status) { return absl::IsInvalidArgument(status); }

}  // namespace

PodWorker::PodWorker(const PodWorld* world, v1::PodRecord record)
    : world_(world),
      record_(std::move(record)),
      hook_ends_(std::make_shared<HookInbox>()),
      snapshot_(record_) {
  kept_ = OwnBytes();
  for (const v1::ContainerRecord& container : record_.containers()) {
    if (container.has_terminated()) reported_ends_[container.name()] = container.attempt();
    if (StageOf(container) == Stage::kRunning) adopted_[container.name()] = container.attempt();
    if (container.stop_began_ns() != 0) reported_stops_[container.name()] = container.attempt();
  }
  // What came with an assignment that no worker has seen.
  AddContainers(&record_);
}

void PodWorker::Tell(v1::AssignmentRecord assignment) {
  MutexLock lock(&mutex_);
  news_ = std::move(assignment);
}

void PodWorker::Retry() {
  MutexLock lock(&mutex_);
  retry_ = true;
}

void PodWorker::Evict(std::string message, absl::Duration grace) {
  MutexLock lock(&mutex_);
  eviction_ = Eviction{std::move(message), grace};
}

void PodWorker::LoseLease() {
  MutexLock lock(&mutex_);
  lease_lost_ = true;
}

bool PodWorker::Finished() const {
  MutexLock lock(&mutex_);
  return finished_;
}

v1::PodRecord PodWorker::Snapshot() const {
  MutexLock lock(&mutex_);
  return snapshot_;
}

void PodWorker::Visit(const std::function<void(const v1::PodRecord&)>& see) const {
  MutexLock lock(&mutex_);
  see(snapshot_);
}

void PodWorker::TakeNews(const Moment& now) {
  MutexLock lock(&mutex_);
  if (news_) {
    record_.set_assigned(news_->assigned());
    if (news_->has_assignment()) Reassign(news_->assignment(), &record_);
    published_.clear();
    snapshot_stale_ = true;
    volumes_stale_ = true;
  }
  if (news_ || retry_) {
    for (auto& [name, hurdle] : hurdles_.containers) hurdle.retry_at = now.monotonic;
    if (hurdles_.sandbox) hurdles_.sandbox->retry_at = now.monotonic;
  }
  if (eviction_ && !IsEnding(record_) && !record_.failing() && !IsTerminal(record_.phase())) {
    Fail(kEvicted, eviction_->message, &record_);
    record_.set_eviction_grace_seconds(absl::ToInt64Seconds(eviction_->grace));
    Emit("Warning", kEvicted, eviction_->message, "");
  }
  news_.reset();
  retry_ = false;
  eviction_.reset();
}

absl::Duration PodWorker::NextLeaseLook() const {
  if (!world_->stop_unique_at || record_.gone() || IsTerminal(record_.phase()) ||
      (record_.failing() && record_.reason() == kLeaseLost) || !ExistsOnce(record_)) {
    return absl::InfiniteDuration();
  }
  return world_->stop_unique_at();
}

void PodWorker::MindLease(const Moment& now) {
  bool lost = false;
  {
    MutexLock lock(&mutex_);
    lost = std::exchange(lease_lost_, false);
  }
  const absl::Duration next = NextLeaseLook();
  if (next == absl::InfiniteDuration() || (!lost && now.monotonic < next)) return;
  const std::string message =
      "the controller did not answer before the node's lease ended: another node may run the pod";
  Fail(kLeaseLost, message, &record_);
  if (record_.reason() == kLeaseLost) Emit("Warning", kLeaseLost, message, "");
}

absl::StatusOr<Observed> PodWorker::Observe() {
  Observed observed;
  absl::StatusOr<std::vector<ContainerState>> states = world_->runtime->Poll(record_.uid());
  if (absl::IsNotFound(states.status())) {
    sandbox_.reset();
    return observed;
  }
  if (!states.ok()) return states.status();
  for (ContainerState& state : *states) {
    const v1::ContainerRecord* known = FindContainer(record_, state.name);
    const bool news =
        known != nullptr && state.attempt == known->attempt() && !known->has_terminated();
    // Its cluster-init is gone, and the sandbox with it.
    if (state.phase == ContainerPhase::kUnknown && news) sandbox_.reset();
    if (state.phase == ContainerPhase::kExited && news) AddLogTail(&state);
  }
  observed.sandbox = sandbox_.has_value();
  // None of its own: the pod is in the node's network.
  if (sandbox_) observed.ip = sandbox_->ip.empty() ? world_->host_ip : sandbox_->ip;
  if (sandbox_) observed.sandbox_made_ns = sandbox_->made_ns;
  observed.containers = *std::move(states);
  return observed;
}

std::string PodWorker::OwnBytes() {
  std::unique_ptr<v1::Assignment> assignment(record_.release_assignment());
  const bool assigned = record_.assigned();
  record_.clear_assigned();
  std::string bytes = StableBytes(record_);
  record_.set_allocated_assignment(assignment.release());
  record_.set_assigned(assigned);
  return bytes;
}

absl::Status PodWorker::Keep() {
  std::string now = OwnBytes();
  if (now != kept_) {
    RETURN_IF_ERROR(world_->records->Put(record_));
    kept_ = std::move(now);
    snapshot_stale_ = true;
  }
  if (!snapshot_stale_) return absl::OkStatus();
  MutexLock lock(&mutex_);
  snapshot_ = record_;
  snapshot_stale_ = false;
  return absl::OkStatus();
}

void PodWorker::Publish(const Moment& now) {
  if (!record_.assigned()) return;
  v1::PodStatusUpdate update;
  update.set_uid(record_.uid());
  update.set_namespace_(record_.assignment().pod().metadata().namespace_());
  update.set_name(record_.assignment().pod().metadata().name());
  update.set_epoch(record_.assignment().epoch());
  update.set_gone(record_.gone());
  *update.mutable_status() = StatusOf(hurdles_, world_->host_ip, now, &record_);
  std::string text = StableBytes(update);
  if (text == published_) return;
  published_ = std::move(text);
  world_->publish(std::move(update));
}

absl::StatusOr<ContainerSpec> PodWorker::SpecOf(const v1::Container& container,
                                                std::string* image_id,
                                                std::string* stop_signal) const {
  ASSIGN_OR_RETURN(const ImageRecord image, world_->find_image(container.image()));
  *image_id = image.digest;
  *stop_signal = image.config.stop_signal;
  const v1::ContainerRecord* known = FindContainer(record_, container.name());
  v1::Container granted = container;
  if (known->has_granted()) *granted.mutable_resources() = known->granted();
  ASSIGN_OR_RETURN(ContainerSpec spec,
                   ContainerSpecOf(record_.assignment(), granted, known->attempt(), image,
                                   ContextOf(), world_->node_memory));
  spec.pid_namespace_of = TargetOf(record_, container.name());
  return spec;
}

NodeContext PodWorker::ContextOf() const {
  const v1::Pod& pod = record_.assignment().pod();
  const bool links = !pod.spec().has_enable_service_links() || pod.spec().enable_service_links();
  return {world_->node_name,
          world_->host_ip,
          record_.pod_ip(),
          world_->allocatable,
          world_->services == nullptr || !links ? std::vector<v1::ServiceRoute>()
                                                : world_->services->In(pod.metadata().namespace_()),
          world_->cluster_domain};
}

void PodWorker::RefreshVolumes() {
  if (!volumes_stale_ || IsEnding(record_) || IsTerminal(record_.phase())) return;
  const auto& containers = record_.containers();
  if (std::none_of(containers.begin(), containers.end(), [](const v1::ContainerRecord& container) {
        return StageOf(container) == Stage::kRunning;
      })) {
    return;  // a start brings them up to date
  }
  auto volumes = PlanVolumes(record_.assignment(), ContextOf());
  // Something is missing now: running containers keep what they have.
  absl::Status status =
      volumes.ok() ? world_->runtime->UpdateVolumes(record_.uid(), *volumes) : volumes.status();
  volumes_stale_ = volumes.ok() && !status.ok();
  const std::string trouble(status.message());
  if (!status.ok() && trouble != volume_trouble_) {
    Emit("Warning", "FailedMount", absl::StrCat("volumes keep their old files: ", trouble), "");
  }
  volume_trouble_ = trouble;
}

void PodWorker::CheckConfiguration() {
  if (IsEnding(record_) || IsFinishing(record_)) return;
  for (const v1::ContainerRecord& known : record_.containers()) {
    if (StageOf(known) == Stage::kRunning) continue;
    if (StageOf(known) == Stage::kTerminated && !WantsRestart(record_, known)) continue;
    const std::optional<v1::Container> container = ContainerToRun(record_, known.name());
    if (!container.has_value()) continue;
    std::string image_id;
    std::string stop_signal;
    const absl::Status status = SpecOf(*container, &image_id, &stop_signal).status();
    const auto standing = hurdles_.containers.find(known.name());
    const bool config_hurdle = standing != hurdles_.containers.end() &&
                               standing->second.retry_at == absl::InfiniteDuration();
    if (status.ok()) {
      // One with a time belongs to a start that failed; the next start that succeeds takes it away.
      if (config_hurdle) hurdles_.containers.erase(standing);
      continue;
    }
    Hurdle hurdle;
    hurdle.reason = absl::IsNotFound(status) ? "ImageNotPresent" : "CreateContainerConfigError";
    hurdle.message = std::string(status.message());
    const bool told =
        standing != hurdles_.containers.end() && standing->second.message == hurdle.message;
    if (!told) Emit("Warning", "Failed", hurdle.message, known.name());
    hurdles_.containers[known.name()] = std::move(hurdle);
  }
}

absl::Duration PodWorker::Round() {
  const Moment now = world_->Now();
  TakeNews(now);
  MindLease(now);
  absl::StatusOr<Observed> observed = Observe();
  if (!observed.ok()) {
    LOG_WARN("pod {}: cannot look at it: {}", record_.uid(), observed.status().ToString());
    return now.monotonic + absl::Seconds(1);
  }
  ObserveHooks(&*observed);
  AdmitResize(now);
  Absorb(*observed, now, &record_);
  CheckConfiguration();
  RefreshVolumes();
  const Decision decision = Decide(record_, *observed, hurdles_, now);
  // Set the conditions before the record is written, so that it is written once.
  (void)StatusOf(hurdles_, world_->host_ip, now, &record_);
  const absl::Status kept = Keep();
  if (!kept.ok()) {
    LOG_ERROR("pod {}: nothing is done until its state can be kept: {}", record_.uid(),
              kept.ToString());
    return now.monotonic + absl::Seconds(1);
  }
  for (const v1::ContainerRecord& container : record_.containers()) {
    ReportStop(container);
    ReportEnd(container);
  }
  WatchHealth();
  Publish(now);
  if (record_.gone()) {
    Forget();
    return absl::InfiniteDuration();
  }
  // Before a container starts: its limit has to fit into its pod's.
  if (ResizeIsDue(now)) {
    Resize(now);
    return now.monotonic;
  }
  if (decision.verb == Verb::kNone) {
    return std::min({decision.look_again_at, now.monotonic + world_->period, NextLeaseLook()});
  }
  Do(decision, now);
  return now.monotonic;
}

void PodWorker::Forget() {
  if (record_.assigned()) return;
  v1::NodeStateChange change;
  change.add_erased(record_.uid());
  const absl::Status erased = world_->records->Commit(std::move(change));
  if (!erased.ok()) LOG_WARN("pod {}: cannot forget it: {}", record_.uid(), erased.ToString());
  MutexLock lock(&mutex_);
  finished_ = !news_.has_value();
}

void PodWorker::Do(const Decision& decision, const Moment& now) {
  switch (decision.verb) {
    case Verb::kNone:
      return;
    case Verb::kPrepareSandbox:
      return PrepareSandbox(now);
    case Verb::kStartContainer:
      return StartContainer(decision.container, now);
    case Verb::kRunHook:
      return RunHook(decision);
    case Verb::kSignal:
      return SignalContainer(decision.container, decision.signal, now);
    case Verb::kKill:
      return KillContainer(decision.container, now);
    case Verb::kRelease:
      return Release(now);
    case Verb::kRemove:
      return Remove(now);
  }
}

Hurdle PodWorker::RetryLater(const std::string& what, std::string reason, std::string message,
                             const Moment& now) {
  const int tries = tries_[what]++;
  absl::Duration wait = kFirstRetry;
  for (int i = 0; i < tries && wait < kLongestRetry; ++i) wait *= 2;
  Hurdle hurdle;
  hurdle.reason = std::move(reason);
  hurdle.message = std::move(message);
  hurdle.retry_at = now.monotonic + std::min(wait, kLongestRetry);
  return hurdle;
}

void PodWorker::PrepareSandbox(const Moment& now) {
  v1::Pod pod = record_.assignment().pod();
  *pod.mutable_spec() = GrantedSpec(record_);
  absl::StatusOr<SandboxSpec> spec =
      SandboxSpecOf(pod, {world_->resolv_conf(), world_->name_server(), world_->cluster_domain});
  if (spec.ok() && ExistsOnce(record_)) spec->lease_file = world_->lease_file;
  absl::StatusOr<SandboxState> state =
      spec.ok() ? world_->runtime->PrepareSandbox(*spec) : spec.status();
  if (state.ok()) {
    sandbox_ = *std::move(state);
    if (sandbox_->made_ns != record_.sandbox()) NoteSandbox(&record_);
    hurdles_.sandbox.reset();
    tries_.erase(kPreparing);
    return;
  }
  const std::string message = absl::StrCat(
      "the pod's sandbox cannot be made: ", state.status().message(), "; it is tried again");
  if (!hurdles_.sandbox || hurdles_.sandbox->message != message) {
    Emit("Warning", "FailedCreatePodSandBox", message, "");
  }
  hurdles_.sandbox = RetryLater(kPreparing, "ContainerCreating", message, now);
}

void PodWorker::StartContainer(const std::string& name, const Moment& now) {
  const std::optional<v1::Container> container = ContainerToRun(record_, name);
  BeginStart(name, &record_);
  NoteStarted(name, &record_);
  v1::ContainerRecord* known = MutableContainer(name, &record_);
  std::string image_id;
  std::string stop_signal;
  absl::StatusOr<ContainerSpec> spec = SpecOf(*container, &image_id, &stop_signal);
  known->set_image_id(image_id);
  if (!container->lifecycle().stop_signal().empty()) {
    stop_signal = container->lifecycle().stop_signal();
  }
  known->set_stop_signal(SignalNumber(stop_signal).value_or(0));
  absl::Status status = spec.status();
  if (status.ok()) status = TakeClaims();
  if (status.ok()) status = Keep();
  absl::StatusOr<ContainerState> state =
      status.ok() ? world_->runtime->StartContainer(*spec) : status;
  if (state.ok()) {
    hurdles_.containers.erase(name);
    tries_.erase(name);
    if (state->message.empty()) Emit("Normal", "Started", "Started container " + name, name);
    return;
  }
  // Perhaps the sandbox is what is broken: make sure of it before the next try.
  sandbox_.reset();
  const std::string reason =
      IsPermanent(state.status()) ? "CreateContainerError" : "RunContainerError";
  const std::string message =
      absl::StrCat("the container cannot be started: ", state.status().message());
  const auto standing = hurdles_.containers.find(name);
  if (standing == hurdles_.containers.end() || standing->second.message != message) {
    Emit("Warning", "Failed", message, name);
  }
  hurdles_.containers[name] = RetryLater(name, reason, message, now);
}

absl::Status PodWorker::TakeClaims() {
  const std::vector<std::string> claims = OnePodClaimsOf(record_.assignment());
  if (claims.empty() || !world_->take_claims) return absl::OkStatus();
  return world_->take_claims(record_.uid(), claims);
}

void PodWorker::SignalContainer(const std::string& name, int signal, const Moment& now) {
  v1::ContainerRecord* known = MutableContainer(name, &record_);
  const absl::Status status =
      world_->runtime->Signal({record_.uid(), name, known->attempt()}, signal);
  if (!status.ok()) {
    LOG_WARN("pod {}: signal {} to container {}: {}", record_.uid(), signal, name,
             status.ToString());
  }
  // Also after a failure: SIGKILL follows when grace is over, whatever happened to this one.
  known->set_stop_signalled(true);
  known->set_signalled_ns(absl::ToInt64Nanoseconds(now.monotonic));
}

void PodWorker::KillContainer(const std::string& name, const Moment& now) {
  hurdles_.killed_at[name] = now.monotonic;
  const absl::Status status =
      world_->runtime->Kill({record_.uid(), name, FindContainer(record_, name)->attempt()});
  if (!status.ok()) {
    LOG_WARN("pod {}: kill container {}: {}", record_.uid(), name, status.ToString());
  }
}

void PodWorker::Release(const Moment& now) {
  const absl::Status status = world_->runtime->Release(record_.uid());
  if (status.ok()) {
    record_.set_released(true);
    hurdles_.removal.reset();
    tries_.erase(kRemoving);
    sandbox_.reset();
    return;
  }
  hurdles_.removal = RetryLater(
      kRemoving, "Removing",
      absl::StrCat("what the pod holds cannot be taken back yet: ", status.message()), now);
}

void PodWorker::Remove(const Moment& now) {
  const absl::Status status = world_->runtime->Remove(record_.uid());
  if (status.ok()) {
    record_.set_gone(true);
    hurdles_ = Hurdles();
    sandbox_.reset();
    return;
  }
  hurdles_.removal = RetryLater(
      kRemoving, "Removing",
      absl::StrCat("what is left of the pod cannot be removed yet: ", status.message()), now);
}

}  // namespace cluster::node
