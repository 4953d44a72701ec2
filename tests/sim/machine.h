// The machine below an agent: its containers run on when the agent is gone, and end with it alone
// when it goes down. What ends a container is always told, with the reason.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "node/runtime/fake_runtime.h"
#include "node/services/service_book.h"
#include "tests/sim/process.h"
#include "tests/sim/random.h"
#include "tests/sim/timeline.h"

namespace cluster::sim {

enum class EndCause {
  kItself,   // its process ended
  kSignal,   // it obeyed its agent
  kKill,     // SIGKILL by its agent
  kRemoved,  // with its pod
  kFence,    // with its node's lease, by cluster-init
  kPower,    // with its machine: nobody saw how
};

// What happened to one instance of a container.
struct ContainerFact {
  std::string node;
  std::string uid;
  std::string name_space;
  std::string pod;
  std::string container;
  int32_t attempt = 0;
  bool exists_once = false;  // ends with the node's lease
  std::string setting;       // what it was told of the ConfigMap
  bool started = false;      // else it ended:
  int exit_code = 0;
  EndCause cause = EndCause::kItself;
};

// How verbs fail and how long things take on this machine at the moment.
struct MachineWeather {
  double verb_fails = 0;  // of all verbs
  Nanos stop = kSecond;   // most that a container takes to obey SIGTERM
  bool stubborn = false;  // containers do not obey SIGTERM
};

class Machine {
 public:
  Machine(std::string node, Timeline* time, HostClock* clock, Random* random,
          std::function<void(const ContainerFact&)> tell);

  // A runtime for the agent that runs as `process`. `step` is told before and after each verb that
  // changes something, and may kill the process: then the verb does not happen, or has happened.
  std::unique_ptr<node::Runtime> RuntimeFor(Process* process, std::function<void()> step);

  // Everything stops.
  void PowerOff();
  // The path of its lease file; the next life of the machine has another one.
  void SetLeaseFile(std::string path) { lease_file_ = std::move(path); }

  // A container's process ends by itself. False when none runs.
  bool Exit(const std::string& uid, const std::string& container, int code);

  struct Running {
    ContainerFact fact;
    int64_t number = 0;  // of this start
    bool stopping = false;
  };
  // By pod uid and container.
  const std::map<std::pair<std::string, std::string>, Running>& running() const { return running_; }
  // Pods that have something on the machine.
  std::vector<std::string> pods() const { return fake_.pods(); }
  MachineWeather* weather() { return &weather_; }
  // What its kernel sends connections to services by; gone with its power.
  void SetRoutes(const node::KnownServices& routes) { routes_ = routes; }
  const node::KnownServices& routes() const { return routes_; }
  // All instances that ever ended here, and how: what the agent has to report.
  struct Truth {
    int exit_code = 0;
    EndCause cause = EndCause::kItself;
  };
  const Truth* FindEnd(const std::string& uid, const std::string& container, int attempt) const;

 private:
  friend class MachineRuntime;
  void Started(const node::ContainerSpec& spec, const node::SandboxSpec& sandbox);
  void Behave(const node::ContainerSpec& spec, int64_t number);
  void Obey(const std::string& uid, const std::string& container, int signal);
  bool End(const std::string& uid, const std::string& container, int code, EndCause cause);
  void EndPod(const std::string& uid, EndCause cause);
  // cluster-init of pods that exist once: ends them with the lease in the file.
  void Fence(const std::string& uid, int64_t life);
  bool IsFenced(const std::string& uid) const;
  int64_t LeaseEndNanos() const;

  const std::string node_;
  Timeline* const time_;
  HostClock* const clock_;
  Random* const random_;
  const std::function<void(const ContainerFact&)> tell_;
  node::FakeMachine fake_;
  node::KnownServices routes_;
  MachineWeather weather_;
  std::string lease_file_;
  std::map<std::pair<std::string, std::string>, Running> running_;
  std::map<std::tuple<std::string, std::string, int>, Truth> ends_;
  std::map<std::string, int64_t> fences_;  // by pod: the life of its cluster-init
  int64_t last_number_ = 0;
};

}  // namespace cluster::sim
