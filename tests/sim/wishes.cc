#include "tests/sim/wishes.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"

#include "tests/sim/manifests.h"

namespace cluster::sim {
namespace {

std::vector<std::string> NamesOf(const View& view, v1::Object::ObjectCase kind) {
  std::vector<std::string> names;
  for (const auto& [key, entry] : view.All(kind)) {
    // Users name what is in their own namespace, or in none.
    if (Meta(entry->object).namespace_() == kGuests) continue;
    names.push_back(Meta(entry->object).name());
  }
  return names;
}

}  // namespace

void Wishes::Do(ActionKind kind, Random* random) {
  static const std::map<ActionKind, void (Wishes::*)(Random*)> kHow = {
      {ActionKind::kApplyDeployment, &Wishes::ApplyDeployment},
      {ActionKind::kApplyStatefulSet, &Wishes::ApplyStatefulSet},
      {ActionKind::kApplyDaemonSet, &Wishes::ApplyDaemonSet},
      {ActionKind::kApplyJob, &Wishes::ApplyJob},
      {ActionKind::kApplyCronJob, &Wishes::ApplyCronJob},
      {ActionKind::kApplyBudget, &Wishes::ApplyBudget},
      {ActionKind::kScale, &Wishes::Scale},
      {ActionKind::kUndo, &Wishes::Undo},
      {ActionKind::kDeleteWorkload, &Wishes::DeleteWorkload},
      {ActionKind::kDeletePod, &Wishes::DeletePod},
      {ActionKind::kEvictPod, &Wishes::EvictPods},
      {ActionKind::kDrain, &Wishes::Drain},
      {ActionKind::kConfigure, &Wishes::Configure},
      {ActionKind::kPauseRollout, &Wishes::PauseRollout},
      {ActionKind::kRestartRollout, &Wishes::RestartRollout},
      {ActionKind::kTaint, &Wishes::Taint},
      {ActionKind::kAutoscale, &Wishes::Autoscale},
      {ActionKind::kLoad, &Wishes::Load},
      {ActionKind::kGuests, &Wishes::Guests},
      {ActionKind::kDeleteNamespace, &Wishes::DeleteNamespace},
      {ActionKind::kSuspendJob, &Wishes::SuspendJob},
      {ActionKind::kDeleteNode, &Wishes::DeleteNode},
  };
  (this->*kHow.at(kind))(random);
}

void Wishes::After(Nanos wait, std::function<void()> task) {
  world_->time()->At(world_->now() + wait, nullptr, std::move(task));
}

std::string Wishes::AnyNode(Random* random) {
  return world_->nodes()[random->Below(world_->nodes().size())]->name();
}

std::string Wishes::AnyPod(Random* random) {
  const auto names = NamesOf(world_->truth().view(), v1::Object::kPod);
  return names.empty() ? "" : random->Pick(names);
}

void Wishes::Begin() {
  users_.Apply(PriorityOf("urgent", 1000));
  users_.Apply(SettingsOf(0));
}

void Wishes::ApplyDaemonSet(Random* random) {
  Template pods;
  pods.version = ++version_;
  pods.configured = random->Chance(0.4);
  users_.Apply(DaemonSetOf("every", pods));
}

void Wishes::ApplyJob(Random* random) {
  Template pods;
  pods.run = static_cast<int>(random->Between(1, 40));
  pods.fails = random->Pick<int>({0, 0, 10, 30});
  const auto completions = static_cast<int>(random->Between(1, 5));
  const auto parallelism = static_cast<int>(random->Between(1, 3));
  v1::Object job =
      JobOf(absl::StrCat("job-", ++jobs_), completions, parallelism, random->Chance(0.5), pods);
  v1::JobSpec* spec = job.mutable_job()->mutable_spec();
  if (random->Chance(0.3)) spec->set_ttl_seconds_after_finished(30);
  if (random->Chance(0.2)) spec->set_active_deadline_seconds(random->Between(5, 90));
  if (random->Chance(0.2)) FailAtOnce(spec);
  users_.Apply(std::move(job));
}

// Some of its runs take longer than the time between two of them.
void Wishes::ApplyCronJob(Random* random) {
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

void Wishes::ApplyBudget(Random* random) {
  const std::string app = random->Pick<std::string>({"web", "shop", "db", "queue"});
  v1::Object budget = BudgetOf(app, app);
  v1::PodDisruptionBudgetSpec* spec = budget.mutable_pod_disruption_budget()->mutable_spec();
  const auto few = random->Pick<std::string>({"1", "2", "3", "25%", "50%", "70%"});
  if (random->Chance(0.6)) {
    spec->set_min_available(few);
  } else {
    spec->set_max_unavailable(few);
  }
  users_.Apply(std::move(budget));
}

void Wishes::Undo(Random* random) {
  users_.Undo("Deployment", random->Pick<std::string>({"web", "shop"}));
}

void Wishes::DeletePod(Random* random) {
  const std::string pod = AnyPod(random);
  if (!pod.empty()) users_.Delete("Pod", pod);
}

// Several at once: a budget is for that.
void Wishes::EvictPods(Random* random) {
  for (uint64_t count = 1 + random->Below(3); count > 0; --count) {
    const std::string pod = AnyPod(random);
    if (!pod.empty()) users_.Evict(pod);
  }
}

// A version that never serves, and never counts as available.
void Wishes::Spoil(Random* random, Template* pods, v1::DeploymentSpec* spec) {
  if (random->Chance(0.5)) {
    pods->probed = true;
    pods->ready = false;
  } else {
    pods->run = static_cast<int>(random->Between(0, 5));
    pods->fails = 100;
    spec->set_min_ready_seconds(20);
  }
}

void Wishes::ApplyDeployment(Random* random) {
  const std::string name = random->Pick<std::string>({"web", "shop", "big"});
  const auto strategy = random->Pick<std::pair<std::string, std::string>>(
      {{"1", "0"}, {"0", "1"}, {"25%", "25%"}, {"2", "1"}, {"50%", "0"}});
  v1::Object object =
      DeploymentOf(name, static_cast<int>(random->Between(1, 6)), strategy.first, strategy.second);
  v1::DeploymentSpec* spec = object.mutable_deployment()->mutable_spec();
  Template pods;
  pods.version = ++version_;
  pods.probed = random->Chance(0.8);
  pods.grace = static_cast<int>(random->Between(1, 20));
  pods.configured = random->Chance(0.4);
  pods.urgent = random->Chance(0.25);
  pods.patience = random->Pick<int>({-1, -1, -1, 30});
  pods.place = random->Pick<Place>({Place::kAnywhere, Place::kAnywhere, Place::kAnywhere,
                                    Place::kApart, Place::kSpread, Place::kPort});
  spec->set_min_ready_seconds(random->Pick<int>({0, 0, 0, 10}));
  // The last one fits nowhere.
  if (name == "big") pods.cpu = random->Pick<std::string>({"1500m", "2500m", "2500m", "9000m"});
  if (name != "big" && random->Chance(0.2)) Spoil(random, &pods, spec);
  if (random->Chance(0.15)) {
    spec->clear_strategy();
    spec->mutable_strategy()->set_type(v1::STRATEGY_TYPE_RECREATE);
  } else if (pods.place == Place::kApart || pods.place == Place::kPort) {
    // One more than there are nodes would wait for ever.
    spec->mutable_strategy()->mutable_rolling_update()->set_max_surge("0");
    spec->mutable_strategy()->mutable_rolling_update()->set_max_unavailable("1");
  }
  if (random->Chance(0.2)) spec->set_progress_deadline_seconds(60);
  if (random->Chance(0.3)) {
    (*MutableMeta(&object)->mutable_annotations())["cluster.v1/auto-rollback"] = "false";
  }
  Fill(name, pods, spec->mutable_template_());
  users_.Apply(std::move(object));
  if (random->Chance(0.6)) users_.Apply(ServiceOf(name));
}

void Wishes::ApplyStatefulSet(Random* random) {
  const bool first = random->Chance(0.6);
  Template pods;
  pods.version = ++version_;
  pods.grace = static_cast<int>(random->Between(1, 10));
  pods.configured = random->Chance(0.3);
  const auto replicas = static_cast<int>(random->Between(1, 4));
  v1::Object set = first ? StatefulSetOf("db", replicas, false, true, pods)
                         : StatefulSetOf("queue", replicas, true, false, pods);
  if (random->Chance(0.3)) {
    set.mutable_stateful_set()
        ->mutable_spec()
        ->mutable_update_strategy()
        ->mutable_rolling_update()
        ->set_partition(static_cast<int>(random->Between(0, 3)));
  }
  users_.Apply(std::move(set));
  if (random->Chance(0.6)) users_.Apply(ServiceOf(first ? "db" : "queue"));
}

void Wishes::Scale(Random* random) {
  const bool stateful = random->Chance(0.35);
  const std::string name = stateful ? random->Pick<std::string>({"db", "queue"})
                                    : random->Pick<std::string>({"web", "shop", "big"});
  users_.Scale(stateful ? "StatefulSet" : "Deployment", name,
               static_cast<int>(random->Between(0, stateful ? 4 : 8)));
}

void Wishes::DeleteWorkload(Random* random) {
  const auto kind = random->Pick<std::pair<v1::Object::ObjectCase, std::string>>(
      {{v1::Object::kDeployment, "Deployment"},
       {v1::Object::kStatefulSet, "StatefulSet"},
       {v1::Object::kDaemonSet, "DaemonSet"},
       {v1::Object::kJob, "Job"},
       {v1::Object::kCronJob, "CronJob"},
       {v1::Object::kService, "Service"},
       {v1::Object::kHorizontalPodAutoscaler, "HorizontalPodAutoscaler"},
       {v1::Object::kPodDisruptionBudget, "PodDisruptionBudget"}});
  const auto names = NamesOf(world_->truth().view(), kind.first);
  if (!names.empty()) users_.Delete(kind.second, random->Pick(names));
}

// Cordons a node and evicts what is there, again and again for a while, as a drain does.
void Wishes::Drain(Random* random) {
  const std::string node = AnyNode(random);
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

void Wishes::Configure(Random* /*random*/) { users_.Apply(SettingsOf(++version_)); }

// For a while; mostly something comes into it.
void Wishes::PauseRollout(Random* random) {
  const std::string name = random->Pick<std::string>({"web", "shop", "big"});
  users_.Rollout(name, v1::ROLLOUT_ACTION_PAUSE);
  After(random->Between(10 * kSecond, 4 * kMinute),
        [this, name] { users_.Rollout(name, v1::ROLLOUT_ACTION_RESUME); });
}

void Wishes::RestartRollout(Random* random) {
  users_.Rollout(random->Pick<std::string>({"web", "shop", "big"}), v1::ROLLOUT_ACTION_RESTART);
}

void Wishes::Taint(Random* random) {
  const std::string node = AnyNode(random);
  const auto effect = random->Pick<v1::TaintEffect>(
      {v1::TAINT_EFFECT_NO_EXECUTE, v1::TAINT_EFFECT_NO_EXECUTE, v1::TAINT_EFFECT_NO_SCHEDULE});
  users_.Change("Node", node, "taint", [effect](v1::Object* object) {
    v1::NodeSpec* spec = object->mutable_node()->mutable_spec();
    if (IsTainted(*spec)) return;
    v1::Taint* taint = spec->add_taints();
    taint->set_key(kMaintenance);
    taint->set_effect(effect);
  });
  After(random->Between(10 * kSecond, 5 * kMinute), [this, node] { Untaint(node); });
}

void Wishes::Untaint(const std::string& node) {
  users_.Change("Node", node, "untaint", [](v1::Object* object) {
    auto* taints = object->mutable_node()->mutable_spec()->mutable_taints();
    for (int i = taints->size() - 1; i >= 0; --i) {
      if (taints->Get(i).key() == kMaintenance) taints->DeleteSubrange(i, 1);
    }
  });
}

void Wishes::Autoscale(Random* random) {
  const auto least = static_cast<int>(random->Between(1, 3));
  users_.Apply(AutoscalerOf("web", least, least + static_cast<int>(random->Between(0, 4))));
}

void Wishes::Load(Random* random) { world_->SetLoad(static_cast<int>(random->Between(0, 400))); }

// A namespace with limits, and what they limit.
void Wishes::Guests(Random* random) {
  users_.Apply(NamespaceOf(kGuests));
  const auto pods = static_cast<int>(random->Between(2, 6));
  const auto cpu = random->Pick<std::string>({"300m", "1", "1"});
  v1::Object object = DeploymentOf("visit", static_cast<int>(random->Between(1, 6)), "0", "1");
  MutableMeta(&object)->set_namespace_(kGuests);
  Template visitors;
  visitors.version = ++version_;
  visitors.cpu = "";
  Fill("visit", visitors, object.mutable_deployment()->mutable_spec()->mutable_template_());
  After(10 * kSecond, [this, pods, cpu, object] {
    users_.Apply(LimitsOf(kGuests));
    users_.Apply(QuotaOf(kGuests, pods, cpu));
    users_.Apply(object);
  });
}

void Wishes::DeleteNamespace(Random* /*random*/) { users_.Delete("Namespace", kGuests); }

void Wishes::SuspendJob(Random* random) {
  const auto names = NamesOf(world_->truth().view(), v1::Object::kJob);
  if (names.empty()) return;
  const std::string name = random->Pick(names);
  const auto suspend = [this, name](bool on) {
    users_.Change("Job", name, on ? "suspend" : "resume", [on](v1::Object* object) {
      object->mutable_job()->mutable_spec()->set_suspend(on);
    });
  };
  suspend(true);
  After(random->Between(10 * kSecond, 3 * kMinute), [suspend] { suspend(false); });
}

// Its machine goes on, and comes back as a node that is new.
void Wishes::DeleteNode(Random* random) { users_.Delete("Node", AnyNode(random)); }

void Wishes::SettleDeployment(const Entry& entry) {
  const v1::Deployment& deployment = entry.object.deployment();
  const std::string& name = deployment.metadata().name();
  if (deployment.spec().paused()) users_.Rollout(name, v1::ROLLOUT_ACTION_RESUME);
  if (Serves(deployment.spec().template_())) return;
  // A rollback is on its way, as long as there is time for it. One that ends each time may have
  // counted as complete for a moment.
  const bool ends = IsEnding(deployment.spec().template_());
  if (!finishing_ && (!ends || deployment.spec().min_ready_seconds() > 0) &&
      HasGoodRevision(world_->truth().view(), deployment)) {
    return;
  }
  v1::Object object = DeploymentOf(name, deployment.spec().replicas(), "0", "1");
  Template pods;
  pods.version = ++version_;
  Fill(name, pods, object.mutable_deployment()->mutable_spec()->mutable_template_());
  users_.Apply(std::move(object));
}

void Wishes::Settle() {
  const View& view = world_->truth().view();
  for (const auto& [key, entry] : view.All(v1::Object::kNode)) {
    const std::string& name = Meta(entry->object).name();
    if (entry->object.node().spec().unschedulable()) users_.Cordon(name, false);
    if (IsTainted(entry->object.node().spec())) Untaint(name);
  }
  for (const auto& [key, entry] : view.All(v1::Object::kDeployment)) SettleDeployment(*entry);
  for (const auto& [key, entry] : view.All(v1::Object::kJob)) {
    if (entry->object.job().spec().suspend()) Suspend(*entry, false);
  }
}

void Wishes::Finish() {
  finishing_ = true;
  Settle();
  finishing_ = false;
  // Their checker wants to see them run undisturbed for a while.
  After(2 * kMinute, [this] {
    for (const auto& [key, entry] : world_->truth().view().All(v1::Object::kCronJob)) {
      if (!entry->object.cron_job().spec().suspend()) Suspend(*entry, true);
    }
  });
}

void Wishes::Leave() {
  Random random(static_cast<uint64_t>(world_->now()));
  if (random.Chance(0.2)) return;
  users_.Delete("Namespace", kGuests);
  for (const std::string& name :
       NamesOf(world_->truth().view(), v1::Object::kHorizontalPodAutoscaler)) {
    users_.Delete("HorizontalPodAutoscaler", name);
  }
}

void Wishes::Suspend(const Entry& entry, bool suspend) {
  const bool job = entry.object.has_job();
  users_.Change(job ? "Job" : "CronJob", Meta(entry.object).name(), suspend ? "suspend" : "resume",
                [job, suspend](v1::Object* object) {
                  if (job) return object->mutable_job()->mutable_spec()->set_suspend(suspend);
                  object->mutable_cron_job()->mutable_spec()->set_suspend(suspend);
                });
}

}  // namespace cluster::sim
