#include "controller/api/watch_call.h"

#include "controller/api/status.h"

namespace cluster::controller {
namespace {

constexpr absl::Duration kBookmarkPeriod = absl::Seconds(1);

v1::WatchEventType TypeOf(WatchEvent::Type type) {
  switch (type) {
    case WatchEvent::Type::kAdded:
      return v1::WATCH_EVENT_TYPE_ADDED;
    case WatchEvent::Type::kModified:
      return v1::WATCH_EVENT_TYPE_MODIFIED;
    case WatchEvent::Type::kDeleted:
      return v1::WATCH_EVENT_TYPE_DELETED;
  }
  return v1::WATCH_EVENT_TYPE_UNSPECIFIED;
}

}  // namespace

WatchCall::WatchCall(Cache* cache, Strand* strand, const v1::WatchRequest& request)
    : cache_(cache), strand_(strand), request_(request) {
  strand_->Post([this] { Begin(); });
}

void WatchCall::Begin() {
  const absl::Status opened = Open();
  if (!opened.ok()) return End(opened);
  if (request_.bookmarks()) {
    bookmark_due_ = request_.from_revision() == 0;
    BookmarkLater();
  }
  Pump();
}

absl::Status WatchCall::Open() {
  auto selection = ParseSelection(request_.kind(), request_.namespace_(), request_.label_selector(),
                                  request_.field_selector());
  if (!selection.ok()) return selection.status();
  store::Rev after = request_.from_revision();
  if (after < 0) return absl::InvalidArgumentError("from_revision must be 0 or more");
  if (after == 0) {
    Cache::ObjectList list = cache_->List(selection->kind->object_case, selection->name_space);
    for (KeptEntry& entry : list.entries) {
      if (!selection->Matches(entry.Hold()->object)) continue;
      ready_.push_back({v1::WATCH_EVENT_TYPE_ADDED, {std::move(entry), 0}});
    }
    // Who stops in the middle of these has to start over; only the last is a place to resume from.
    if (!ready_.empty()) ready_.back().second.second = list.rev;
    after = list.rev;
  }
  told_ = request_.from_revision();
  WatchScope scope;
  scope.kind = selection->kind->object_case;
  scope.name_space = selection->name_space;
  if (!selection->labels.empty() || !selection->fields.empty()) {
    scope.matches = [chosen = std::move(selection).value()](const v1::Object& object) {
      return chosen.Matches(object);
    };
  }
  auto watch = cache_->Watch(std::move(scope), after, [this, strand = strand_, alive = alive_] {
    strand->Post([this, alive] {
      if (*alive) Pump();
    });
  });
  if (!watch.ok()) return watch.status();
  watch_ = std::move(watch).value();
  return absl::OkStatus();
}

bool WatchCall::Refill() {
  auto taken = watch_->Take();
  if (!taken.ok()) {
    End(taken.status());
    return false;
  }
  for (const WatchEvent& event : *taken) {
    ready_.push_back({TypeOf(event.type), {event.entry, event.rev}});
  }
  return true;
}

void WatchCall::Pump() {
  if (in_flight_ || ended_) return;
  if (ready_.empty() && !Refill()) return;
  writing_.Clear();
  if (!ready_.empty()) {
    auto& [type, what] = ready_.front();
    writing_.set_type(type);
    *writing_.mutable_object() = what.first.Hold()->object;
    writing_.set_revision(what.second);
    ready_.pop_front();
  } else if (bookmark_due_ && watch_->position() > told_) {
    bookmark_due_ = false;
    told_ = watch_->position();
    writing_.set_type(v1::WATCH_EVENT_TYPE_BOOKMARK);
    writing_.set_revision(told_);
  } else {
    return;
  }
  in_flight_ = true;
  StartWrite(&writing_);
}

void WatchCall::BookmarkLater() {
  strand_->PostAfter(kBookmarkPeriod, [this, alive = alive_] {
    if (!*alive || ended_) return;
    bookmark_due_ = true;
    Pump();
    BookmarkLater();
  });
}

void WatchCall::End(const absl::Status& status) {
  if (ended_) return;
  ended_ = true;
  end_ = status;
  watch_.reset();
  ready_.clear();
  if (!in_flight_) Finish(ToGrpc(status));
}

void WatchCall::OnWriteDone(bool ok) {
  strand_->Post([this, ok] {
    in_flight_ = false;
    if (ended_) return Finish(ToGrpc(end_));
    if (!ok) return End(absl::CancelledError("the client is gone"));
    Pump();
  });
}

void WatchCall::OnCancel() {
  strand_->Post([this] { End(absl::CancelledError("the client is gone")); });
}

void WatchCall::OnDone() {
  strand_->Post([this] {
    *alive_ = false;
    watch_.reset();
    delete this;
  });
}

}  // namespace cluster::controller
