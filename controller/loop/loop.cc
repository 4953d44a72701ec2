#include "controller/loop/loop.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "controller/object/object_fields.h"
#include "controller/reconcile/clock_steps.h"

namespace cluster::controller {
namespace {

constexpr size_t kMaxWrites = 500;
constexpr size_t kMaxBytes = 4 << 20;
constexpr absl::Duration kRetry = absl::Milliseconds(200);
constexpr absl::Duration kClockStep = absl::Seconds(2);

// Part of taking something away, which a full disk must not keep from happening.
bool ServesDeletion(const Write& write) {
  return !write.put.has_value() || Meta(*write.put).has_deletion_timestamp();
}

store::Txn TxnOf(const std::vector<Write>& writes) {
  store::Txn txn;
  txn.for_deletion = std::all_of(writes.begin(), writes.end(), ServesDeletion);
  txn.write_id = RandomId();
  for (const Write& write : writes) {
    txn.conds.push_back({write.key, write.expected});
    if (write.put.has_value()) {
      txn.ops.push_back({store::Op::Kind::kPut, write.key, SerializeObject(*write.put), 0});
    } else {
      txn.ops.push_back({store::Op::Kind::kDelete, write.key, "", 0});
    }
  }
  return txn;
}

// Where the first half ends; nothing that is to be written together is parted.
size_t HalfOf(const std::vector<Write>& writes) {
  size_t half = writes.size() / 2;
  while (half > 0 && writes[half].with_previous) --half;
  return half;
}

// How many of them go into the next transaction.
size_t NextCount(const std::vector<Write>& writes) {
  size_t count = 0;
  size_t bytes = 0;
  while (count < writes.size() && count < kMaxWrites && bytes < kMaxBytes) {
    if (writes[count].put.has_value()) bytes += writes[count].put->ByteSizeLong();
    ++count;
  }
  if (count == writes.size() || !writes[count].with_previous) return count;
  size_t group = count;
  while (group > 0 && writes[group].with_previous) --group;
  if (group > 0) return group;
  // A single group, which kMostTogether keeps small.
  while (count < writes.size() && writes[count].with_previous) ++count;
  return count;
}

v1::Event EventOf(const EventNote& note) {
  v1::Event event;
  *event.mutable_involved_object() = note.involved;
  event.set_type(note.type);
  event.set_reason(note.reason);
  event.set_message(note.message);
  event.mutable_source()->set_component(note.component);
  return event;
}

bool SameContacts(const NodeContacts& a, const NodeContacts& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& one, const auto& other) {
    return one.first == other.first && one.second.contact == other.second.contact &&
           one.second.since == other.second.since;
  });
}

}  // namespace

absl::StatusOr<std::unique_ptr<Loop>> Loop::Start(Parts parts, LoopOptions options) {
  auto loop = std::unique_ptr<Loop>(new Loop(std::move(parts), options));
  absl::Status followed;
  loop->strand_.Call([self = loop.get(), &followed] {
    followed = self->Follow();
    if (followed.ok()) self->PassLater(absl::ZeroDuration());
  });
  RETURN_IF_ERROR(followed);
  return loop;
}

Loop::Loop(Parts parts, LoopOptions options)
    : parts_(std::move(parts)),
      options_(options),
      strand_("loop", parts_.executor),
      scheduler_(options.scheduler),
      brake_(options.i_am_not_partitioned),
      random_(options.seed) {}

Loop::~Loop() { strand_.Stop(); }

void Loop::Wake() {
  strand_.Post([this] { PassLater(Debounce()); });
}

absl::Duration Loop::Debounce() const {
  return std::max(options_.debounce, std::min(2 * pass_took_, options_.longest_debounce));
}

absl::Status Loop::Follow() {
  view_ = parts_.cache->Snapshot();
  scheduler_.Reset();
  settled_.Clear();
  ASSIGN_OR_RETURN(watch_, parts_.cache->Watch({}, view_.revision(), [this] { Wake(); }));
  return absl::OkStatus();
}

