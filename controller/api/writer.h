// Plans a write against the cache, commits it, and plans anew when the world moved in between.
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"

#include "controller/api/revision_gate.h"
#include "controller/cache/cache.h"
#include "controller/store/store.h"

namespace cluster::controller {

// Thread-safe; never blocks.
class Writer {
 public:
  // Makes the transaction; without operations there is nothing to write. Called again after a
  // conflict, with a cache that shows what conflicted.
  using Plan = std::function<absl::StatusOr<store::Txn>()>;
  // `rev`: the cache shows at least this revision, which holds the write. Called on the strand of
  // the gate, or before Write returns where nothing had to be written.
  using Done = std::function<void(absl::Status status, store::Rev rev)>;

  // All must outlive the writer and its calls.
  Writer(store::Store* store, Cache* cache, RevisionGate* gate)
      : store_(store), cache_(cache), gate_(gate) {}

  // An empty write id is replaced by a random one. Aborted when the plan says so, or when it met a
  // conflict too often; Unknown when the store does not say whether it has applied it.
  void Write(std::string write_id, Plan plan, Done done);

 private:
  struct Call;
  void Attempt(std::shared_ptr<Call> call);
  void Submit(std::shared_ptr<Call> call, store::Txn txn);
  void OnResult(std::shared_ptr<Call> call, store::Txn txn, store::SubmitResult result);

  store::Store* const store_;
  Cache* const cache_;
  RevisionGate* const gate_;
};

}  // namespace cluster::controller
