#include "controller/api/revision_gate.h"

#include "base/log.h"
#include "base/status.h"

namespace cluster::controller {

absl::StatusOr<std::unique_ptr<RevisionGate>> RevisionGate::Start(Cache* cache, Strand* strand) {
  auto gate = std::unique_ptr<RevisionGate>(new RevisionGate(cache, strand));
  absl::Status followed;
  strand->Call([&] { followed = gate->Follow(); });
  RETURN_IF_ERROR(followed);
  return gate;
}

absl::Status RevisionGate::Follow() {
  ASSIGN_OR_RETURN(watch_, cache_->Watch({}, cache_->revision(),
                                         [this] { strand_->Post([this] { Drain(); }); }));
  return absl::OkStatus();
}

void RevisionGate::When(store::Rev rev, std::function<void()> ready) {
  strand_->Post([this, rev, ready = std::move(ready)]() mutable {
    waiting_.emplace(rev, std::move(ready));
    Drain();
  });
}

void RevisionGate::Drain() {
  // What is in the changes does not matter here, only that they were made visible.
  while (true) {
    const auto taken = watch_->TakeChanges();
    if (!taken.ok()) {
      const absl::Status followed = Follow();
      if (!followed.ok()) LOG_ERROR("the API cannot follow the store: {}", followed.ToString());
      break;
    }
    if (taken->empty()) break;
  }
  const store::Rev shown = cache_->revision();
  while (!waiting_.empty() && waiting_.begin()->first <= shown) {
    auto ready = std::move(waiting_.begin()->second);
    waiting_.erase(waiting_.begin());
    ready();
  }
}

}  // namespace cluster::controller
