// The node's journal: what the agent must know after a crash, written before the thing it speaks of
// is made (law 6). A small map (kind, key) -> bytes, whole in memory and durable in one append-only
// file. The file's form is in frame.h.
//
// What a crash in the middle of a write leaves at the end of the file was never acknowledged and is
// dropped. A bad frame with good ones behind it is damage: Open refuses with DataLoss and leaves
// the file as it is.
//
// All methods may be called from any thread. Writers that come together share one fdatasync(2).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "base/mutex.h"
#include "base/process_lock.h"
#include "base/unique_handle.h"

namespace cluster::node {

// What a record is about. The numbers are on disk: never reuse one. 1-15 are the node's own rooms.
enum class RecordKind : uint8_t {
  kAddressLease = 1,  // network: key = pod uid
  kPod = 2,           // runtime: key = pod uid
  kContainer = 3,     // runtime: key = the runtime's choice
  kImage = 4,
  kSession = 5,
  kNetwork = 6,  // network: key "range"
};

struct Record {
  std::string key;
  std::string value;
};

// What a record must survive. Kernel objects (links, namespaces, cgroups) do not outlive the power,
// so records of such need not either, and a wait for the disk on every pod's start would buy
// nothing.
enum class Survives {
  kPowerCut,    // every change is synced before it is acknowledged
  kAgentCrash,  // every change is in the kernel before it is acknowledged; for a run directory
};

class Journal {
 public:
  // Opens or creates the file `path`; its directory must exist. Holds `path`.lock
  // (base/process_lock.h), so that no second agent writes it: FailedPrecondition when one does,
  // and where the file is of another format, which is kept. DataLoss: see above; with kAgentCrash
  // the records before the damage are kept instead, as a power cut may leave any mixture behind and
  // then nothing is alive that the others could speak of.
  static absl::StatusOr<std::unique_ptr<Journal>> Open(const std::string& path,
                                                       Survives survives = Survives::kPowerCut);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // Both return once the change is on the disk (kAgentCrash: in the file). After an error
  // (ResourceExhausted: the disk is full) it is neither there nor in memory. A Put of what is there
  // already, or a Remove of what is not, costs nothing. InvalidArgument: key over 64 KiB or value
  // over 1 MiB.
  absl::Status Put(RecordKind kind, absl::string_view key, absl::string_view value);
  absl::Status Remove(RecordKind kind, absl::string_view key);

  // What is durable now. NotFound.
  absl::StatusOr<std::string> Get(RecordKind kind, absl::string_view key) const;
  // In the order of the keys.
  std::vector<Record> All(RecordKind kind) const;

 private:
  using Key = std::pair<RecordKind, std::string>;
  struct Change {
    Key key;
    bool removal = false;
    std::string value;
  };
  // What writers of one fdatasync share.
  struct Batch {
    std::vector<Change> changes;
    bool done = false;
    absl::Status result;
  };

  Journal(std::string path, Survives survives) : path_(std::move(path)), survives_(survives) {}
  absl::Status Load();
  absl::Status Commit(Change change) ABSL_LOCKS_EXCLUDED(mutex_);
  void Lead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Append(const std::vector<Change>& changes);
  absl::Status Rewrite(const std::map<Key, std::string>& records);
  // Whether the open file is still the one of that name.
  bool StillThere() const;
  void Apply(const std::vector<Change>& changes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Status Sync();

  const std::string path_;
  const Survives survives_;
  std::optional<ProcessLock> lock_;  // always, once open

  mutable Mutex mutex_;
  CondVar turn_;
  std::map<Key, std::string> records_ ABSL_GUARDED_BY(mutex_);
  size_t live_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::shared_ptr<Batch> gathering_ ABSL_GUARDED_BY(mutex_);
  bool leading_ ABSL_GUARDED_BY(mutex_) = false;

  // Only the leader touches these, without the mutex.
  UniqueFd file_;
  uint64_t sequence_ = 0;  // of the last good frame
  uint64_t size_ = 0;      // of the file up to there
  bool damaged_ = false;   // a failed write could not be taken back: rewrite first
};

}  // namespace cluster::node
