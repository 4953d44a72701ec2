#include "node/pod/pod_workers.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "base/log.h"
#include "base/status.h"
#include "node/pod/recovery.h"

namespace cluster::node {
namespace {

// Some container of it ran.
bool HasBegun(const v1::PodRecord& record) {
  return std::any_of(record.containers().begin(), record.containers().end(),
                     [](const v1::ContainerRecord& container) {
                       return container.has_started_at() || container.has_terminated() ||
                              container.attempt() > 0;
                     });
}

bool IsLeaving(const v1::Assignment& assignment) {
  return assignment.pod().metadata().has_deletion_timestamp();
}

}  // namespace

PodWorkers::PodWorkers(PodWorld world, WorkersOptions options)
    : world_(WithPoke(std::move(world))),
      options_(options),
      rounds_(options.threads, options.stuck_after) {
  if (options_.executor != nullptr) strand_.emplace("pods", options_.executor);
}

PodWorld PodWorkers::WithPoke(PodWorld world) {
  world.look_again = [this](const std::string& uid) { Poke(uid); };
  world.with_room = [this](const std::string& uid,
                           const std::function<void(const NodeRoom&)>& decide) {
    MutexLock one_at_a_time(&admission_);
    decide(RoomFor(uid));
  };
  world.take_claims = [this](const std::string& uid, const std::vector<std::string>& claims) {
    return TakeClaims(uid, claims);
  };
  return world;
}

NodeRoom PodWorkers::RoomFor(const std::string& uid) const {
  NodeRoom room;
  room.allocatable = RequestsIn(world_.allocatable);
  Visit([&](const v1::PodRecord& record) {
    if (record.uid() == uid || record.gone() || IsTerminal(record.phase())) return;
    const PodRequests granted = GrantedRequests(record);
    room.others.cpu_milli += granted.cpu_milli;
    room.others.memory_bytes += granted.memory_bytes;
  });
  return room;
}

absl::Status PodWorkers::TakeClaims(const std::string& uid,
                                    const std::vector<std::string>& claims) {
  std::string holder;
  const auto conflict = claims_.Take(uid, claims, [&](const std::string& other) {
    bool over = true;  // it is not here any more
    Visit([&](const v1::PodRecord& record) {
      if (record.uid() != other) return;
      over = IsOver(record);
      const v1::ObjectMeta& meta = record.assignment().pod().metadata();
      holder = absl::StrCat(meta.namespace_(), "/", meta.name());
    });
    return over;
  });
  if (!conflict.has_value()) return absl::OkStatus();
  std::string name = conflict->claim;
  Visit([&](const v1::PodRecord& record) {
    for (const v1::Object& object : record.assignment().references()) {
      const v1::ObjectMeta& meta = object.persistent_volume_claim().metadata();
      if (meta.uid() == conflict->claim) name = meta.name();
    }
  });
  return absl::FailedPreconditionError(absl::StrCat("PersistentVolumeClaim \"", name,
                                                    "\" is ReadWriteOncePod and pod ", holder,
                                                    " has it; it starts when that pod is over"));
}

void PodWorkers::RetryThose(const std::set<std::string>& uids) {
  for (const std::string& uid : uids) {
    const auto slot = slots_.find(uid);
    if (slot == slots_.end()) continue;
    slot->second.worker->Retry();
    Enqueue(uid, &slot->second);
  }
}

PodWorkers::~PodWorkers() { Stop(absl::InfiniteDuration()); }

absl::Status PodWorkers::Recover() {
  ASSIGN_OR_RETURN(const std::vector<RecoveredPod> found, world_.runtime->Recover());
  const std::map<std::string, v1::PodRecord> records = world_.records->Pods();
  const RecoveryPlan plan = PlanRecovery(records, found);
  for (const std::string& uid : plan.remove) {
    const absl::Status removed = world_.runtime->Remove(uid);
    // What is stuck is swept by the next start; nothing of ours refers to it.
    if (!removed.ok()) LOG_WARN("remove unknown pod {}: {}", uid, removed.ToString());
  }
  for (const auto& [uid, record] : records) {
    if (IsOver(record) || !HasBegun(record)) continue;
    const auto taken = claims_.Take(uid, OnePodClaimsOf(record.assignment()),
                                    [](const std::string&) { return false; });
    if (taken.has_value()) LOG_WARN("pod {} shares claim {}", uid, taken->claim);
  }
  MutexLock lock(&mutex_);
  for (const auto& [uid, record] : records) {
    Slot& slot = slots_[uid];
    slot.worker = std::make_unique<PodWorker>(&world_, record);
    slot.assigned = record.assigned();
    slot.leaving = !record.assigned() || IsLeaving(record.assignment());
    slot.epoch = record.assignment().epoch();
    Enqueue(uid, &slot);
  }
  LOG_INFO("recovered: {} pods live, {} to be made again, {} unknown ones removed",
           plan.adopt.size(), plan.lost.size(), plan.remove.size());
  world_.runtime->SetListener([this](const std::string& uid) { Poke(uid); });
  if (strand_.has_value()) return absl::OkStatus();
  for (int i = 0; i < options_.threads; ++i) Spawn();
  dispatcher_ = std::thread([this] { Dispatch(); });
  return absl::OkStatus();
}

v1::NodeStateChange PodWorkers::Merge(const AssignmentChange& change, int* refused) {
  v1::NodeStateChange merged;
  *merged.mutable_node() = change.node;
  std::set<std::string> wanted;
  for (const v1::Assignment& assignment : change.assignments) {
    const std::string& uid = assignment.pod().metadata().uid();
    wanted.insert(uid);
    const auto slot = slots_.find(uid);
    if (slot != slots_.end() && assignment.epoch() < slot->second.epoch) {
      ++*refused;
      continue;
    }
    const v1::PodRecord record = NewRecord(assignment, world_.Now());
    if (slot == slots_.end()) *merged.add_pods() = WithoutAssignment(record);
    *merged.add_assignments() = AssignmentOf(record);
  }
  std::set<std::string> removed(change.removed.begin(), change.removed.end());
  for (const auto& [uid, slot] : slots_) {
    const bool goes = removed.count(uid) != 0 || (change.complete && wanted.count(uid) == 0);
    if (!goes || !slot.assigned) continue;
    v1::AssignmentRecord* record = merged.add_assignments();
    record->set_uid(uid);
    record->set_assigned(false);
  }
  return merged;
}

void PodWorkers::TakeOver(const v1::NodeStateChange& change) {
  std::map<std::string, const v1::PodRecord*> fresh;
  for (const v1::PodRecord& record : change.pods()) fresh[record.uid()] = &record;
  for (const v1::AssignmentRecord& news : change.assignments()) {
    Slot& slot = slots_[news.uid()];
    if (slot.worker == nullptr) {
      const auto known = fresh.find(news.uid());
      if (known == fresh.end()) {
        // Forgotten while this was written down; the controller tells of it again.
        slots_.erase(news.uid());
        continue;
      }
      v1::PodRecord record = *known->second;
      Reassign(news.assignment(), &record);
      slot.worker = std::make_unique<PodWorker>(&world_, std::move(record));
    } else {
      slot.worker->Tell(news);
    }
    slot.assigned = news.assigned();
    slot.leaving = !news.assigned() || (news.has_assignment() && IsLeaving(news.assignment()));
    if (news.has_assignment()) slot.epoch = news.assignment().epoch();
    Enqueue(news.uid(), &slot);
  }
}

absl::Status PodWorkers::Apply(AssignmentChange change, int* refused) {
  MutexLock apply(&apply_mutex_);
  v1::NodeStateChange merged;
  {
    MutexLock lock(&mutex_);
    merged = Merge(change, refused);
  }
  RETURN_IF_ERROR(world_.records->Commit(merged));
  MutexLock lock(&mutex_);
  TakeOver(merged);
  return absl::OkStatus();
}

void PodWorkers::Enqueue(const std::string& uid, Slot* slot, bool first) {
  if (slot->running) {
    slot->again = true;
    return;
  }
  if (slot->queued) return;
  slot->queued = true;
  SetDue(uid, slot, absl::InfiniteDuration());
  if (first) {
    rounds_.PushFirst(uid, slot->leaving);
  } else {
    rounds_.Push(uid, slot->leaving);
  }
  DriveAt(-absl::InfiniteDuration());
  work_.Signal();
  const bool waits = !rounds_.HasNext(world_.clock->Monotonic());
  if (waits || rounds_.waiting() > idle_) dispatch_.Signal();
}

void PodWorkers::SetDue(const std::string& uid, Slot* slot, absl::Duration due) {
  if (slot->due != absl::InfiniteDuration()) timers_.erase({slot->due, uid});
  slot->due = due;
  if (due == absl::InfiniteDuration()) return;
  const bool first = timers_.empty() || due < timers_.begin()->first;
  timers_.insert({due, uid});
  if (first) DriveAt(due);
  if (first) dispatch_.Signal();
}

void PodWorkers::Poke(const std::string& uid) {
  MutexLock lock(&mutex_);
  const auto slot = slots_.find(uid);
  if (slot != slots_.end()) Enqueue(uid, &slot->second);
}

void PodWorkers::Evict(const std::string& uid, const std::string& message, absl::Duration grace) {
  MutexLock lock(&mutex_);
  const auto slot = slots_.find(uid);
  if (slot == slots_.end()) return;
  slot->second.worker->Evict(message, grace);
  Enqueue(uid, &slot->second);
}

void PodWorkers::LoseLease() {
  MutexLock lock(&mutex_);
  for (auto& [uid, slot] : slots_) {
    slot.worker->LoseLease();
    Enqueue(uid, &slot);
  }
}

void PodWorkers::RetryAll() {
  MutexLock lock(&mutex_);
  for (auto& [uid, slot] : slots_) {
    slot.worker->Retry();
    Enqueue(uid, &slot);
  }
}

std::map<std::string, int64_t> PodWorkers::Epochs() const {
  MutexLock lock(&mutex_);
  std::map<std::string, int64_t> epochs;
  for (const auto& [uid, slot] : slots_) {
    if (slot.assigned) epochs[uid] = slot.epoch;
  }
  return epochs;
}

size_t PodWorkers::StaleCount() const {
  MutexLock lock(&mutex_);
  return static_cast<size_t>(std::count_if(
      slots_.begin(), slots_.end(), [](const auto& entry) { return !entry.second.assigned; }));
}

void PodWorkers::SetForgottenListener(std::function<void()> listener) {
  MutexLock lock(&mutex_);
  forgotten_ = std::move(listener);
}

void PodWorkers::Visit(const std::function<void(const v1::PodRecord&)>& see) const {
  MutexLock lock(&mutex_);
  for (const auto& [uid, slot] : slots_) slot.worker->Visit(see);
}

absl::StatusOr<v1::PodRecord> PodWorkers::Find(const std::string& name_space,
                                               const std::string& name) const {
  MutexLock lock(&mutex_);
  for (const auto& [uid, slot] : slots_) {
    v1::PodRecord record = slot.worker->Snapshot();
    const v1::ObjectMeta& meta = record.assignment().pod().metadata();
    if (slot.assigned && meta.name() == name && meta.namespace_() == name_space) return record;
  }
  return absl::NotFoundError(
      absl::StrCat("pod ", name_space, "/", name, " is not on node ", world_.node_name));
}

bool PodWorkers::UsesClaim(const std::string& claim_uid) const {
  MutexLock lock(&mutex_);
  for (const auto& [uid, slot] : slots_) {
    const v1::PodRecord record = slot.worker->Snapshot();
    if (record.gone()) continue;
    for (const v1::Object& object : record.assignment().references()) {
      if (object.persistent_volume_claim().metadata().uid() == claim_uid) return true;
    }
  }
  return false;
}

void PodWorkers::Spawn() {
  threads_.emplace_back([this] { Work(); });
}

void PodWorkers::Work() {
  MutexLock lock(&mutex_);
  while (!stopping_) {
    if (Turn()) continue;
    ++idle_;
    work_.Wait(&mutex_);
    --idle_;
  }
}

bool PodWorkers::Turn() {
  const std::optional<std::string> next_one = rounds_.Take(world_.clock->Monotonic());
  if (!next_one.has_value()) return false;
  const std::string& uid = *next_one;
  const auto found = slots_.find(uid);
  if (found == slots_.end()) {
    rounds_.End(uid);
    return true;
  }
  found->second.queued = false;
  found->second.running = true;
  PodWorker* const worker = found->second.worker.get();
  mutex_.Unlock();
  const absl::Duration next = worker->Round();
  bool over = false;
  worker->Visit([&over](const v1::PodRecord& record) { over = IsOver(record); });
  const std::set<std::string> waiting = over ? claims_.TakeWaiting(uid) : std::set<std::string>();
  mutex_.Lock();
  RetryThose(waiting);
  FinishRound(uid, next);
  return true;
}

void PodWorkers::FireTimers(absl::Duration now) {
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const std::string uid = timers_.begin()->second;
    Enqueue(uid, &slots_[uid]);
  }
}

