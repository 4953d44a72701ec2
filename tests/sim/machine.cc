#include "tests/sim/machine.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/status.h"
#include "base/unique_handle.h"
#include "tests/sim/manifests.h"

namespace cluster::sim {
namespace {

constexpr int kKilled = 128 + SIGKILL;
// Instead of the life of a cluster-init: it has seen the lease end, and starts nothing any more.
constexpr int64_t kFenced = -1;

// A variable of its environment; "" where it is not there.
std::string TextOf(const node::ContainerSpec& spec, absl::string_view name) {
  for (const std::string& each : spec.env) {
    absl::string_view text = each;
    if (absl::ConsumePrefix(&text, name) && absl::ConsumePrefix(&text, "=")) {
      return std::string(text);
    }
  }
  return "";
}

// A number that the pod's template asks of its container: "RUN=20".
int64_t Asked(const node::ContainerSpec& spec, absl::string_view name, int64_t otherwise) {
  int64_t value = 0;
  return absl::SimpleAtoi(TextOf(spec, name), &value) ? value : otherwise;
}

}  // namespace

// An agent's hold on the machine: no more once the agent is dead.
class MachineRuntime : public node::Runtime {
 public:
  MachineRuntime(Machine* machine, Process* process, std::function<void()> step)
      : machine_(machine), process_(process), step_(std::move(step)), fake_(&machine->fake_) {}

  void SetListener(std::function<void(const std::string&)> listener) override {
    fake_.SetListener(std::move(listener));
  }
  absl::StatusOr<node::SandboxState> PrepareSandbox(const node::SandboxSpec& spec) override {
    RETURN_IF_ERROR(Enter());
    auto state = fake_.PrepareSandbox(spec);
    if (state.ok() && !spec.lease_file.empty() && !machine_->fences_.contains(spec.uid)) {
      const int64_t life = ++machine_->last_number_;
      machine_->fences_[spec.uid] = life;
      machine_->Fence(spec.uid, life);
    }
    return Leave(std::move(state));
  }
  absl::StatusOr<node::ContainerState> StartContainer(const node::ContainerSpec& spec) override {
    RETURN_IF_ERROR(Enter());
    const bool runs = machine_->running_.contains({spec.pod_uid, spec.name});
    const node::SandboxSpec sandbox = machine_->fake_.LastSandboxSpec(spec.pod_uid);
    // cluster-init starts nothing in a pod whose lease is over.
    if (!sandbox.lease_file.empty() && machine_->IsFenced(spec.pod_uid)) {
      return absl::UnavailableError("the node's lease is over");
    }
    auto state = fake_.StartContainer(spec);
    const bool started = state.ok() && !runs && state->phase == node::ContainerPhase::kRunning &&
                         state->attempt == spec.attempt;
    if (started) machine_->Started(spec, sandbox);
    return Leave(std::move(state));
  }
  absl::Status UpdateVolumes(const std::string& uid,
                             const std::vector<node::VolumeSpec>& volumes) override {
    RETURN_IF_ERROR(Enter());
    return Leave(fake_.UpdateVolumes(uid, volumes));
  }
  absl::StatusOr<std::vector<std::string>> ListClaims() override { return fake_.ListClaims(); }
  absl::Status RemoveClaim(const std::string& name) override {
    RETURN_IF_ERROR(Enter());
    return Leave(fake_.RemoveClaim(name));
  }
  absl::Status Signal(const node::ContainerId& id, int signal) override {
    RETURN_IF_ERROR(Enter());
    machine_->Obey(id.pod_uid, id.name, signal);
    return Leave(absl::OkStatus());
  }
  absl::Status Kill(const node::ContainerId& id) override {
    RETURN_IF_ERROR(Enter());
    machine_->End(id.pod_uid, id.name, kKilled, EndCause::kKill);
    return Leave(absl::OkStatus());
  }
  absl::Status Resize(const node::ResizeSpec& spec) override {
    RETURN_IF_ERROR(Enter());
    return Leave(fake_.Resize(spec));
  }
  absl::StatusOr<std::vector<node::ContainerState>> Poll(const std::string& uid) override {
    return fake_.Poll(uid);
  }
  absl::StatusOr<node::PodConnection> Dial(const std::string&, uint16_t) override {
    return absl::UnimplementedError("the simulation dials nobody");
  }
  absl::StatusOr<std::unique_ptr<node::ExecProcess>> Exec(const node::ExecSpec&) override {
    return absl::UnimplementedError("nothing is executed in a simulated container");
  }
  absl::StatusOr<std::unique_ptr<node::ExecProcess>> Attach(const node::AttachSpec&) override {
    return absl::UnimplementedError("nobody attaches to a simulated container");
  }
  std::string LogDirectory(const std::string&, const std::string&) override { return "/absent"; }
  absl::Status Release(const std::string& uid) override {
    RETURN_IF_ERROR(Enter());
    machine_->EndPod(uid, EndCause::kRemoved);
    machine_->fences_.erase(uid);
    return Leave(fake_.Release(uid));
  }
  absl::Status Remove(const std::string& uid) override {
    RETURN_IF_ERROR(Enter());
    machine_->EndPod(uid, EndCause::kRemoved);
    machine_->fences_.erase(uid);
    return Leave(fake_.Remove(uid));
  }
  absl::StatusOr<std::vector<node::RecoveredPod>> Recover() override { return fake_.Recover(); }

 private:
  static absl::Status Dead() { return absl::UnavailableError("the agent is dead"); }
  absl::Status Enter() {
    if (process_->alive()) step_();
    if (!process_->alive()) return Dead();
    if (machine_->weather_.verb_fails > 0 &&
        machine_->random_->Chance(machine_->weather_.verb_fails)) {
      return absl::UnavailableError("the kernel refuses");
    }
    return absl::OkStatus();
  }
  template <typename Result>
  Result Leave(Result result) {
    step_();
    return process_->alive() ? std::move(result) : Result(Dead());
  }

