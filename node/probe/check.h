// One probe or hook being carried out, without blocking: it is stepped whenever something that it
// waits for has happened. Made and destroyed by the loop's thread; destroying it before it is done
// leaves nothing of it behind.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"

#include "node/probe/action.h"
#include "node/probe/probe_schedule.h"
#include "node/runtime/runtime.h"

namespace cluster::node {

// Leave to ask the resolver, taken back with it.
class LookupTurn {
 public:
  virtual ~LookupTurn() = default;
};

// What the loop does for a check.
class CheckContext {
 public:
  virtual ~CheckContext() = default;
  // Steps the check whenever the descriptor becomes readable, writable or fails (edge-triggered):
  // each step takes all that is there. Closing the descriptor ends it. Unavailable: what epoll
  // says.
  virtual absl::Status Watch(int fd) = 0;
  // A function that steps the check, for any thread and any number of times; does nothing once the
  // check is gone.
  virtual std::function<void()> Waker() = 0;
  // Steps the check once so much time is over; takes the place of what was asked for before.
  virtual void StepAfter(absl::Duration delay) = 0;
  // Runs what may block, on another thread.
  virtual void Offload(std::function<void()> work) = 0;
  // Null while too many others ask: the check is stepped when it may try again.
  virtual std::unique_ptr<LookupTurn> TakeLookupTurn() = 0;
  // Name servers, "ADDRESS:PORT,..."; empty = those of this machine.
  virtual const std::string& NameServers() const = 0;
};

class Check {
 public:
  virtual ~Check() = default;
  // First of all once. Nothing: not done yet.
  virtual std::optional<ProbeOutcome> Step(CheckContext& context) = 0;
  // What to say when it took too long.
  virtual ProbeOutcome Overdue() const = 0;
};

// Hooks differ: every answer over HTTP will do, and what a command leaves running goes on.
enum class CheckPurpose { kProbe, kHook };

// `runtime` outlives the check.
std::unique_ptr<Check> MakeCheck(const Action& action, CheckPurpose purpose,
                                 const std::string& pod_uid, const std::string& container,
                                 Runtime* runtime);

}  // namespace cluster::node
