#include "controller/api/writer.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "controller/object/object_fields.h"

namespace cluster::controller {
namespace {

constexpr int kMaxAttempts = 10;

absl::Status Explain(const absl::Status& status) {
  if (status.code() == absl::StatusCode::kResourceExhausted &&
      !absl::StartsWith(status.message(), "the store is full")) {
    return absl::ResourceExhaustedError(absl::StrCat("the store is full: ", status.message()));
  }
  return status;
}

}  // namespace

struct Writer::Call {
  std::string write_id;
  Plan plan;
  Done done;
  int attempts = 0;
};

void Writer::Write(std::string write_id, Plan plan, Done done) {
  auto call = std::make_shared<Call>();
  call->write_id = write_id.empty() ? RandomId() : std::move(write_id);
  call->plan = std::move(plan);
  call->done = std::move(done);
  Attempt(std::move(call));
}

void Writer::Attempt(std::shared_ptr<Call> call) {
  ++call->attempts;
  absl::StatusOr<store::Txn> txn = call->plan();
  if (!txn.ok()) return call->done(txn.status(), 0);
  if (txn->ops.empty()) return call->done(absl::OkStatus(), cache_->revision());
  txn->write_id = call->write_id;
  Submit(std::move(call), std::move(txn).value());
}

void Writer::Submit(std::shared_ptr<Call> call, store::Txn txn) {
  store::Txn copy = txn;
  store_->Submit(std::move(copy), [this, call = std::move(call),
                                   txn = std::move(txn)](store::SubmitResult result) mutable {
    OnResult(std::move(call), std::move(txn), std::move(result));
  });
}

void Writer::OnResult(std::shared_ptr<Call> call, store::Txn txn, store::SubmitResult result) {
  if (result.status.ok()) {
    const store::Rev rev = result.commit.rev;
    gate_->When(rev, [call, rev] { call->done(absl::OkStatus(), rev); });
    return;
  }
  const bool again = call->attempts < kMaxAttempts;
  if (absl::IsAborted(result.status) && again) {
    gate_->When(store_->CurrentRev(), [this, call] { Attempt(call); });
    return;
  }
  if (absl::IsUnknown(result.status) && again) {
    // The same id again: answered with the first outcome if there was one.
    ++call->attempts;
    gate_->When(0, [this, call, txn = std::move(txn)]() mutable { Submit(call, std::move(txn)); });
    return;
  }
  gate_->When(0, [call, status = Explain(result.status)] { call->done(status, 0); });
}

}  // namespace cluster::controller
