// What must hold in every world. Checkers see what is stored, what runs and what users were
// answered, and nothing of the programs that made it so.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cluster/v1/session.pb.h"
#include "tests/sim/machine.h"
#include "tests/sim/truth.h"

namespace cluster::sim {

class World;

// What a user asked for, and what came of it.
struct Answer {
  std::string write_id;
  std::string what;
  bool ok = false;
  bool wrote = false;  // there was something to change
  store::Rev rev = 0;  // of the cache that holds the write
};

class Checker {
 public:
  explicit Checker(World* world) : world_(world) {}
  virtual ~Checker() = default;

  virtual const char* name() const = 0;
  // A revision was committed; the truth shows it already.
  virtual void OnCommit(const Commit&) {}
  // A container started or ended.
  virtual void OnContainer(const ContainerFact&) {}
  // The controller that was there is about to go.
  virtual void OnControllerGone() {}
  // The controller sends this to a node.
  virtual void OnTold(const std::string& /*node*/, const v1::ControllerMessage&) {}
  // A user was answered.
  virtual void OnAnswer(const Answer&) {}
  // The world has taken a step; cheap, or nothing.
  virtual void OnStep() {}
  // Each simulated ten seconds.
  virtual void OnTick() {}
  // Every fault was over for long enough: all must be as users want it.
  virtual void OnRest() {}

 protected:
  void Fail(const std::string& what);
  const View& truth() const;
  World* const world_;
};

using Checkers = std::vector<std::unique_ptr<Checker>>;

}  // namespace cluster::sim
