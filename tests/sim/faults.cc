#include "tests/sim/faults.h"

#include <map>
#include <utility>

namespace cluster::sim {

void Faults::Do(ActionKind kind, Random* random) {
  static const std::map<ActionKind, void (Faults::*)(Random*)> kHow = {
      {ActionKind::kPartition, &Faults::Partition},
      {ActionKind::kBadNetwork, &Faults::BadNetwork},
      {ActionKind::kCrashAgent, &Faults::CrashAgent},
      {ActionKind::kCrashAgentAtStep, &Faults::CrashAgentAtStep},
      {ActionKind::kPauseAgent, &Faults::PauseAgent},
      {ActionKind::kPowerCut, &Faults::PowerCut},
      {ActionKind::kCrashController, &Faults::CrashController},
      {ActionKind::kCrashControllerAtStep, &Faults::CrashControllerAtStep},
      {ActionKind::kPauseController, &Faults::PauseController},
      {ActionKind::kBadStore, &Faults::BadStore},
      {ActionKind::kClockStep, &Faults::ClockStep},
      {ActionKind::kContainerEnds, &Faults::ContainerEnds},
      {ActionKind::kBadMachine, &Faults::BadMachine},
      {ActionKind::kMassLoss, &Faults::MassLoss},
  };
  (this->*kHow.at(kind))(random);
}

void Faults::After(Nanos wait, std::function<void()> task) {
  world_->time()->At(world_->now() + wait, nullptr, std::move(task));
}

Node* Faults::AnyNode(Random* random) {
  return world_->nodes()[random->Below(world_->nodes().size())].get();
}

void Faults::CrashAgent(Random* random) {
  Node* const node = AnyNode(random);
  node->CrashAgent();
  StartAgentLater(node, random);
}

void Faults::CrashAgentAtStep(Random* random) {
  Node* const node = AnyNode(random);
  node->CrashAgentAt(static_cast<int>(random->Between(1, 40)));
  StartAgentLater(node, random);
}

void Faults::PauseAgent(Random* random) {
  AnyNode(random)->PauseAgent(random->Between(kSecond, 2 * kMinute));
}

void Faults::CrashController(Random* random) {
  world_->CrashController();
  StartControllerLater(random);
}

void Faults::CrashControllerAtStep(Random* random) {
  world_->CrashControllerAt(static_cast<int>(random->Between(1, 60)));
  StartControllerLater(random);
}

void Faults::PauseController(Random* random) {
  world_->PauseController(random->Between(kSecond, 2 * kMinute));
}

// Mostly at once, sometimes after the leases of all nodes.
void Faults::StartControllerLater(Random* random) {
  const Nanos most = random->Chance(0.7) ? 5 * kSecond : 3 * kMinute;
  // Again later on: one that is to die at a step may do so after the first of these.
  for (const Nanos wait : {random->Between(100 * kMillisecond, most), 3 * kMinute}) {
    After(wait, [this] { world_->StartController(); });
  }
}

void Faults::StartAgentLater(Node* node, Random* random) {
  const Nanos most = random->Chance(0.7) ? 5 * kSecond : 3 * kMinute;
  for (const Nanos wait : {random->Between(100 * kMillisecond, most), 3 * kMinute}) {
    After(wait, [node] { node->StartAgent(); });
  }
}

void Faults::Partition(Random* random) {
  const auto ways = random->Below(4);  // mostly both
  const bool up = ways == 1;
  const bool down = ways == 2;
  const double share = random->Pick<double>({0, 0, 0.3, 1});
  const Nanos length = random->Between(kSecond, 5 * kMinute);
  // A way often is bad for a while before it fails.
  const Nanos slow = random->Chance(0.5) ? random->Between(20 * kSecond, kMinute) : 0;
  const Nanos delay = random->Pick<Nanos>({10 * kSecond, 40 * kSecond});
  std::vector<std::string> names = {AnyNode(random)->name()};
  for (const auto& node : world_->nodes()) {
    if (random->Chance(share)) names.push_back(node->name());
  }
  for (const std::string& name : names) {
    // Links go and come back one by one.
    if (slow > 0) world_->network()->link(name)->delay = delay;
    After(slow + random->Between(0, 2 * kSecond),
          [this, name, up, down] { world_->network()->SetLink(name, up, down); });
    After(slow + length + random->Between(2 * kSecond, 10 * kSecond), [this, name, slow] {
      if (slow > 0) world_->network()->link(name)->delay = Link().delay;
      world_->network()->SetLink(name, true, true);
    });
  }
}

void Faults::BadNetwork(Random* random) {
  Link bad;
  bad.delay = random->Pick<Nanos>({20 * kMillisecond, 500 * kMillisecond, 6 * kSecond});
  bad.loss = random->Pick<double>({0, 0.05, 0.2, 0.5});
  const bool everywhere = random->Chance(0.3);
  std::vector<std::string> names = {AnyNode(random)->name()};
  for (const auto& node : world_->nodes()) {
    if (everywhere) names.push_back(node->name());
  }
  const auto set = [this, names](Nanos delay, double loss) {
    for (const std::string& name : names) {
      world_->network()->link(name)->delay = delay;
      world_->network()->link(name)->loss = loss;
    }
  };
  set(bad.delay, bad.loss);
  After(random->Between(10 * kSecond, 4 * kMinute), [set] { set(Link().delay, Link().loss); });
}

void Faults::PowerCut(Random* random) {
  std::vector<Node*> nodes = {AnyNode(random)};
  if (random->Chance(0.2)) nodes.push_back(AnyNode(random));
  for (Node* const node : nodes) {
    node->PowerOff();
    const Nanos off = random->Between(kSecond, 5 * kMinute);
    After(off, [node] { node->PowerOn(); });
    After(off + random->Between(0, 5 * kSecond), [node] { node->StartAgent(); });
  }
}

void Faults::BadStore(Random* random) {
  StoreWeather* const weather = world_->store_weather();
  switch (random->Below(4)) {
    case 0:
      weather->commit = random->Pick<Nanos>({100 * kMillisecond, 5 * kSecond});
      weather->answer = random->Pick<Nanos>({kMillisecond, 2 * kSecond});
      weather->delivery = random->Pick<Nanos>({kMillisecond, 2 * kSecond});
      break;
    case 1:
      weather->unavailable = random->Pick<double>({0.05, 0.3});
      break;
    case 2:
      weather->unknown = random->Pick<double>({0.05, 0.3});
      break;
    default:
      weather->full = true;
  }
  After(random->Between(5 * kSecond, 3 * kMinute),
        [this] { *world_->store_weather() = world_->climate().store; });
}

void Faults::ClockStep(Random* random) {
  HostClock* const clock =
      random->Chance(0.5) ? world_->controller_clock() : AnyNode(random)->clock();
  const absl::Duration most =
      random->Pick<absl::Duration>({absl::Seconds(5), absl::Minutes(10), absl::Hours(2)});
  clock->Jump(random->Between(-most, most));
}

void Faults::ContainerEnds(Random* random) {
  Machine* const machine = AnyNode(random)->machine();
  std::vector<std::pair<std::string, std::string>> ids;
  for (const auto& [id, running] : machine->running()) ids.push_back(id);
  if (ids.empty()) return;
  const auto& id = random->Pick(ids);
  machine->Exit(id.first, id.second, random->Pick<int>({0, 1, 137}));
}

void Faults::BadMachine(Random* random) {
  MachineWeather* const weather = AnyNode(random)->machine()->weather();
  weather->verb_fails = random->Pick<double>({0, 0.1, 0.5});
  weather->stop = random->Pick<Nanos>({kSecond, 10 * kSecond});
  weather->stubborn = random->Chance(0.3);
  After(random->Between(10 * kSecond, 4 * kMinute), [weather] { *weather = MachineWeather(); });
}

// Very many at once: their power, or the way to them.
void Faults::MassLoss(Random* random) {
  const double share = random->Pick<double>({0.3, 0.5, 0.8, 1});
  const bool power = random->Chance(0.4);
  const Nanos length = random->Between(kMinute, 6 * kMinute);
  for (const auto& node : world_->nodes()) {
    if (!random->Chance(share)) continue;
    const std::string& name = node->name();
    const Nanos begin = random->Between(0, 5 * kSecond);
    const Nanos end = length + random->Between(0, 20 * kSecond);
    if (power) {
      After(begin, [node = node.get()] { node->PowerOff(); });
      After(end, [node = node.get()] {
        node->PowerOn();
        node->StartAgent();
      });
    } else {
      After(begin, [this, name] { world_->network()->SetLink(name, false, false); });
      After(end, [this, name] { world_->network()->SetLink(name, true, true); });
    }
  }
}

}  // namespace cluster::sim
