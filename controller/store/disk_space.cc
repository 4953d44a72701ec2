// GroupWriter's conduct when the disk is full or fails.
#include <cstdlib>

#include "absl/strings/str_cat.h"

#include "base/log.h"
#include "base/status.h"
#include "controller/store/group_writer.h"

namespace cluster::store {
namespace {

constexpr size_t kStep = 32;

}  // namespace

Health GroupWriter::health() const {
  MutexLock lock(&mutex_);
  return health_;
}

void GroupWriter::SetHealth(HealthState state, std::string reason) {
  MutexLock lock(&mutex_);
  health_.state = state;
  health_.reason = std::move(reason);
}

void GroupWriter::Judge(const absl::Status& status) {
  if (IsDiskError(status)) Die(status);
  if (absl::IsResourceExhausted(status)) {
    EnterReadOnly(status);
  } else if (absl::IsDataLoss(status) || absl::IsFailedPrecondition(status)) {
    LOG_ERROR("store: writes nothing any more: {}", std::string(status.message()));
    SetHealth(HealthState::kFailed,
              absl::StrCat("store ", options_.path, ": ", status.message(),
                           "; restart the controller to have the file checked"));
  }
}

void GroupWriter::Die(const absl::Status& status) {
  LOG_ERROR(
      "store {}: the disk failed ({}); what it holds of the last commit is unknown, so this "
      "process "
      "ends here and the next start looks",
      options_.path, std::string(status.message()));
  FlushLog();
  std::abort();
}

void GroupWriter::EnterReadOnly(const absl::Status& status) {
  if (health().state != HealthState::kOk) return;
  SetHealth(HealthState::kReadOnly,
            absl::StrCat("store ", options_.path, ": its disk is full (", status.message(),
                         "); only deletes are accepted until there is space: delete objects, or "
                         "free space on that disk"));
  LOG_WARN("{}", health().reason);
  const absl::Status released = ballast_.Release();
  if (!released.ok()) LOG_ERROR("store: {}", std::string(released.message()));
}

void GroupWriter::TryToLeaveReadOnly() {
  absl::StatusOr<bool> held = ballast_.Hold();
  if (held.ok() && !*held && deleted_while_full_) {
    deleted_while_full_ = false;
    const absl::Status given = GiveBackSpace();
    if (!given.ok()) {
      LOG_WARN("store: cannot give space back yet: {}", std::string(given.message()));
      if (IsDiskError(given)) Die(given);
    }
    held = ballast_.Hold();
  }
  if (!held.ok()) {
    LOG_WARN("store: cannot take the reserve back: {}", std::string(held.status().message()));
  } else if (*held) {
    SetHealth(HealthState::kOk, "");
    LOG_INFO("store {}: its disk has space again, writes are accepted", options_.path);
  }
}

// What was deleted is still in the history. With the disk full that is given up: watches that are
// further behind than the fan-out's ring list again. All of it in small steps, because the log has
// the reserve alone to grow in.
absl::Status GroupWriter::GiveBackSpace() {
  const auto forget = [](TableWriter* tables, std::vector<BatchPtr>*) {
    return tables->SetCompacted(tables->rev());
  };
  RETURN_IF_ERROR(RunWork(forget));
  bool more = true;
  while (more) {
    const auto sweep = [&more](TableWriter* tables, std::vector<BatchPtr>*) -> absl::Status {
      ASSIGN_OR_RETURN(more, tables->Sweep(kStep));
      return absl::OkStatus();
    };
    RETURN_IF_ERROR(RunWork(sweep));
    KeepLogShort();
  }
  for (more = true; more;) {
    ASSIGN_OR_RETURN(more, tables_->GiveBackPages(kStep));
    KeepLogShort();
  }
  return Checkpoint(SQLITE_CHECKPOINT_TRUNCATE);
}

}  // namespace cluster::store
