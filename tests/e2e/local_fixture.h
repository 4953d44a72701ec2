// A local cluster of real programs, driven through clusterctl alone, as a user would.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"

#include "base/unique_handle.h"

namespace cluster::e2e {

struct Outcome {
  int exit_code = 0;
  std::string out;
  std::string err;
};

// Runs a program with `input` on its stdin and returns what it printed. Fails the test when it does
// not end within two minutes.
Outcome RunProgram(const std::vector<std::string>& argv, const std::string& input = "");

// One cluster per test program, brought up before the first test and taken down after the last;
// tests leave no objects behind.
class LocalCluster : public testing::Environment {
 public:
  LocalCluster(std::string name, int nodes) : name_(std::move(name)), nodes_(nodes) {}
  void SetUp() override;
  void TearDown() override;

 private:
  const std::string name_;
  const int nodes_;
};

// The name that LocalCluster was made with.
const std::string& ClusterName();

// clusterctl --context NAME ARGS...
Outcome Ctl(const std::vector<std::string>& arguments, const std::string& input = "");
// The same; its stdout without the last newline. The test fails unless it exits with 0.
std::string CtlOut(const std::vector<std::string>& arguments, const std::string& input = "");

// A clusterctl that runs on beside the test, until this goes: it is interrupted then, as by Ctrl-C.
class RunningCtl {
 public:
  explicit RunningCtl(const std::vector<std::string>& arguments);
  ~RunningCtl();
  RunningCtl(const RunningCtl&) = delete;
  RunningCtl& operator=(const RunningCtl&) = delete;

  // Everything it has printed, once that contains `part`; the test fails when it ends before.
  std::string AwaitOut(const std::string& part);
  // Waits for its own end; the exit code.
  int Wait();

 private:
  int pid_ = -1;
  UniqueFd out_;
  UniqueFd err_;  // not read; what goes there is little
  std::string printed_;
};

// Waits until `condition` holds, looking every 50 ms; false when `patience` is over.
bool Eventually(const std::function<bool()>& condition,
                absl::Duration patience = absl::Seconds(30));

// Counts what a node agent makes on the machine.
struct MachineState {
  std::vector<std::string> mounts;
  std::vector<std::string> links;
  std::vector<std::string> groups;
  friend bool operator==(const MachineState&, const MachineState&) = default;
};
MachineState ReadMachineState();

}  // namespace cluster::e2e
