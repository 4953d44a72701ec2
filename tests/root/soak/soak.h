// One agent on a small disk, pods that come and go, and everything that can happen to them: a
// model of what must be true, and the actions that a seed picks from.
//
// The agent is a process of its own (test_agent), so that it can be killed at any moment; a new one
// finishes what it finds, as the pod workers would.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/root/node/runtime/runtime_world.h"
#include "tests/root/node/runtime/test_agent.h"

namespace cluster::node {

// What the first process of a pod's container does.
enum class Script {
  kCounter,  // writes numbered lines, then ends with a code of its own
  kSleeper,  // runs until it is killed
  kTrapper,  // ends with 7 on SIGTERM
  kHog,      // takes more memory than it may
};

struct SoakPod {
  Script script = Script::kSleeper;
  int attempt = 0;
  int code = 0;             // with which a counter ends
  int lines = 0;            // that a counter writes
  bool runs = true;         // nothing has ended it yet
  int expected = 0;         // exit code when it does not run
  bool unknown = false;     // its cluster-init was killed while it ran
  bool sandbox = true;      // its cluster-init lives
  bool may_be_cut = false;  // a counter whose cluster-init died: its log ends anywhere
};

class Soak {
 public:
  Soak(unsigned seed, int64_t disk_bytes);
  ~Soak();

  // One action, picked by the seed.
  void Step();
  // Lets every counter end, then compares the model with what the agent says, the logs and the
  // machine.
  void Check();
  // Removes every pod; then nothing may be left.
  void Finish();

  int steps() const { return steps_; }
  const std::map<std::string, int>& counts() const { return counts_; }

 private:
  void StartAgentProcess();
  void KillAgent();
  // The answer to a verb; in one of six cases the agent dies while at it, and its successor does it
  // again. Unavailable is asked again until a deadline, as the workers do.
  std::string Do(const std::string& verb);
  std::string DoDespiteDeath(const std::string& verb);

  void Create();
  void StartInstance(const std::string& uid, SoakPod& pod);
  void Restart();
  void ExecSomething();
  void StopByTerm();
  void KillContainer();
  void KillInit();
  void KillProcess();
  void FreezeAndThaw();
  void RemovePod();
  void RunOutOfDescriptors();
  void FillTheDisk();

  std::string Pick(bool (*wanted)(const SoakPod&));
  int HostPid(const std::string& uid, bool init);
  void AwaitEnd(const std::string& uid, const SoakPod& pod);
  void CheckPod(const std::string& uid, const SoakPod& pod);
  void CheckLog(const std::string& uid, const SoakPod& pod);
  void CheckOwners();
  size_t AgentDescriptors() const;
  int Random(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  std::string Where() const;

  const unsigned seed_;
  std::mt19937 random_;
  RuntimeWorld world_;
  Census before_;
  std::unique_ptr<TestAgent> agent_;
  std::map<std::string, SoakPod> pods_;
  std::map<std::string, int> counts_;  // of actions, by name
  int steps_ = 0;
  int made_ = 0;
};

}  // namespace cluster::node
