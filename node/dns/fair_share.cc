#include "node/dns/fair_share.h"

#include <algorithm>

namespace cluster::node {
namespace {

constexpr absl::Duration kAtOnce = absl::Milliseconds(250);
constexpr int kShare = 4;  // a fourth
// More than the addresses of a node's range.
constexpr size_t kMostAccounts = 8192;

}  // namespace

FairShare::Account& FairShare::Of(Ipv4 caller) {
  const absl::Duration now = clock_->Monotonic();
  if (accounts_.size() >= kMostAccounts) {
    // Who has not been heard for a second has its whole share again.
    absl::erase_if(accounts_,
                   [now](const auto& each) { return now - each.second.at > kAtOnce * kShare; });
  }
  const auto [found, is_new] = accounts_.try_emplace(caller.value, Account{kAtOnce, now});
  Account& account = found->second;
  account.left = std::min(kAtOnce, account.left + (now - account.at) / kShare);
  account.at = now;
  return account;
}

bool FairShare::MayTake(Ipv4 caller) { return Of(caller).left > absl::ZeroDuration(); }

void FairShare::Took(Ipv4 caller, absl::Duration time) { Of(caller).left -= time; }

}  // namespace cluster::node
