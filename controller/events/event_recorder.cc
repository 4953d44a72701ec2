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
                                                                    EventOptions options) {
  auto recorder = std::unique_ptr<EventRecorder>(new EventRecorder(store, clock, options));
  RETURN_IF_ERROR(recorder->Load());
  return recorder;
}

EventRecorder::EventRecorder(store::Store* store, const Clock* clock, EventOptions options)
    : store_(store), clock_(clock), options_(options) {}

EventRecorder::~EventRecorder() { strand_.Stop(); }

absl::Status EventRecorder::Load() {
  ASSIGN_OR_RETURN(const store::Listing listing, store_->List(kPrefix));
  for (const store::Kv& kv : listing.kvs) {
    ASSIGN_OR_RETURN(const EntryPtr entry, ParseEntry(kv));
    const v1::Event& event = entry->object.event();
    Kept& kept = kept_[IdentityOf(event)];
    if (kept.key.empty()) ++per_namespace_[NamespaceOf(event)];
    kept.event = event;
    kept.event.mutable_metadata()->clear_resource_version();
    kept.key = kv.key;
    kept.mod_rev = kv.mod_rev;
    kept.last = GetTime(event.last_timestamp());
  }
  return absl::OkStatus();
}

void EventRecorder::Note(v1::Event event) {
  strand_.Post([this, event = std::move(event)]() mutable {
    Count(std::move(event));
    FlushLater();
  });
}

void EventRecorder::Count(v1::Event event) {
  const absl::Time now = clock_->Now();
  Forget(now);
  if (!event.has_last_timestamp()) SetTime(now, event.mutable_last_timestamp());
  if (!event.has_first_timestamp()) *event.mutable_first_timestamp() = event.last_timestamp();
  const std::string identity = IdentityOf(event);
  const auto found = kept_.find(identity);
  if (found == kept_.end()) return Begin(event, identity);
  Kept& kept = found->second;
  kept.event.set_count(kept.event.count() + CountOf(event));
  *kept.event.mutable_last_timestamp() = event.last_timestamp();
  kept.last = GetTime(event.last_timestamp());
  kept.dirty = true;
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
  kept.dirty = true;
  ++per_namespace_[NamespaceOf(event)];
}

void EventRecorder::Forget(absl::Time now) {
  for (auto each = kept_.begin(); each != kept_.end();) {
    const bool old = !each->second.dirty && each->second.last + options_.memory < now;
    if (old) --per_namespace_[NamespaceOf(each->second.event)];
    each = old ? kept_.erase(each) : std::next(each);
  }
}

void EventRecorder::FlushLater() {
  if (timer_ || open_) return;
  timer_ = true;
  strand_.PostAfter(options_.gather, [this] {
    timer_ = false;
    Flush();
  });
}

// Room for new events is made by removing those that did not happen for the longest time.
void EventRecorder::DropSurplus(const std::string& name_space, store::Txn* txn) {
  std::vector<std::pair<absl::Time, std::string>> stored;
  for (const auto& [identity, kept] : kept_) {
    if (NamespaceOf(kept.event) != name_space || kept.dirty || kept.mod_rev == 0) continue;
    stored.emplace_back(kept.last, identity);
  }
  std::sort(stored.begin(), stored.end());
  size_t& count = per_namespace_[name_space];
  // Some more than needed, so that this is not done for each new event.
  const size_t goal = options_.max_per_namespace - options_.max_per_namespace / 10;
  for (const auto& [last, identity] : stored) {
    if (count <= goal || txn->ops.size() >= kMaxInOne) return;
    txn->ops.push_back({store::Op::Kind::kDelete, kept_[identity].key, "", 0});
    kept_.erase(identity);
    --count;
  }
}

void EventRecorder::Flush() {
  if (open_) return;
  store::Txn txn;
  std::vector<std::string> identities;
  std::set<std::string> full;
  for (auto& [identity, kept] : kept_) {
    if (!kept.dirty || txn.ops.size() >= kMaxInOne) continue;
    kept.dirty = false;
    identities.push_back(identity);
    txn.conds.push_back({kept.key, kept.mod_rev});
    txn.ops.push_back({store::Op::Kind::kPut, kept.key, SerializeObject(Wrap(kept.event)), 0});
    const std::string space = NamespaceOf(kept.event);
    if (per_namespace_[space] > options_.max_per_namespace) full.insert(space);
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
  if (result.status.ok()) {
    complained_ = false;
    for (const std::string& identity : identities) {
      const auto found = kept_.find(identity);
      if (found != kept_.end()) found->second.mod_rev = result.commit.rev;
    }
  } else if (absl::IsAborted(result.status)) {
    for (const std::string& identity : identities) kept_[identity].dirty = true;
    Reread();
  } else if (!complained_) {
    complained_ = true;
    LOG_WARN("events are dropped: {}", result.status.ToString());
    Reread();
  }
  const bool more =
      std::any_of(kept_.begin(), kept_.end(), [](const auto& each) { return each.second.dirty; });
  if (more) FlushLater();
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
  for (auto each = kept_.begin(); each != kept_.end();) {
    Kept& kept = each->second;
    const auto found = there.find(kept.key);
    kept.mod_rev = found == there.end() ? 0 : found->second;
    const bool gone = found == there.end() && !kept.dirty;
    if (gone) --per_namespace_[NamespaceOf(kept.event)];
    each = gone ? kept_.erase(each) : std::next(each);
  }
}

}  // namespace cluster::controller
