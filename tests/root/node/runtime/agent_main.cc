// An agent to be killed: opens a runtime on what is there, recovers, and does what stdin says, one
// verb per line, answering each with one line.
//
//   test_agent BASE CGROUP_PARENT
//     prepare UID | start UID NAME ATTEMPT LAYER COMMAND... | remove UID
//     start-limited UID NAME ATTEMPT BYTES LAYER COMMAND...   with a memory limit
//     exec UID NAME COMMAND...   answers its exit code and the first line of its output
//     signal UID NAME ATTEMPT SIGNAL | kill UID NAME ATTEMPT
//     poll UID                   answers NAME ATTEMPT running|exited|unknown CODE oom|- for each
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <iostream>
#include <optional>
#include <sstream>

#include "absl/strings/str_cat.h"

#include "base/log.h"
#include "tests/root/node/runtime/runtime_world.h"

namespace cluster::node {
namespace {

std::string Exec(Agent& agent, const std::string& uid, std::istringstream& words) {
  ExecSpec spec;
  spec.pod_uid = uid;
  words >> spec.container;
  std::string command;
  std::getline(words >> std::ws, command);
  spec.argv = {"sh", "-c", command};
  auto process = agent.runtime->Exec(spec);
  if (!process.ok()) return process.status().ToString();
  std::string output;
  char buffer[4096];
  for (;;) {
    pollfd ready{(*process)->stdout_fd.get(), POLLIN, 0};
    poll(&ready, 1, -1);
    const ssize_t got = read((*process)->stdout_fd.get(), buffer, sizeof buffer);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got <= 0) break;
    output.append(buffer, static_cast<size_t>(got));
  }
  auto code = (*process)->Wait();
  if (!code.ok()) return code.status().ToString();
  return absl::StrCat("OK ", *code, " ", output.substr(0, output.find('\n')));
}

std::string Describe(const std::vector<ContainerState>& states) {
  std::string text = "OK";
  for (const ContainerState& state : states) {
    const char* phase = state.phase == ContainerPhase::kRunning  ? "running"
                        : state.phase == ContainerPhase::kExited ? "exited"
                                                                 : "unknown";
    absl::StrAppend(&text, " ", state.name, " ", state.attempt, " ", phase, " ", state.exit_code,
                    " ", state.oom_killed ? "oom" : "-");
  }
  return text;
}

// Nothing: no such verb.
std::optional<std::string> PerformOnRunning(Agent& agent, const std::string& verb,
                                            const std::string& uid, std::istringstream& words) {
  if (verb == "exec") return Exec(agent, uid, words);
  if (verb == "poll") {
    auto states = agent.runtime->Poll(uid);
    return states.ok() ? Describe(*states) : states.status().ToString();
  }
  if (verb != "signal" && verb != "kill") return std::nullopt;
  ContainerId id;
  id.pod_uid = uid;
  words >> id.name >> id.attempt;
  int signal = 0;
  if (verb == "kill") return agent.runtime->Kill(id).ToString();
  words >> signal;
  return agent.runtime->Signal(id, signal).ToString();
}

std::string Perform(Agent& agent, const std::string& verb, std::istringstream& words) {
  std::string uid;
  words >> uid;
  if (auto answer = PerformOnRunning(agent, verb, uid, words)) return *answer;
  if (verb == "prepare") {
    SandboxSpec spec;
    spec.uid = uid;
    spec.hostname = "test";
    return agent.runtime->PrepareSandbox(spec).status().ToString();
  }
  if (verb == "start" || verb == "start-limited") {
    ContainerSpec spec;
    std::string layer;
    spec.pod_uid = uid;
    words >> spec.name >> spec.attempt;
    if (verb == "start-limited") words >> spec.resources.memory_limit;
    words >> layer;
    spec.rootfs.layers = {layer};
    spec.env = {"PATH=/bin"};
    std::string command;
    std::getline(words >> std::ws, command);
    spec.argv = {"sh", "-c", command};
    auto state = agent.runtime->StartContainer(spec);
    return state.ok() ? absl::StrCat("OK ", state->pid, " ", state->message)
                      : state.status().ToString();
  }
  if (verb == "remove") return agent.runtime->Remove(uid).ToString();
  return "unknown verb";
}

int Main(int argc, char** argv) {
  if (argc != 3) return 2;
  // Inheritable on purpose: none of them may reach a container (CVE-2024-21626).
  for (int i = 0; i < 50; ++i) (void)!open("/", O_RDONLY | O_DIRECTORY);
  SetUpLogging("test-agent", "warn");
  auto agent = StartAgent(argv[1], argv[2]);
  if (!agent.ok()) {
    std::cout << agent.status() << std::endl;
    return 1;
  }
  std::cout << "recovered " << (*agent)->recovered.size() << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string verb;
    words >> verb;
    std::cout << Perform(**agent, verb, words) << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace cluster::node

int main(int argc, char** argv) { return cluster::node::Main(argc, argv); }
