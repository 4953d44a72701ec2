// A machine with its agent, which can crash, be paused and restarted; and the machine's power.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

#include "tests/sim/agent.h"
#include "tests/sim/machine.h"
#include "tests/sim/network.h"
#include "tests/sim/process.h"

namespace cluster::sim {

// What nodes share with their world. All of it outlives them.
struct NodeParts {
  Timeline* time = nullptr;
  Random* random = nullptr;
  Network* network = nullptr;
  std::string directory;  // of the world
  Nanos latency = 0;      // see Process
  absl::Duration period;  // see PodWorld
  std::function<void(const ContainerFact&)> tell;
  // An agent that cannot start: its state is lost.
  std::function<void(const std::string&)> fail;
};

class Node {
 public:
  Node(std::string name, int number, double rate, NodeParts parts);
  ~Node();

  const std::string& name() const { return name_; }
  Machine* machine() { return &machine_; }
  HostClock* clock() { return &clock_; }
  Agent* agent() { return agent_.get(); }
  bool powered() const { return powered_; }

  void StartAgent();
  // kill -9.
  void CrashAgent();
  // The same in the middle of what the agent does: before or after its n-th effect from now.
  void CrashAgentAt(int steps) { crash_in_ = steps; }
  void PauseAgent(Nanos how_long);
  // No agent, no container, no memory; and back, without an agent.
  void PowerOff();
  void PowerOn();

  // To be called after each task of the world: takes away an agent that was killed in the middle.
  void Reap();

 private:
  void Step();
  void Destroy(bool silently);
  std::string StateFile() const { return absl::StrCat(directory_, "/state.log"); }
  void KeepDisk();
  void RestoreDisk();

  const std::string name_;
  const NodeParts parts_;
  const std::string directory_;
  HostClock clock_;
  Machine machine_;
  v1::Node facts_;
  int boots_ = 0;
  bool powered_ = false;
  int crash_in_ = 0;  // 0: never
  std::string disk_;  // the agent's file as it was when it was killed
  std::vector<std::unique_ptr<Process>> processes_;  // the last one is the agent's
  std::unique_ptr<Agent> agent_;
};

}  // namespace cluster::sim