absl::Status Loop::Look() {
  while (true) {
    const auto taken = watch_->TakeChanges();
    if (absl::IsOutOfRange(taken.status())) return Follow();
    if (!taken.ok()) return taken.status();
    if (taken->empty()) break;
    for (const ChangesPtr& changes : *taken) {
      for (const Change& change : changes->items) {
        scheduler_.Note(change.before, change.after);
        if (change.after != nullptr) {
          view_.Put(change.after);
        } else {
          view_.Remove(change.before->key);
        }
      }
    }
  }
  view_.set_revision(std::max(view_.revision(), watch_->position()));
  return absl::OkStatus();
}

bool Loop::IsAtRest(absl::Time now, const NodeContacts& contacts, int64_t sample) const {
  return rested_.has_value() && rested_->rev == view_.revision() && rested_->sample == sample &&
         SameContacts(rested_->contacts, contacts) && (!wake_at_.has_value() || now < *wake_at_);
}

void Loop::MindClock(absl::Time now, absl::Duration monotonic) {
  const absl::Time zero = now - monotonic;
  const absl::Duration step = zero_.has_value() ? zero - *zero_ : absl::ZeroDuration();
  zero_ = zero;
  // Clocks that are only disciplined move by less between two passes.
  if (absl::AbsDuration(step) < kClockStep) return;
  LOG_WARN("the clock was set by {}: deadlines that are running move along",
           absl::FormatDuration(step));
  shift_ += step;
}

bool Loop::Shifts() {
  if (shift_ == absl::ZeroDuration()) return false;
  rested_.reset();
  Changes shifts = ShiftDeadlines(view_, shift_);
  if (shifts.empty()) {
    shift_ = absl::ZeroDuration();
    return false;
  }
  passing_ = true;
  writes_ = std::move(shifts.writes);
  return true;
}

void Loop::PassLater(absl::Duration delay) {
  if (due_) return;
  due_ = true;
  strand_.PostAfter(delay, [this] {
    due_ = false;
    Pass();
  });
}

void Loop::Pass() {
  if (passing_) {
    again_ = true;
    return;
  }
  again_ = false;
  const absl::Status looked = Look();
  if (!looked.ok()) return parts_.fatal(Annotate(looked, "the controller lost sight of its store"));
  // What the last pass has written is not visible yet; the watch wakes this again.
  if (view_.revision() < wait_for_) return PassLater(absl::Milliseconds(1));
  const absl::Time now = parts_.clock->Now();
  const absl::Duration began = parts_.clock->Monotonic();
  if (began - looked_at_all_ >= options_.look_at_all) {
    settled_.Clear();
    looked_at_all_ = began;
    rested_.reset();
  }
  MindClock(now, began);
  if (Shifts()) return Commit();
  const NodeContacts contacts = parts_.contacts();
  ReconcileInputs inputs{now, began, &contacts, &brake_, &random_, &settled_};
  const std::shared_ptr<const UsageSample> usage = parts_.usage ? parts_.usage(view_) : nullptr;
  const bool asked = usage != nullptr && !view_.All(v1::Object::kHorizontalPodAutoscaler).empty();
  const int64_t sample = asked ? usage->number : 0;
  if (IsAtRest(now, contacts, sample)) return EndPass();
  if (usage != nullptr) {
    inputs.usage = usage.get();
    inputs.autoscale = &autoscale_;
  }
  Changes changes = Reconcile(view_, inputs);
  Schedule(view_, now, &scheduler_, &changes);
  rested_.reset();
  if (changes.empty()) rested_ = {view_.revision(), contacts, sample};
  pass_took_ = parts_.clock->Monotonic() - began;
  passing_ = true;
  writes_ = std::move(changes.writes);
  notes_ = std::move(changes.events);
  wake_at_ = changes.wake_at;
  Commit();
}

