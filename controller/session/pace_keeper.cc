#include "controller/session/pace_keeper.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "cluster/v1/controller_state.pb.h"

namespace cluster::controller {
namespace {

constexpr absl::Duration kPaceRetry = absl::Seconds(1);

}  // namespace

PaceKeeper::PaceKeeper(store::Store* store, Strand* strand, const SessionOptions* options)
    : store_(store), strand_(strand), options_(options), longest_ttl_(options->ttl()) {}

absl::Status PaceKeeper::Load() {
  ASSIGN_OR_RETURN(const store::Listing listing, store_->List(kPaceKey));
  for (const store::Kv& kv : listing.kvs) {
    v1::PaceRecord record;
    if (!record.ParseFromString(kv.value)) {
      return absl::DataLossError("the store's pace/longest cannot be read");
    }
    longest_ttl_ = std::max(longest_ttl_, absl::Milliseconds(record.ttl_milliseconds()));
  }
  return absl::OkStatus();
}

void PaceKeeper::SetNodes(size_t nodes) {
  nodes_ = nodes;
  const int factor = NextPaceFactor(*options_, nodes_, factor_);
  if (factor == factor_ || writing_) return;
  if (PaceOfFactor(*options_, factor).ttl > longest_ttl_) return Write(factor);
  factor_ = factor;
}

void PaceKeeper::Write(int factor) {
  writing_ = true;
  const absl::Duration ttl = PaceOfFactor(*options_, factor).ttl;
  v1::PaceRecord record;
  record.set_ttl_milliseconds(absl::ToInt64Milliseconds(ttl));
  store::Txn txn;
  txn.ops.push_back({store::Op::Kind::kPut, kPaceKey, record.SerializeAsString(), /*lease=*/0});
  store_->Submit(std::move(txn), [this, ttl](store::SubmitResult result) {
    strand_->Post([this, ttl, status = result.status] {
      writing_ = false;
      if (status.ok()) {
        longest_ttl_ = ttl;
        return SetNodes(nodes_);
      }
      LOG_WARN("nodes go on beating as often as before: {}", status.ToString());
      strand_->PostAfter(kPaceRetry, [this] { SetNodes(nodes_); });
    });
  });
}

}  // namespace cluster::controller
