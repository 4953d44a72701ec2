// A watch shows every change once, in order and without a gap, also over restarts of the
// controller (I6): what it has shown up to a revision adds up to what was stored at it.
#include <deque>
#include <map>

#include "absl/strings/str_cat.h"

#include "tests/sim/checkers/all.h"
#include "tests/sim/world.h"

namespace cluster::sim {
namespace {

constexpr size_t kRemembered = 30'000;  // revisions

// The same for equal sets of (key, revision), whatever their order.
uint64_t Mark(const std::string& key, store::Rev rev) {
  uint64_t mark = 0xcbf29ce484222325ULL ^ static_cast<uint64_t>(rev);
  for (const char c : key) mark = (mark ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return mark ^ (mark >> 31);
}

class NoGapChecker : public Checker {
 public:
  using Checker::Checker;
  const char* name() const override { return "watches without a gap (I6)"; }

  void OnCommit(const Commit& commit) override {
    for (const Change& change : commit.changes) {
      if (change.before != nullptr) sum_ ^= Mark(change.before->key, change.before->mod_rev);
      if (change.after != nullptr) sum_ ^= Mark(change.after->key, change.after->mod_rev);
    }
    sums_.emplace_back(commit.rev, sum_);
    if (sums_.size() > kRemembered) sums_.pop_front();
  }

  void OnControllerGone() override {
    Follow();
    watch_.reset();
  }
  void OnTick() override { Follow(); }
  void OnRest() override { Follow(); }

 private:
  void Follow() {
    Controller* const controller = world_->controller();
    if (controller == nullptr) return;
    if (watch_ == nullptr && !Begin(controller->cache())) return;
    for (;;) {
      const auto events = watch_->Take();
      if (absl::IsOutOfRange(events.status())) {
        watch_.reset();
        seen_.clear();
        position_ = -1;
        return;  // cut off; from the beginning at the next look
      }
      if (!events.ok()) return Fail(events.status().ToString());
      if (events->empty()) break;
      for (const WatchEvent& event : *events) Take(event);
    }
    position_ = watch_->position();
    Compare();
  }

  bool Begin(Cache* cache) {
    if (position_ >= 0) {
      auto watch = cache->Watch({}, position_, nullptr);
      if (watch.ok()) {
        watch_ = std::move(watch).value();
        return true;
      }
      // A controller that starts shows nothing less than the one before it did.
      if (absl::IsInvalidArgument(watch.status())) {
        Fail(watch.status().ToString());
        return false;
      }
    }
    const View view = cache->Snapshot();
    seen_.clear();
    shown_ = 0;
    for (const Kind& kind : AllKinds()) {
      for (const auto& [key, entry] : view.All(kind.object_case)) {
        seen_[key] = entry->mod_rev;
        shown_ ^= Mark(key, entry->mod_rev);
      }
    }
    position_ = view.revision();
    auto watch = cache->Watch({}, position_, nullptr);
    if (!watch.ok()) {
      Fail(watch.status().ToString());
      return false;
    }
    watch_ = std::move(watch).value();
    return true;
  }

  void Take(const WatchEvent& event) {
    if (event.rev < last_rev_ && event.rev <= position_) {
      Fail(absl::StrCat("revision ", event.rev, " is shown after ", last_rev_));
    }
    last_rev_ = event.rev;
    const auto found = seen_.find(event.entry->key);
    const bool added = event.type == WatchEvent::Type::kAdded;
    if (added != (found == seen_.end())) {
      Fail(absl::StrCat(event.entry->key, " is shown as ", added ? "new" : "changed",
                        " at revision ", event.rev, ", which it is not"));
      return;
    }
    if (found != seen_.end()) {
      shown_ ^= Mark(found->first, found->second);
      seen_.erase(found);
    }
    if (event.type == WatchEvent::Type::kDeleted) return;
    seen_[event.entry->key] = event.entry->mod_rev;
    shown_ ^= Mark(event.entry->key, event.entry->mod_rev);
  }

  void Compare() {
    const auto at =
        std::upper_bound(sums_.begin(), sums_.end(), position_,
                         [](store::Rev rev, const auto& sum) { return rev < sum.first; });
    if (at == sums_.begin()) return;
    if (std::prev(at)->second != shown_) {
      Fail(absl::StrCat("what was shown up to revision ", position_,
                        " is not what was stored at it"));
    }
  }

  std::deque<std::pair<store::Rev, uint64_t>> sums_;
  uint64_t sum_ = 0;
  std::unique_ptr<CacheWatch> watch_;
  std::map<std::string, store::Rev> seen_;
  uint64_t shown_ = 0;
  store::Rev position_ = -1;
  store::Rev last_rev_ = 0;
};

}  // namespace

std::unique_ptr<Checker> NoGap(World* world) { return std::make_unique<NoGapChecker>(world); }

}  // namespace cluster::sim
