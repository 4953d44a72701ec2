#include "controller/events/event_recorder.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"

#include "base/log.h"
#include "base/status.h"
#include "controller/cache/view.h"
#include "controller/object/object_fields.h"
#include "proto/schema/kinds.h"

namespace cluster::controller {
namespace {

constexpr char kPrefix[] = "events/";
constexpr size_t kMaxInOne = 400;

// Equal events have the same.
std::string IdentityOf(const v1::Event& event) {
  const v1::ObjectReference& involved = event.involved_object();
  return absl::StrCat(involved.kind(), "/", involved.namespace_(), "/", involved.name(), "/",
                      involved.uid(), "\n", involved.field_path(), "\n", event.type(), "\n",
                      event.reason(), "\n", event.source().component(), "\n", event.source().host(),
                      "\n", event.message());
}

std::string NamespaceOf(const v1::Event& event) {
  const std::string& space = event.involved_object().namespace_();
  return space.empty() ? "default" : space;
}

int32_t CountOf(const v1::Event& event) { return std::max(event.count(), 1); }

}  // namespace

absl::StatusOr<std::unique_ptr<EventRecorder>> EventRecorder::Start(store::Store* store,
                                                                    const Clock* clock,
                                                                    EventOptions options,
                                                                    Executor* executor) {
  auto recorder =
      std::unique_ptr<EventRecorder>(new EventRecorder(store, clock, options, executor));
  RETURN_IF_ERROR(recorder->Load());
  return recorder;
}

EventRecorder::EventRecorder(store::Store* store, const Clock* clock, EventOptions options,
                             Executor* executor)
    : store_(store), clock_(clock), options_(options), strand_("events", executor) {}

EventRecorder::~EventRecorder() { strand_.Stop(); }

absl::Status EventRecorder::Load() {
  ASSIGN_OR_RETURN(const store::Listing listing, store_->List(kPrefix));
  for (const store::Kv& kv : listing.kvs) {
    ASSIGN_OR_RETURN(const EntryPtr entry, ParseEntry(kv));
    const v1::Event& event = entry->object.event();
    const std::string identity = IdentityOf(event);
    Kept& kept = kept_[identity];
    if (!kept.key.empty()) TakeOut(identity, kept);
    kept.event = event;
    kept.event.mutable_metadata()->clear_resource_version();
    kept.key = kv.key;
    kept.mod_rev = kv.mod_rev;
    kept.last = GetTime(event.last_timestamp());
    Enter(identity, kept);
  }
  return absl::OkStatus();
}

void EventRecorder::Enter(const std::string& identity, const Kept& kept) {
  Space& space = spaces_[NamespaceOf(kept.event)];
  space.all.emplace(kept.last, identity);
  if (kept.dirty && kept.mod_rev == 0) space.unwritten.emplace(kept.last, identity);
}

void EventRecorder::TakeOut(const std::string& identity, const Kept& kept) {
  Space& space = spaces_[NamespaceOf(kept.event)];
  space.all.erase({kept.last, identity});
  space.unwritten.erase({kept.last, identity});
}

void EventRecorder::Drop(const std::string& identity) {
  const auto found = kept_.find(identity);
  TakeOut(identity, found->second);
  kept_.erase(found);
}

void EventRecorder::SetDirty(const std::string& identity, Kept* kept) {
  if (!kept->dirty) dirty_.push_back(identity);
  kept->dirty = true;
}

void EventRecorder::Note(v1::Event event) {
  strand_.Post([this, event = std::move(event)]() mutable {
    Count(std::move(event));
    FlushLater();
  });
}

void EventRecorder::Count(v1::Event event) {
  const absl::Time now = clock_->Now();
  Forget(NamespaceOf(event), now);
  if (!event.has_last_timestamp()) SetTime(now, event.mutable_last_timestamp());
  if (!event.has_first_timestamp()) *event.mutable_first_timestamp() = event.last_timestamp();
  const std::string identity = IdentityOf(event);
  const auto found = kept_.find(identity);
  if (found == kept_.end()) return Begin(event, identity);
  Kept& kept = found->second;
  TakeOut(identity, kept);
  kept.event.set_count(kept.event.count() + CountOf(event));
  *kept.event.mutable_last_timestamp() = event.last_timestamp();
  kept.last = GetTime(event.last_timestamp());
  SetDirty(identity, &kept);
  Enter(identity, kept);
}

void EventRecorder::Begin(const v1::Event& event, const std::string& identity) {
  v1::Object object = NewObject(*FindKind("Event"));
  v1::Event* made = object.mutable_event();
  *made->mutable_involved_object() = event.involved_object();
  made->set_reason(event.reason());
  made->set_message(event.message());
  made->set_type(event.type());
  *made->mutable_source() = event.source();
  made->set_count(CountOf(event));
  *made->mutable_first_timestamp() = event.first_timestamp();
  *made->mutable_last_timestamp() = event.last_timestamp();
  v1::ObjectMeta* meta = made->mutable_metadata();
  const std::string uid = DerivedUid(RandomId(), identity);
  meta->set_namespace_(NamespaceOf(event));
  meta->set_name(absl::StrCat(event.involved_object().name().substr(0, 230), ".", uid.substr(0, 8),
                              uid.substr(9, 4)));
  meta->set_uid(uid);
  meta->set_generation(1);
  SetTime(clock_->Now(), meta->mutable_creation_timestamp());
  Kept& kept = kept_[identity];
  kept.key = Key(object);
  kept.event = std::move(*made);
  kept.last = GetTime(event.last_timestamp());
  SetDirty(identity, &kept);
  Enter(identity, kept);
  ByAge& unwritten = spaces_[NamespaceOf(event)].unwritten;
  if (unwritten.size() > options_.max_per_namespace) {
    const std::string oldest = unwritten.begin()->second;
    Drop(oldest);
  }
}

void EventRecorder::Forget(const std::string& name_space, absl::Time now) {
  const ByAge& all = spaces_[name_space].all;
  while (!all.empty() && all.begin()->first + options_.memory < now) {
    const std::string oldest = all.begin()->second;
    const Kept& kept = kept_.at(oldest);
    if (kept.dirty || kept.open) return;  // written soon, and then it may go
    Drop(oldest);
  }
}

void EventRecorder::FlushLater() {
  if (timer_ || open_) return;
  timer_ = true;
  const bool crowded = dirty_.size() >= kMaxInOne;
  strand_.PostAfter(crowded ? 10 * options_.gather : options_.gather, [this] {
    timer_ = false;
    Flush();
  });
}

// Room for new events is made by removing those that did not happen for the longest time.
void EventRecorder::DropSurplus(const std::string& name_space, store::Txn* txn) {
  const ByAge& all = spaces_[name_space].all;
  // Some more than needed, so that this is not done for each new event.
  const size_t goal = options_.max_per_namespace - options_.max_per_namespace / 10;
  std::vector<std::string> surplus;
  size_t left = all.size();
  for (const auto& [last, identity] : all) {
    if (left <= goal || surplus.size() >= kMaxInOne) break;
    const Kept& kept = kept_.at(identity);
    if (kept.dirty || kept.open || kept.mod_rev == 0) continue;
    surplus.push_back(identity);
    --left;
  }
  for (const std::string& identity : surplus) {
    txn->ops.push_back({store::Op::Kind::kDelete, kept_.at(identity).key, "", 0});
    Drop(identity);
  }
}

void EventRecorder::Flush() {
  if (open_) return;
  store::Txn txn;
  std::vector<std::string> identities;
  std::set<std::string> full;
  while (!dirty_.empty() && txn.ops.size() < kMaxInOne) {
    const std::string identity = std::move(dirty_.front());
    dirty_.pop_front();
    const auto found = kept_.find(identity);
    if (found == kept_.end() || !found->second.dirty) continue;
    Kept& kept = found->second;
    kept.dirty = false;
    kept.open = true;
    const std::string name_space = NamespaceOf(kept.event);
    Space& space = spaces_[name_space];
    space.unwritten.erase({kept.last, identity});
    txn.conds.push_back({kept.key, kept.mod_rev});
    txn.ops.push_back({store::Op::Kind::kPut, kept.key, SerializeObject(Wrap(kept.event)), 0});
    if (space.all.size() > options_.max_per_namespace) full.insert(name_space);
    identities.push_back(identity);
  }
  for (const std::string& space : full) DropSurplus(space, &txn);
  if (txn.ops.empty()) return;
  open_ = true;
  txn.write_id = RandomId();
  store_->Submit(std::move(txn), [this, identities](store::SubmitResult result) {
    strand_.Post([this, identities, result = std::move(result)] { OnResult(identities, result); });
  });
}

void EventRecorder::OnResult(const std::vector<std::string>& identities,
                             const store::SubmitResult& result) {
  open_ = false;
  for (const std::string& identity : identities) {
    const auto found = kept_.find(identity);
    if (found == kept_.end()) continue;
    Kept& kept = found->second;
    kept.open = false;
    if (!result.status.ok()) continue;
    TakeOut(identity, kept);
    kept.mod_rev = result.commit.rev;
    Enter(identity, kept);
  }
  if (result.status.ok()) {
    complained_ = false;
  } else if (absl::IsAborted(result.status)) {
    for (const std::string& identity : identities) {
      const auto found = kept_.find(identity);
      if (found != kept_.end()) SetDirty(identity, &found->second);
    }
    Reread();
  } else if (!complained_) {
    complained_ = true;
    LOG_WARN("events are dropped: {}", result.status.ToString());
    Reread();
  }
  if (!dirty_.empty()) FlushLater();
}

// Somebody else removed or changed an event: learn what is there now.
void EventRecorder::Reread() {
  const auto listing = store_->List(kPrefix);
  if (!listing.ok()) {
    LOG_ERROR("events cannot be read: {}", listing.status().ToString());
    return;
  }
  std::map<std::string, store::Rev> there;
  for (const store::Kv& kv : listing->kvs) there[kv.key] = kv.mod_rev;
  std::vector<std::string> gone;
  for (auto& [identity, kept] : kept_) {
    const auto found = there.find(kept.key);
    TakeOut(identity, kept);
    kept.mod_rev = found == there.end() ? 0 : found->second;
    Enter(identity, kept);
    if (found == there.end() && !kept.dirty) gone.push_back(identity);
  }
  for (const std::string& identity : gone) Drop(identity);
}

}  // namespace cluster::controller