// In order, one transaction after another.
void Loop::Commit() {
  if (writes_.empty()) return EndPass();
  const size_t count = NextCount(writes_);
  const auto end = writes_.begin() + static_cast<std::ptrdiff_t>(count);
  std::vector<Write> some(std::make_move_iterator(writes_.begin()), std::make_move_iterator(end));
  writes_.erase(writes_.begin(), end);
  store::Txn txn = TxnOf(some);
  Submit(std::move(txn), std::move(some));
}

void Loop::Submit(store::Txn txn, std::vector<Write> writes) {
  store::Txn copy = txn;
  parts_.store->Submit(std::move(copy), [this, txn = std::move(txn), writes = std::move(writes)](
                                            store::SubmitResult result) mutable {
    strand_.Post([this, txn = std::move(txn), writes = std::move(writes),
                  result = std::move(result)]() mutable {
      OnResult(std::move(txn), std::move(writes), std::move(result));
    });
  });
}

void Loop::OnResult(store::Txn txn, std::vector<Write> writes, store::SubmitResult result) {
  if (result.status.ok()) {
    full_ = false;
    // Not twice, whatever becomes of the others.
    shift_ = absl::ZeroDuration();
    wait_for_ = std::max(wait_for_, result.commit.rev);
    return Commit();
  }
  if (absl::IsUnknown(result.status)) {
    strand_.PostAfter(kRetry, [this, txn = std::move(txn), writes = std::move(writes)]() mutable {
      Submit(std::move(txn), std::move(writes));
    });
    return;
  }
  if (absl::IsAborted(result.status) && writes.size() > 1) {
    // The ones that conflict are left to the next pass.
    std::set<std::string> conflicts;
    for (const store::Kv& kv : result.conflicts) conflicts.insert(kv.key);
    const size_t before = writes.size();
    EraseTogether([&](const Write& write) { return conflicts.contains(write.key); }, &writes);
    if (writes.size() == before) writes.resize(HalfOf(writes));
    if (writes.empty()) return Commit();
    store::Txn rest = TxnOf(writes);
    return Submit(std::move(rest), std::move(writes));
  }
  if (absl::IsAborted(result.status)) {
    wait_for_ = std::max(wait_for_, parts_.store->CurrentRev());
    return Commit();
  }
  if (absl::IsFailedPrecondition(result.status)) {
    return parts_.fatal(Annotate(result.status, "this controller may not write any more"));
  }
  if (absl::IsResourceExhausted(result.status) && !txn.for_deletion) {
    EraseTogether([](const Write& write) { return !ServesDeletion(write); }, &writes);
    if (!writes.empty()) {
      store::Txn deletions = TxnOf(writes);
      return Submit(std::move(deletions), std::move(writes));
    }
  }
  if (!full_) LOG_ERROR("the cluster's state cannot be written: {}", result.status.ToString());
  full_ = true;
  // What was tried before with unknown outcome may have been applied.
  wait_for_ = std::max(wait_for_, parts_.store->CurrentRev());
  writes_.clear();
  notes_.clear();
  passing_ = false;
  strand_.PostAfter(kRetry, [this] { PassLater(absl::ZeroDuration()); });
}

void Loop::EndPass() {
  passing_ = false;
  NoteEvents();
  parts_.cache->Tidy();
  absl::Duration wait = options_.period;
  if (wake_at_.has_value()) wait = std::min(wait, *wake_at_ - parts_.clock->Now());
  // Only the timer of the last pass counts.
  const int64_t timer = ++timer_;
  strand_.PostAfter(std::max(wait, absl::Milliseconds(1)), [this, timer] {
    if (timer == timer_) PassLater(absl::ZeroDuration());
  });
  // What was written, and what came meanwhile.
  if (again_ || wait_for_ > view_.revision() || parts_.cache->revision() > view_.revision()) {
    PassLater(Debounce());
  }
}

void Loop::NoteEvents() {
  for (const EventNote& note : notes_) parts_.events->Note(EventOf(note));
  notes_.clear();
}

}  // namespace cluster::controller
