#include "tests/sim/node.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"

#include "base/file.h"

namespace cluster::sim {
namespace {

v1::Node FactsOf(const std::string& name, int number) {
  v1::Node node;
  node.mutable_metadata()->set_name(name);
  (*node.mutable_metadata()->mutable_labels())["zone"] = absl::StrCat("z", number % 3);
  (*node.mutable_metadata()->mutable_labels())["kubernetes.io/hostname"] = name;
  v1::NodeStatus* status = node.mutable_status();
  for (auto* amounts : {status->mutable_capacity(), status->mutable_allocatable()}) {
    (*amounts)["cpu"] = "4";
    (*amounts)["memory"] = "8Gi";
    (*amounts)["pods"] = "110";
  }
  v1::NodeAddress* address = status->add_addresses();
  address->set_type("InternalIP");
  address->set_address(absl::StrCat("10.1.0.", number + 1));
  return node;
}

}  // namespace

Node::Node(std::string name, int number, double rate, NodeParts parts)
    : name_(std::move(name)),
      parts_(std::move(parts)),
      directory_(absl::StrCat(parts_.directory, "/", name_)),
      clock_(parts_.time, rate),
      machine_(name_, parts_.time, &clock_, parts_.random, parts_.tell),
      facts_(FactsOf(name_, number)) {
  PowerOn();
}

Node::~Node() { Destroy(true); }

void Node::PowerOn() {
  if (powered_) return;
  powered_ = true;
  ++boots_;
  if (boots_ > 1) clock_.Reboot();
  const std::string old = absl::StrCat(parts_.directory, "/", name_, "-lease-", boots_ - 1);
  unlink(old.c_str());
  machine_.SetLeaseFile(absl::StrCat(parts_.directory, "/", name_, "-lease-", boots_));
}

void Node::PowerOff() {
  if (!powered_) return;
  Destroy(true);
  powered_ = false;
  machine_.PowerOff();
}

void Node::StartAgent() {
  if (!powered_ || agent_ != nullptr) return;
  crash_in_ = 0;
  Process* const process = processes_
                               .emplace_back(std::make_unique<Process>(
                                   parts_.time, &clock_, parts_.random, parts_.latency))
                               .get();
  AgentOptions options;
  options.name = name_;
  options.boot_id = absl::StrCat("boot-", name_, "-", boots_);
  options.directory = directory_;
  options.lease_file = absl::StrCat(parts_.directory, "/", name_, "-lease-", boots_);
  options.facts = facts_;
  options.period = parts_.period;
  auto agent = Agent::Start(std::move(options), process, parts_.time, &clock_, parts_.random,
                            &machine_, parts_.network, [this] { Step(); });
  if (!agent.ok()) {
    return parts_.fail(
        absl::StrCat("the agent of ", name_, " does not start: ", agent.status().ToString()));
  }
  agent_ = std::move(agent).value();
}

void Node::Step() {
  if (crash_in_ == 0 || --crash_in_ > 0 || agent_ == nullptr) return;
  processes_.back()->Die();
  KeepDisk();
}

void Node::Reap() {
  if (agent_ == nullptr || processes_.back()->alive()) return;
  Destroy(false);
}

void Node::CrashAgent() {
  if (agent_ == nullptr) return;
  KeepDisk();
  Destroy(false);
}

void Node::Destroy(bool silently) {
  if (agent_ == nullptr) return;
  Process* const process = processes_.back().get();
  process->Die();
  parts_.network->NodeGone(process, silently);
  process->Bury();
  agent_.reset();
  process->Die();
  RestoreDisk();
}

void Node::PauseAgent(Nanos how_long) {
  if (agent_ != nullptr) processes_.back()->Pause(parts_.time->now() + how_long);
}

// An agent that was killed in the middle of a task goes on to the end of it, without effect: what
// it wrote since is taken back.
void Node::KeepDisk() { disk_ = ReadFile(StateFile(), size_t{1} << 30).value_or(""); }

// A write that was under way may have left a part of itself at the end of the file.
void Node::RestoreDisk() {
  if (disk_.empty()) return;
  std::string content = std::exchange(disk_, "");
  if (parts_.random->Chance(0.5)) {
    // The length of a frame, more than what follows.
    content.append("\x40\x01\x00\x00", 4);
    const uint64_t more = parts_.random->Below(60);
    for (uint64_t i = 0; i < more; ++i) {
      content += static_cast<char>(parts_.random->Below(256));
    }
  }
  const int fd = open(StateFile().c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
  const UniqueFd file(fd);
  if (!file.valid() || !WriteAll(file.get(), content).ok()) {
    parts_.fail(absl::StrCat("the simulation cannot write ", StateFile()));
  }
}

}  // namespace cluster::sim
