// A controller's hold on the store: what it asks for takes time, may fail, and stops half-way when
// it is killed. What is committed stays in the disk, which is a MemoryStore.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "controller/store/memory_store.h"
#include "tests/sim/process.h"
#include "tests/sim/random.h"
#include "tests/sim/timeline.h"

namespace cluster::sim {

// Times of a store, and how it fails at the moment.
struct StoreWeather {
  Nanos commit = 2 * kMillisecond;  // at most, until a transaction is applied
  Nanos answer = kMillisecond;      // at most, until that is known
  Nanos delivery = kMillisecond;    // at most, until a watch has it
  double unavailable = 0;           // of all transactions
  double unknown = 0;               // the answer is lost; by half they were applied
  bool full = false;                // of the disk
};

class StoreClient : public store::Store {
 public:
  // All outlive the client. `step` is told of each transaction that is handed in, and may kill the
  // process.
  StoreClient(store::MemoryStore* disk, Timeline* time, Process* process, Random* random,
              const StoreWeather* weather, int64_t term, std::function<void()> step);
  // Whatever was handed in and not applied is, up to a point of chance.
  ~StoreClient() override;

  void Submit(store::Txn txn, store::SubmitCallback done) override;
  absl::StatusOr<store::Listing> List(const std::string& prefix, store::Rev at) override {
    return disk_->List(prefix, at);
  }
  std::unique_ptr<store::WatchHandle> Watch(const std::string& prefix, store::Rev after,
                                            store::WatchSink* sink) override;
  absl::StatusOr<store::LeaseId> Grant(absl::Duration ttl) override { return disk_->Grant(ttl); }
  absl::Status KeepAlive(store::LeaseId lease) override { return disk_->KeepAlive(lease); }
  absl::Status Revoke(store::LeaseId lease) override { return disk_->Revoke(lease); }
  absl::Status Compact(store::Rev rev) override { return disk_->Compact(rev); }
  store::Rev CurrentRev() override { return disk_->CurrentRev(); }
  store::Rev OldestRev() override { return disk_->OldestRev(); }
  store::Health GetHealth() override { return {}; }
  int64_t Term() override { return term_; }

 private:
  struct Asked {
    store::Txn txn;
    store::SubmitCallback done;
  };
  struct Pipe;

  store::MemoryStore* const disk_;
  Timeline* const time_;
  Process* const process_;
  Random* const random_;
  const StoreWeather* const weather_;
  const int64_t term_;
  const std::function<void()> step_;
  const std::shared_ptr<Pipe> pipe_;
};

// Decides for the disk what becomes of a transaction.
store::Fault FaultOf(const StoreWeather& weather, Random* random);

}  // namespace cluster::sim
