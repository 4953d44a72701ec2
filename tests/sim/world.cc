#include "tests/sim/world.h"

#include <filesystem>
#include <iostream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "controller/object/object_fields.h"
#include "proto/schema/kinds.h"
#include "proto/schema/printer.h"
#include "proto/schema/system_priorities.h"
#include "proto/validate/validate.h"

namespace cluster::sim {
namespace {

constexpr Nanos kTick = 10 * kSecond;
constexpr int64_t kMostStepsPerMinute = 1'000'000;

double Rate(double skew, Random* random) {
  const double part = static_cast<double>(random->Below(2001)) / 1000.0 - 1.0;
  return 1.0 + skew * part;
}

}  // namespace

World::World(uint64_t seed, const Climate& climate, std::string directory,
             const std::function<Checkers(World*)>& checkers)
    : climate_(climate),
      directory_(std::move(directory)),
      random_(seed),
      ids_(random_.Next()),
      network_(&time_, &random_),
      controller_clock_(&time_, Rate(climate.skew, &random_)),
      weather_(climate.store),
      truth_([this](const Commit& commit) { OnCommit(commit); },
             [this](const std::string& what) { Fail("store", what); }) {
  AnswerOpenSsl(&ids_);
  controller_clock_.Jump(random_.Between(-climate_.wall, climate_.wall));
  std::filesystem::create_directories(directory_);
  disk_ = store::MemoryStore::Make(&controller_clock_);
  disk_->SetFaults([this](const store::Txn&) { return FaultOf(weather_, &random_); });
  checkers_ = checkers(this);
  network_.SetTold([this](const std::string& node, const v1::ControllerMessage& message) {
    for (const auto& checker : checkers_) checker->OnTold(node, message);
  });
  truth_watch_ = disk_->Watch("", 0, &truth_);
  MakeDefaults();
  for (int i = 0; i < climate_.nodes; ++i) {
    NodeParts parts;
    parts.time = &time_;
    parts.random = &random_;
    parts.network = &network_;
    parts.directory = directory_;
    parts.latency = climate_.latency;
    parts.period = climate_.pod_period;
    parts.tell = [this](const ContainerFact& fact) {
      if (trace_) {
        Tell(absl::StrCat(fact.node, " ", fact.pod, "/", fact.container, "#", fact.attempt,
                          fact.started ? " started" : absl::StrCat(" ended ", fact.exit_code)));
      }
      time_.Note(fact.started ? 1 : 2 + static_cast<uint64_t>(fact.exit_code));
      for (const auto& checker : checkers_) checker->OnContainer(fact);
    };
    parts.fail = [this](const std::string& what) { Fail("agent", what); };
    nodes_.push_back(std::make_unique<Node>(absl::StrCat("node", i + 1), i,
                                            Rate(climate_.skew, &random_), std::move(parts)));
    nodes_.back()->clock()->Jump(random_.Between(-climate_.wall, climate_.wall));
  }
  StartController();
  for (const auto& node : nodes_) node->StartAgent();
  time_.At(kTick, nullptr, [this] { Tick(); });
}

World::~World() {
  CrashController();
  nodes_.clear();
  truth_watch_.reset();
  AnswerOpenSsl(nullptr);
  std::error_code ignored;  // the directory is in memory, and named for this process alone
  std::filesystem::remove_all(directory_, ignored);
}

// What controller/server/server.cc makes in an empty store.
void World::MakeDefaults() {
  const auto make = [this](v1::Object object) {
    v1::ObjectMeta* meta = MutableMeta(&object);
    meta->set_uid(controller::DerivedUid(controller::RandomId(), meta->name()));
    meta->set_generation(1);
    controller::SetTime(controller_clock_.Now(), meta->mutable_creation_timestamp());
    store::Txn txn;
    txn.ops.push_back({store::Op::Kind::kPut, Key(object), SerializeObject(object), 0});
    disk_->Submit(std::move(txn), [](const store::SubmitResult&) {});
  };
  v1::Object space = NewObject(*FindKind("Namespace"));
  MutableMeta(&space)->set_name("default");
  space.mutable_namespace_()->mutable_status()->set_phase("Active");
  make(std::move(space));
  for (const SystemPriority& each : kSystemPriorities) {
    v1::Object object = NewObject(*FindKind("PriorityClass"));
    MutableMeta(&object)->set_name(std::string(each.name));
    object.mutable_priority_class()->set_value(each.value);
    SetDefaults(&object);
    make(std::move(object));
  }
}

void World::RunTo(Nanos until) {
  while (!failed() && time_.Step(until)) {
    MindBusyness();
    Reap();
    for (const auto& checker : checkers_) checker->OnStep();
  }
}

// A cluster of this size does far less in a minute, whatever happens to it.
void World::MindBusyness() {
  if (now() / kMinute != busy_minute_) {
    busy_minute_ = now() / kMinute;
    busy_since_ = time_.steps();
  }
  if (time_.steps() - busy_since_ > kMostStepsPerMinute) Fail("rest", "it does not stop to work");
}

void World::Fail(const std::string& checker, const std::string& what) {
  if (failed()) return;
  violation_ = Violation{checker, what, now()};
  Tell(absl::StrCat("VIOLATION of ", checker, ": ", what));
}

void World::Tick() {
  for (const auto& checker : checkers_) checker->OnTick();
  time_.At(now() + kTick, nullptr, [this] { Tick(); });
}

void World::CheckRest() {
  for (const auto& checker : checkers_) checker->OnRest();
}

void World::OnCommit(const Commit& commit) {
  time_.Note(static_cast<uint64_t>(commit.rev));
  for (const Change& change : commit.changes) {
    const Entry& entry = change.after != nullptr ? *change.after : *change.before;
    for (const char c : entry.key) time_.Note(static_cast<unsigned char>(c));
    if (trace_ && !entry.object.has_event()) {
      Tell(absl::StrCat("rev ", commit.rev, " ",
                        change.after == nullptr    ? "delete "
                        : change.before == nullptr ? "create "
                                                   : "put ",
                        entry.key));
      if (!show_.empty() && absl::StrContains(entry.key, show_))
        Tell(PrintJson(ToJson(entry.object)));
    }
  }
  for (const auto& checker : checkers_) checker->OnCommit(commit);
}

void World::Answered(const Answer& answer) {
  for (const auto& checker : checkers_) checker->OnAnswer(answer);
}

void World::Tell(const std::string& line) {
  if (!trace_) return;
  const Nanos at = now();
  std::cout << absl::StrFormat("%02d:%02d:%06.3f ", at / kHour, at / kMinute % 60,
                               static_cast<double>(at % kMinute) / 1e9)
            << line << "\n";
}

Node* World::FindNode(const std::string& name) {
  for (const auto& node : nodes_) {
    if (node->name() == name) return node.get();
  }
  return nullptr;
}

void World::ControllerStep() {
  if (crash_controller_in_ == 0 || --crash_controller_in_ > 0) return;
  processes_.back()->Die();
}

void World::StartController() {
  if (controller_ != nullptr) return;
  crash_controller_in_ = 0;
  Process* const process = processes_
                               .emplace_back(std::make_unique<Process>(&time_, &controller_clock_,
                                                                       &random_, climate_.latency))
                               .get();
  ControllerParts parts;
  parts.time = &time_;
  parts.clock = &controller_clock_;
  parts.random = &random_;
  parts.disk = disk_.get();
  parts.weather = &weather_;
  parts.network = &network_;
  parts.usage = [this] { return LookAtUsage(); };
  // Seldom where nothing happens anyway: most hours are such.
  parts.usage_period = [this] { return (quiet_ ? 600 : 15) * kSecond; };
  parts.fail = [this](const std::string& what) { Fail("controller", what); };
  ControllerOptions options = climate_.controller;
  options.loop.seed = random_.Next();
  auto made =
      Controller::Start(parts, std::move(options), ++term_, process, [this] { ControllerStep(); });
  if (!made.ok()) {
    return Fail("controller", absl::StrCat("it does not start: ", made.status().ToString()));
  }
  controller_ = std::move(made).value();
  Tell(absl::StrCat("controller ", term_, " runs"));
}

// Each pod of the app takes its part; what runs where nobody answers is not seen.
controller::UsageSample World::LookAtUsage() {
  controller::UsageSample sample;
  std::vector<std::string> uids;
  for (const auto& node : nodes_) {
    for (const auto& [id, running] : node->machine()->running()) {
      const EntryPtr entry = truth_.view().FindUid(id.first);
      if (entry == nullptr || !entry->object.has_pod()) continue;
      const auto& labels = Meta(entry->object).labels();
      const auto app = labels.find("app");
      if (app == labels.end() || app->second != "web") continue;
      uids.push_back(id.first);
      if (node->agent() == nullptr || !network_.link(node->name())->up) continue;
      sample.pods[id.first].window = absl::Seconds(15);
      sample.pods[id.first].at = controller_clock_.Now();
    }
  }
  for (auto& [uid, usage] : sample.pods) {
    usage.cpu_milli = load_ / static_cast<int64_t>(uids.size());
    usage.memory_bytes = 1 << 20;
  }
  return sample;
}

void World::CrashController() {
  if (controller_ == nullptr) return;
  for (const auto& checker : checkers_) checker->OnControllerGone();
  Process* const process = processes_.back().get();
  process->Die();
  network_.ControllerGone(process);
  process->Bury();
  controller_.reset();
  process->Die();
  Tell(absl::StrCat("controller ", term_, " is gone"));
}

void World::PauseController(Nanos how_long) {
  if (controller_ != nullptr) processes_.back()->Pause(now() + how_long);
}

void World::Reap() {
  if (controller_ != nullptr && !processes_.back()->alive()) CrashController();
  for (const auto& node : nodes_) node->Reap();
}

void World::Calm() {
  calm_since_ = now();
  weather_ = climate_.store;
  crash_controller_in_ = 0;
  StartController();
  for (const auto& node : nodes_) {
    *network_.link(node->name()) = Link();
    network_.SetLink(node->name(), true, true);
    *node->machine()->weather() = MachineWeather();
    node->CrashAgentAt(0);
    node->PowerOn();
    node->StartAgent();
  }
}

}  // namespace cluster::sim
