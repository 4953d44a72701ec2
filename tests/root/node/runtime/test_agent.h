// A test_agent process: an agent of its own that can be killed at any moment.
#pragma once

#include <string>

#include "absl/time/time.h"

#include "base/unique_handle.h"

namespace cluster::node {

class TestAgent {
 public:
  TestAgent(const std::string& base, const std::string& parent);
  ~TestAgent() { Kill(); }
  TestAgent(const TestAgent&) = delete;
  TestAgent& operator=(const TestAgent&) = delete;

  // Sends a line without waiting.
  void Tell(const std::string& line);
  // The next answer; "" when the process has ended.
  std::string Answer();
  std::string Do(const std::string& line) {
    Tell(line);
    return Answer();
  }
  // kill -9, and reaped.
  void Kill();
  int pid() const { return pid_; }

 private:
  int pid_ = 0;
  UniqueFd in_;
  UniqueFd out_;
};

}  // namespace cluster::node
