// Writes down what happened to objects. Equal events are counted, not repeated; nobody waits for
// them.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"

#include "base/clock.h"
#include "base/strand.h"
#include "cluster/v1/event.pb.h"
#include "controller/store/store.h"

namespace cluster::controller {

struct EventOptions {
  // Notes are gathered this long and written in one transaction; ten times as long while more come
  // than one transaction takes.
  absl::Duration gather = absl::Milliseconds(20);
  // Of one namespace; the oldest go first. As many more may wait to be written: what is older than
  // those is never written, as it would be removed at once.
  size_t max_per_namespace = 1000;
  // An event that was not repeated for so long is a new one. The garbage reconciler removes it.
  absl::Duration memory = absl::Hours(1);
};

// Thread-safe. What cannot be stored is dropped, and said so in the log.
class EventRecorder {
 public:
  // All must outlive the recorder. DataLoss when a stored event cannot be read. `executor`: see
  // base/strand.h.
  static absl::StatusOr<std::unique_ptr<EventRecorder>> Start(store::Store* store,
                                                              const Clock* clock,
                                                              EventOptions options = {},
                                                              Executor* executor = nullptr);
  // The store must have answered everything by now.
  ~EventRecorder();
  // Writes nothing more.
  void Stop() { strand_.Stop(); }

  // involved_object, type, reason, message and source say what happened; count (at least 1) how
  // often. Times are filled in when absent.
  void Note(v1::Event event);

 private:
  struct Kept {
    v1::Event event;
    std::string key;
    store::Rev mod_rev = 0;
    absl::Time last;
    bool dirty = false;  // to be written
    bool open = false;   // in the transaction that is open
  };
  // Identities by age, the oldest first.
  using ByAge = std::set<std::pair<absl::Time, std::string>>;
  struct Space {
    ByAge all;
    ByAge unwritten;  // those that the store has never had and that wait to be written
  };
  using ByIdentity = absl::flat_hash_map<std::string, Kept>;

  EventRecorder(store::Store* store, const Clock* clock, EventOptions options, Executor* executor);
  absl::Status Load();
  void Count(v1::Event event);
  void Begin(const v1::Event& event, const std::string& identity);
  // Enters it among the others of its namespace, or takes it out.
  void Enter(const std::string& identity, const Kept& kept);
  void TakeOut(const std::string& identity, const Kept& kept);
  void Drop(const std::string& identity);
  void SetDirty(const std::string& identity, Kept* kept);
  void Forget(const std::string& name_space, absl::Time now);
  void FlushLater();
  void Flush();
  void DropSurplus(const std::string& name_space, store::Txn* txn);
  void OnResult(const std::vector<std::string>& identities, const store::SubmitResult& result);
  void Reread();

  store::Store* const store_;
  const Clock* const clock_;
  const EventOptions options_;
  Strand strand_;

  // On the strand.
  ByIdentity kept_;
  std::map<std::string, Space> spaces_;
  std::deque<std::string> dirty_;  // identities, some of which may be gone or written
  bool timer_ = false;
  bool open_ = false;
  bool complained_ = false;
};

}  // namespace cluster::controller