void PodWorkers::DriveAt(absl::Duration due) {
  if (!strand_.has_value() || due >= drive_at_) return;
  drive_at_ = due;
  const auto drive = [this, number = ++drive_number_] { Drive(number); };
  if (due == -absl::InfiniteDuration()) return strand_->Post(drive);
  strand_->PostAfter(due - world_.clock->Monotonic(), drive);
}

void PodWorkers::Drive(int64_t number) {
  MutexLock lock(&mutex_);
  if (stopping_ || number != drive_number_) return;
  drive_at_ = absl::InfiniteDuration();
  FireTimers(world_.clock->Monotonic());
  Turn();
  if (rounds_.waiting() > 0) return DriveAt(-absl::InfiniteDuration());
  if (!timers_.empty()) DriveAt(timers_.begin()->first);
}

void PodWorkers::FinishRound(const std::string& uid, absl::Duration next) {
  rounds_.End(uid);
  ended_.SignalAll();
  Slot& slot = slots_[uid];
  slot.running = false;
  if (slot.worker->Finished()) {
    slots_.erase(uid);
    const std::function<void()> forgotten = forgotten_;
    mutex_.Unlock();
    if (forgotten) forgotten();
    mutex_.Lock();
    return;
  }
  const bool more = next <= world_.clock->Monotonic();
  if (more || slot.again) {
    slot.again = false;
    // A pod on its way is finished before another one is begun: the first ones run sooner.
    Enqueue(uid, &slot, more);
  } else {
    SetDue(uid, &slot, next);
  }
}