  Machine* const machine_;
  Process* const process_;
  const std::function<void()> step_;
  node::FakeRuntime fake_;
};

Machine::Machine(std::string node, Timeline* time, HostClock* clock, Random* random,
                 std::function<void(const ContainerFact&)> tell)
    : node_(std::move(node)),
      time_(time),
      clock_(clock),
      random_(random),
      tell_(std::move(tell)),
      fake_(clock, "/absent") {}

std::unique_ptr<node::Runtime> Machine::RuntimeFor(Process* process, std::function<void()> step) {
  return std::make_unique<MachineRuntime>(this, process, std::move(step));
}

void Machine::Started(const node::ContainerSpec& spec, const node::SandboxSpec& sandbox) {
  Running& now = running_[{spec.pod_uid, spec.name}];
  now.number = ++last_number_;
  now.stopping = false;
  now.fact = {node_,
              spec.pod_uid,
              sandbox.name_space,
              sandbox.name,
              spec.name,
              spec.attempt,
              !sandbox.lease_file.empty(),
              TextOf(spec, kSetting),
              true,
              0,
              EndCause::kItself};
  tell_(now.fact);
  Behave(spec, now.number);
}

// Runs for so many seconds and ends with this code, or for ever.
void Machine::Behave(const node::ContainerSpec& spec, int64_t number) {
  const int64_t seconds = Asked(spec, "RUN", -1);
  if (seconds < 0) return;
  const int64_t fails = Asked(spec, "FAILS", 0);  // percent
  const int code = static_cast<int64_t>(random_->Below(100)) < fails ? 1 : 0;
  const Nanos run = seconds * kSecond + static_cast<Nanos>(random_->Below(kSecond));
  time_->At(time_->now() + run, nullptr,
            [this, uid = spec.pod_uid, name = spec.name, number, code] {
              const auto found = running_.find({uid, name});
              if (found == running_.end() || found->second.number != number) return;
              Exit(uid, name, code);
            });
}

void Machine::Obey(const std::string& uid, const std::string& container, int signal) {
  if (signal == SIGKILL) {
    End(uid, container, kKilled, EndCause::kSignal);
    return;
  }
  const auto found = running_.find({uid, container});
  if (found == running_.end() || weather_.stubborn || found->second.stopping) return;
  found->second.stopping = true;
  const Nanos wait = static_cast<Nanos>(random_->Below(static_cast<uint64_t>(weather_.stop) + 1));
  time_->At(time_->now() + wait, nullptr,
            [this, uid, container, signal, number = found->second.number] {
              const auto still = running_.find({uid, container});
              if (still == running_.end() || still->second.number != number) return;
              End(uid, container, 128 + signal, EndCause::kSignal);
            });
}

bool Machine::Exit(const std::string& uid, const std::string& container, int code) {
  return End(uid, container, code, EndCause::kItself);
}

bool Machine::End(const std::string& uid, const std::string& container, int code, EndCause cause) {
  const auto found = running_.find({uid, container});
  if (found == running_.end()) return false;
  ContainerFact fact = std::move(found->second.fact);
  running_.erase(found);
  fact.started = false;
  fact.exit_code = code;
  fact.cause = cause;
  ends_[{uid, container, fact.attempt}] = {code, cause};
  fake_.Exit(uid, container, code);
  tell_(fact);
  return true;
}

void Machine::EndPod(const std::string& uid, EndCause cause) {
  std::vector<std::string> names;
  for (auto it = running_.lower_bound({uid, ""}); it != running_.end(); ++it) {
    if (it->first.first != uid) break;
    names.push_back(it->first.second);
  }
  for (const std::string& name : names) End(uid, name, kKilled, cause);
}

void Machine::PowerOff() {
  routes_ = {};
  std::vector<Running> all;
  for (const auto& [key, running] : running_) all.push_back(running);
  running_.clear();
  fences_.clear();
  fake_.PowerCycle();
  for (Running& each : all) {
    each.fact.started = false;
    each.fact.cause = EndCause::kPower;
    ends_[{each.fact.uid, each.fact.container, each.fact.attempt}] = {0, EndCause::kPower};
    tell_(each.fact);
  }
}

int64_t Machine::LeaseEndNanos() const {
  const UniqueFd file(open(lease_file_.c_str(), O_RDONLY | O_CLOEXEC));
  int64_t content[2] = {0, 0};
  if (!file.valid() || pread(file.get(), content, sizeof content, 0) != sizeof content) return 0;
  return content[1] == ~content[0] ? content[0] : 0;
}

void Machine::Fence(const std::string& uid, int64_t life) {
  const auto found = fences_.find(uid);
  if (found == fences_.end() || found->second != life) return;
  const absl::Duration end = absl::Nanoseconds(LeaseEndNanos());
  if (end <= clock_->Monotonic()) {
    found->second = kFenced;
    return EndPod(uid, EndCause::kFence);
  }
  time_->At(clock_->When(end), nullptr, [this, uid, life] { Fence(uid, life); });
}

bool Machine::IsFenced(const std::string& uid) const {
  const auto found = fences_.find(uid);
  return (found != fences_.end() && found->second == kFenced) ||
         absl::Nanoseconds(LeaseEndNanos()) <= clock_->Monotonic();
}

const Machine::Truth* Machine::FindEnd(const std::string& uid, const std::string& container,
                                       int attempt) const {
  const auto found = ends_.find({uid, container, attempt});
  return found == ends_.end() ? nullptr : &found->second;
}

}  // namespace cluster::sim
