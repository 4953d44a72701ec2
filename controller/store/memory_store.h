// A store in memory with the behaviour of the real ones and faults on demand: for tests and the
// simulation. Nothing is kept when it goes.
//
// It has no thread: Submit applies and answers on the thread that called it, watches included (or
// on the thread that is already doing so: calls from several threads, or from a callback, are
// queued in order). Leases expire by the given clock, looked at with each call and in Tick().
#pragma once

#include <functional>
#include <memory>

#include "base/clock.h"
#include "controller/store/store.h"

namespace cluster::store {

// What becomes of one transaction.
enum class Fault {
  kNone,
  kUnavailable,     // not applied
  kUnknownApplied,  // applied, but the answer is lost
  kUnknownLost,     // not applied, and the answer is lost
  kNoSpace,         // refused like a full disk does
};

class MemoryStore : public Store {
 public:
  // `clock` must outlive the store. `term` is what Term() answers.
  static std::unique_ptr<MemoryStore> Make(const Clock* clock = RealClock(), int64_t term = 1);

  // Asked for each transaction before it is applied; empty = no faults.
  virtual void SetFaults(std::function<Fault(const Txn&)> faults) = 0;
  // Deletes the keys of leases that have run out.
  virtual void Tick() = 0;
};

}  // namespace cluster::store