void PodWorkers::Dispatch() {
  MutexLock lock(&mutex_);
  while (!stopping_) {
    const absl::Duration now = world_.clock->Monotonic();
    FireTimers(now);
    absl::Duration wait = timers_.empty() ? absl::InfiniteDuration() : timers_.begin()->first - now;
    if (rounds_.waiting() > 0) {
      const int threads = static_cast<int>(threads_.size());
      const bool short_of_them = rounds_.waiting() > idle_ && threads < options_.max_threads &&
                                 threads - rounds_.Stuck(now) < options_.threads;
      if (short_of_them) Spawn();
      // What is stuck by now makes room for what had to wait.
      if (rounds_.HasNext(now)) work_.Signal();
      wait = std::min(wait, options_.stuck_after / 4);
    }
    if (wait == absl::InfiniteDuration()) {
      dispatch_.Wait(&mutex_);
    } else {
      dispatch_.WaitFor(&mutex_, wait);
    }
  }
}

bool PodWorkers::Stop(absl::Duration patience) {
  std::vector<std::thread> threads;
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    work_.SignalAll();
    dispatch_.SignalAll();
    const absl::Duration deadline = RealClock()->Monotonic() + patience;
    while (rounds_.running() > 0) {
      const absl::Duration left = deadline - RealClock()->Monotonic();
      if (left <= absl::ZeroDuration()) return false;
      if (left == absl::InfiniteDuration()) {
        ended_.Wait(&mutex_);
      } else {
        ended_.WaitFor(&mutex_, left);
      }
    }
  }
  if (dispatcher_.joinable()) dispatcher_.join();
  {
    MutexLock lock(&mutex_);
    threads = std::move(threads_);
    threads_.clear();
  }
  for (std::thread& thread : threads) thread.join();
  return true;
}

}  // namespace cluster::node
