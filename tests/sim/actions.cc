#include "tests/sim/actions.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"

#include "tests/sim/manifests.h"

namespace cluster::sim {
namespace {

std::vector<std::string> NamesOf(const View& view, v1::Object::ObjectCase kind) {
  std::vector<std::string> names;
  for (const auto& [key, entry] : view.All(kind)) names.push_back(Meta(entry->object).name());
  return names;
}

}  // namespace

void Actions::Do(const Action& action) {
  static const std::map<ActionKind, void (Actions::*)(Random*)> kHow = {
      {ActionKind::kApplyDeployment, &Actions::ApplyDeployment},
      {ActionKind::kApplyStatefulSet, &Actions::ApplyStatefulSet},
      {ActionKind::kApplyDaemonSet, &Actions::ApplyDaemonSet},
      {ActionKind::kApplyJob, &Actions::ApplyJob},
      {ActionKind::kApplyCronJob, &Actions::ApplyCronJob},
      {ActionKind::kApplyBudget, &Actions::ApplyBudget},
      {ActionKind::kScale, &Actions::Scale},
      {ActionKind::kUndo, &Actions::Undo},
      {ActionKind::kDeleteWorkload, &Actions::DeleteWorkload},
      {ActionKind::kDeletePod, &Actions::DeletePod},
      {ActionKind::kEvictPod, &Actions::EvictPods},
      {ActionKind::kDrain, &Actions::Drain},
      {ActionKind::kPartition, &Actions::Partition},
      {ActionKind::kBadNetwork, &Actions::BadNetwork},
      {ActionKind::kCrashAgent, &Actions::CrashAgent},
      {ActionKind::kCrashAgentAtStep, &Actions::CrashAgentAtStep},
      {ActionKind::kPauseAgent, &Actions::PauseAgent},
      {ActionKind::kPowerCut, &Actions::PowerCut},
      {ActionKind::kCrashController, &Actions::CrashController},
      {ActionKind::kCrashControllerAtStep, &Actions::CrashControllerAtStep},
      {ActionKind::kPauseController, &Actions::PauseController},
      {ActionKind::kBadStore, &Actions::BadStore},
      {ActionKind::kClockStep, &Actions::ClockStep},
      {ActionKind::kContainerEnds, &Actions::ContainerEnds},
      {ActionKind::kBadMachine, &Actions::BadMachine},
  };
  Random random(action.draw);
  world_->Tell(absl::StrCat("* ", NameOf(action.kind)));
  (this->*kHow.at(action.kind))(&random);
}

void Actions::After(Nanos wait, std::function<void()> task) {
  world_->time()->At(world_->now() + wait, nullptr, std::move(task));
}

Node* Actions::AnyNode(Random* random) {
  return world_->nodes()[random->Below(world_->nodes().size())].get();
}

std::string Actions::AnyPod(Random* random) {
  const auto names = NamesOf(world_->truth().view(), v1::Object::kPod);
  return names.empty() ? "" : random->Pick(names);
}

// ---- wishes

void Actions::ApplyDaemonSet(Random* /*random*/) {
  Template pods;
  pods.version = ++version_;
  users_.Apply(DaemonSetOf("every", pods));
}

void Actions::ApplyJob(Random* random) {
  Template pods;
  pods.run = static_cast<int>(random->Between(1, 40));
  pods.fails = random->Pick<int>({0, 0, 10, 30});
  const auto completions = static_cast<int>(random->Between(1, 5));
  const auto parallelism = static_cast<int>(random->Between(1, 3));
  users_.Apply(
      JobOf(absl::StrCat("job-", ++jobs_), completions, parallelism, random->Chance(0.5), pods));
}

// Some of its runs take longer than the time between two of them.
void Actions::ApplyCronJob(Random* random) {
  Schedule schedule;
  schedule.minutes = random->Pick<int>({1, 1, 2, 5});
  schedule.policy = random->Pick<v1::ConcurrencyPolicy>({v1::CONCURRENCY_POLICY_ALLOW,
                                                         v1::CONCURRENCY_POLICY_FORBID,
                                                         v1::CONCURRENCY_POLICY_REPLACE});
  schedule.deadline = random->Pick<int>({0, 0, 20});
  Template pods;
  pods.run = random->Pick<int>({1, 20, 100});
  pods.fails = random->Pick<int>({0, 0, 30});
  users_.Apply(CronJobOf(random->Pick<std::string>({"tick", "tock"}), schedule, pods));
}

void Actions::ApplyBudget(Random* random) {
  const std::string app = random->Pick<std::string>({"web", "shop", "db", "queue"});
  users_.Apply(BudgetOf(app, app, absl::StrCat(random->Between(1, 3))));
}

void Actions::Undo(Random* random) {
  users_.Undo("Deployment", random->Pick<std::string>({"web", "shop"}));
}

void Actions::DeletePod(Random* random) {
  const std::string pod = AnyPod(random);
  if (!pod.empty()) users_.Delete("Pod", pod);
}

// Several at once: a budget is for that.
void Actions::EvictPods(Random* random) {
  for (uint64_t count = 1 + random->Below(3); count > 0; --count) {
    const std::string pod = AnyPod(random);
    if (!pod.empty()) users_.Evict(pod);
  }
}

// A version that never serves.
void Actions::Spoil(Random* random, Template* pods) {
  if (random->Chance(0.5)) {
    pods->probed = true;
    pods->ready = false;
  } else {
    pods->run = static_cast<int>(random->Between(0, 5));
    pods->fails = 100;
  }
}

void Actions::ApplyDeployment(Random* random) {
  const std::string name = random->Pick<std::string>({"web", "shop", "big"});
  Template pods;
  pods.version = ++version_;
  pods.probed = random->Chance(0.8);
  pods.grace = static_cast<int>(random->Between(1, 20));
  // The last one fits nowhere.
  if (name == "big") pods.cpu = random->Pick<std::string>({"1500m", "2500m", "2500m", "9000m"});
  if (name != "big" && random->Chance(0.2)) Spoil(random, &pods);
  const auto strategy = random->Pick<std::pair<std::string, std::string>>(
      {{"1", "0"}, {"0", "1"}, {"25%", "25%"}, {"2", "1"}, {"50%", "0"}});
  users_.Apply(DeploymentOf(name, static_cast<int>(random->Between(1, 6)), strategy.first,
                            strategy.second, pods));
  if (random->Chance(0.6)) users_.Apply(ServiceOf(name));
}

void Actions::ApplyStatefulSet(Random* random) {
  const bool first = random->Chance(0.6);
  Template pods;
  pods.version = ++version_;
  pods.grace = static_cast<int>(random->Between(1, 10));
  // Each of them fails after a while, and is made anew.
  if (random->Chance(0.15)) pods.deadline = static_cast<int>(random->Between(20, 300));
  const auto replicas = static_cast<int>(random->Between(1, 4));
  users_.Apply(first ? StatefulSetOf("db", replicas, false, true, pods)
                     : StatefulSetOf("queue", replicas, true, false, pods));
  if (random->Chance(0.6)) users_.Apply(ServiceOf(first ? "db" : "queue"));
}

void Actions::Scale(Random* random) {
  const bool stateful = random->Chance(0.35);
  const std::string name = stateful ? random->Pick<std::string>({"db", "queue"})
                                    : random->Pick<std::string>({"web", "shop", "big"});
  users_.Scale(stateful ? "StatefulSet" : "Deployment", name,
               static_cast<int>(random->Between(0, stateful ? 4 : 8)));
}

void Actions::DeleteWorkload(Random* random) {
  const auto kind = random->Pick<std::pair<v1::Object::ObjectCase, std::string>>(
      {{v1::Object::kDeployment, "Deployment"},
       {v1::Object::kStatefulSet, "StatefulSet"},
       {v1::Object::kDaemonSet, "DaemonSet"},
       {v1::Object::kJob, "Job"},
       {v1::Object::kCronJob, "CronJob"},
       {v1::Object::kService, "Service"},
       {v1::Object::kPodDisruptionBudget, "PodDisruptionBudget"}});
  const auto names = NamesOf(world_->truth().view(), kind.first);
  if (!names.empty()) users_.Delete(kind.second, random->Pick(names));
}

// Cordons a node and evicts what is there, again and again for a while, as a drain does.
void Actions::Drain(Random* random) {
  const std::string node = AnyNode(random)->name();
  users_.Cordon(node, true);
  for (int i = 1; i <= 6; ++i) {
    After(i * 10 * kSecond, [this, node] {
      for (const EntryPtr& pod : world_->truth().view().PodsOnNode(node)) {
        users_.Evict(Meta(pod->object).name());
      }
    });
  }
  After(random->Between(kMinute, 5 * kMinute), [this, node] { users_.Cordon(node, false); });
}

void Actions::Settle() {
  for (const auto& [key, entry] : world_->truth().view().All(v1::Object::kNode)) {
    if (entry->object.node().spec().unschedulable()) {
      users_.Cordon(Meta(entry->object).name(), false);
    }
  }
  for (const auto& [key, entry] : world_->truth().view().All(v1::Object::kDeployment)) {
    const v1::DeploymentSpec& spec = entry->object.deployment().spec();
    if (Serves(spec.template_())) continue;
    Template pods;
    pods.version = ++version_;
    users_.Apply(DeploymentOf(Meta(entry->object).name(), spec.replicas(), "1", "0", pods));
  }
  for (const auto& [key, entry] : world_->truth().view().All(v1::Object::kStatefulSet)) {
    if (Serves(entry->object.stateful_set().spec().template_())) continue;
    Edit(*entry, [](v1::Object* object) {
      auto* pods = object->mutable_stateful_set()->mutable_spec()->mutable_template_();
      pods->mutable_spec()->clear_active_deadline_seconds();
    });
  }
  // Their checker wants to see them run undisturbed for a while.
  After(8 * kMinute, [this] { SuspendCronJobs(); });
}

void Actions::SuspendCronJobs() {
  for (const auto& [key, entry] : world_->truth().view().All(v1::Object::kCronJob)) {
    if (entry->object.cron_job().spec().suspend()) continue;
    Edit(*entry,
         [](v1::Object* object) { object->mutable_cron_job()->mutable_spec()->set_suspend(true); });
  }
}

void Actions::Edit(const Entry& entry, const std::function<void(v1::Object*)>& change) {
  v1::Object object = entry.object;
  v1::ObjectMeta meta;
  meta.set_name(Meta(object).name());
  meta.set_namespace_(Meta(object).namespace_());
  *MutableMeta(&object) = meta;
  if (object.has_cron_job()) object.mutable_cron_job()->clear_status();
  if (object.has_stateful_set()) object.mutable_stateful_set()->clear_status();
  change(&object);
  users_.Apply(std::move(object));
}

// ---- faults

void Actions::CrashAgent(Random* random) {
  Node* const node = AnyNode(random);
  node->CrashAgent();
  StartAgentLater(node, random);
}

void Actions::CrashAgentAtStep(Random* random) {
  Node* const node = AnyNode(random);
  node->CrashAgentAt(static_cast<int>(random->Between(1, 40)));
  StartAgentLater(node, random);
}

void Actions::PauseAgent(Random* random) {
  AnyNode(random)->PauseAgent(random->Between(kSecond, 2 * kMinute));
}

void Actions::CrashController(Random* random) {
  world_->CrashController();
  StartControllerLater(random);
}

void Actions::CrashControllerAtStep(Random* random) {
  world_->CrashControllerAt(static_cast<int>(random->Between(1, 60)));
  StartControllerLater(random);
}

void Actions::PauseController(Random* random) {
  world_->PauseController(random->Between(kSecond, 2 * kMinute));
}

// Mostly at once, sometimes after the leases of all nodes.
void Actions::StartControllerLater(Random* random) {
  const Nanos most = random->Chance(0.7) ? 5 * kSecond : 3 * kMinute;
  // Again later on: one that is to die at a step may do so after the first of these.
  for (const Nanos wait : {random->Between(100 * kMillisecond, most), 3 * kMinute}) {
    After(wait, [this] { world_->StartController(); });
  }
}

void Actions::StartAgentLater(Node* node, Random* random) {
  const Nanos most = random->Chance(0.7) ? 5 * kSecond : 3 * kMinute;
  for (const Nanos wait : {random->Between(100 * kMillisecond, most), 3 * kMinute}) {
    After(wait, [node] { node->StartAgent(); });
  }
}

void Actions::Partition(Random* random) {
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

void Actions::BadNetwork(Random* random) {
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

void Actions::PowerCut(Random* random) {
  std::vector<Node*> nodes = {AnyNode(random)};
  if (random->Chance(0.2)) nodes.push_back(AnyNode(random));
  for (Node* const node : nodes) {
    node->PowerOff();
    const Nanos off = random->Between(kSecond, 5 * kMinute);
    After(off, [node] { node->PowerOn(); });
    After(off + random->Between(0, 5 * kSecond), [node] { node->StartAgent(); });
  }
}

void Actions::BadStore(Random* random) {
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

void Actions::ClockStep(Random* random) {
  HostClock* const clock =
      random->Chance(0.5) ? world_->controller_clock() : AnyNode(random)->clock();
  const absl::Duration most =
      random->Pick<absl::Duration>({absl::Seconds(5), absl::Minutes(10), absl::Hours(2)});
  clock->Jump(random->Between(-most, most));
}

void Actions::ContainerEnds(Random* random) {
  Machine* const machine = AnyNode(random)->machine();
  std::vector<std::pair<std::string, std::string>> ids;
  for (const auto& [id, running] : machine->running()) ids.push_back(id);
  if (ids.empty()) return;
  const auto& id = random->Pick(ids);
  machine->Exit(id.first, id.second, random->Pick<int>({0, 1, 137}));
}

void Actions::BadMachine(Random* random) {
  MachineWeather* const weather = AnyNode(random)->machine()->weather();
  weather->verb_fails = random->Pick<double>({0, 0.1, 0.5});
  weather->stop = random->Pick<Nanos>({kSecond, 10 * kSecond});
  weather->stubborn = random->Chance(0.3);
  After(random->Between(10 * kSecond, 4 * kMinute), [weather] { *weather = MachineWeather(); });
}

}  // namespace cluster::sim
