// What a pure room wants done: writes to objects, events to note, and when to look again.
//
// Contract with the loop that commits them:
// - Every write stands on its own: it is safe to commit any prefix, to lose any of them to a
// conflict,
//   or to commit each in its own transaction, as long as the order is kept. What was lost is
//   computed again in the next pass.
// - The exception are writes that say so (Write::with_previous): such a group is committed in one
//   transaction or not at all.
// - A key occurs at most once in one Changes.
// - The next pass looks at a view that holds everything the previous pass has committed
//   (view.revision() >= the last commit's revision); otherwise pods would be made twice.
// - Events are noted once the pass is committed.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "cluster/v1/object.pb.h"
#include "controller/cache/view.h"

namespace cluster::controller {

struct Write {
  std::string key;
  // Absent: the key is deleted. metadata.resourceVersion in here means nothing.
  std::optional<v1::Object> put;
  // The key's mod_rev that this write builds on; 0: the key must not exist.
  store::Rev expected = 0;
  // Committed together with the write before it, or neither of them is.
  bool with_previous = false;
};

struct EventNote {
  v1::ObjectReference involved;
  std::string type;       // "Normal" or "Warning"
  std::string reason;     // one CamelCase word
  std::string message;    // for people
  std::string component;  // "scheduler", "deployment-controller", ...
};

struct Changes {
  std::vector<Write> writes;
  std::vector<EventNote> events;
  // When the answer may differ though nothing changed; unset: never.
  std::optional<absl::Time> wake_at;

  bool empty() const { return writes.empty() && events.empty(); }
  void Create(v1::Object object);
  void Put(const Entry& before, v1::Object object);
  void Delete(const Entry& entry);
  void WakeAt(absl::Time when);
  // Appends everything of `more`; MergeChanges sorts out later what has one key.
  void Append(Changes more);
  // Appends everything of `group`; its writes become one that is committed as a whole. At most
  // kMostTogether of them.
  void Together(Changes group);
};

// One transaction of the store holds as many writes.
constexpr size_t kMostTogether = 400;

// Adds `more` to `into`. Where two writes have one key, the first stays and the other is left
// to the next pass, with all that is committed together with it.
void MergeChanges(Changes more, Changes* into);

// Takes out the writes that `drop` is true for, each with all that is committed together with it.
void EraseTogether(const std::function<bool(const Write&)>& drop, std::vector<Write>* writes);

v1::ObjectReference ReferenceTo(const v1::Object& object);
EventNote MakeEvent(const v1::Object& involved, absl::string_view type, absl::string_view reason,
                    std::string message, absl::string_view component);

}  // namespace cluster::controller
