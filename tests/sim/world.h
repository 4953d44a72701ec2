// One simulated cluster: a store, a controller, nodes, a network between them, users, faults and
// checkers; all of it on one thread, in simulated time, out of one seed.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/store/memory_store.h"
#include "tests/sim/checker.h"
#include "tests/sim/controller.h"
#include "tests/sim/network.h"
#include "tests/sim/node.h"
#include "tests/sim/process.h"
#include "tests/sim/random.h"
#include "tests/sim/timeline.h"
#include "tests/sim/truth.h"

namespace cluster::sim {

// What kind of cluster a seed makes.
struct Climate {
  int nodes = 5;
  Nanos latency = 0;                              // see Process
  double skew = 0;                                // most by which a clock's rate is off
  absl::Duration pod_period = absl::Seconds(30);  // see PodWorld
  absl::Duration wall;                            // most by which a wall clock is off
  StoreWeather store;                             // on ordinary days
  ControllerOptions controller;
};

struct Violation {
  std::string checker;
  std::string what;
  Nanos at = 0;
};

class World {
 public:
  // Files go below `directory`, which the world makes and removes.
  World(uint64_t seed, const Climate& climate, std::string directory,
        const std::function<Checkers(World*)>& checkers);
  ~World();

  // Runs on until `until`, or a violation.
  void RunTo(Nanos until);
  bool failed() const { return violation_.has_value(); }
  const std::optional<Violation>& violation() const { return violation_; }
  void Fail(const std::string& checker, const std::string& what);

  // Faults.
  void StartController();
  void CrashController();
  void CrashControllerAt(int steps) { crash_controller_in_ = steps; }
  void PauseController(Nanos how_long);
  // Everything that fails stops to fail, and what is down comes up.
  void Calm();

  // When Calm was called last; before any: 0.
  Nanos calm_since() const { return calm_since_; }

  // Nothing fails, and nothing that failed before has an effect any more: what a controller acts
  // on is new.
  void SetFine(bool fine) { fine_ = fine; }
  bool fine() const { return fine_; }
  // Until the next episode nobody wants anything, and nothing fails.
  void SetQuiet(bool quiet) { quiet_ = quiet; }

  // Everything was calm for long enough.
  void CheckRest();

  uint64_t hash() const { return time_.hash(); }
  Timeline* time() { return &time_; }
  Nanos now() const { return time_.now(); }
  // For what happens to the world, apart from what plans it.
  Random* random() { return &random_; }
  Network* network() { return &network_; }
  StoreWeather* store_weather() { return &weather_; }
  HostClock* controller_clock() { return &controller_clock_; }
  Controller* controller() { return controller_.get(); }  // null: none runs
  Process* controller_process() { return processes_.empty() ? nullptr : processes_.back().get(); }
  const std::vector<std::unique_ptr<Node>>& nodes() const { return nodes_; }
  Node* FindNode(const std::string& name);
  store::MemoryStore* disk() { return disk_.get(); }
  const Truth& truth() const { return truth_; }
  const Climate& climate() const { return climate_; }
  void Answered(const Answer& answer);
  // What users ask for, by the id of its write.
  void Asked(const std::string& write_id, const std::string& what) { asked_[write_id] = what; }
  // "" for what no user asked for.
  std::string AskedFor(const std::string& write_id) const {
    const auto found = asked_.find(write_id);
    return found == asked_.end() ? "" : found->second;
  }

  // What all pods of the app "web" use together from now on, in thousandths of a core.
  void SetLoad(int milli) { load_ = milli; }
  int load() const { return load_; }

  // A line of what happened, for people; kept when `trace` is on.
  void Tell(const std::string& line);
  void set_trace(bool trace) { trace_ = trace; }
  // Objects whose keys contain this are told whole.
  void Show(std::string part) { show_ = std::move(part); }
  bool trace() const { return trace_; }

 private:
  void MakeDefaults();
  void Tick();
  void MindBusyness();
  void Reap();
  void ControllerStep();
  void OnCommit(const Commit& commit);
  controller::UsageSample LookAtUsage();

  const Climate climate_;
  const std::string directory_;
  Random random_;
  Random ids_;  // of production code
  Timeline time_;
  Network network_;
  HostClock controller_clock_;
  StoreWeather weather_;
  std::unique_ptr<store::MemoryStore> disk_;
  Truth truth_;
  std::unique_ptr<store::WatchHandle> truth_watch_;
  Checkers checkers_;
  std::vector<std::unique_ptr<Process>> processes_;  // of controllers; the last one is now's
  std::unique_ptr<Controller> controller_;
  int64_t term_ = 0;
  int crash_controller_in_ = 0;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::map<std::string, std::string> asked_;
  std::optional<Violation> violation_;
  bool trace_ = false;
  std::string show_;  // "" = none
  Nanos calm_since_ = 0;
  bool fine_ = false;
  bool quiet_ = false;
  int load_ = 100;
  int64_t busy_minute_ = 0;
  int64_t busy_since_ = 0;  // steps before that minute
};

}  // namespace cluster::sim
