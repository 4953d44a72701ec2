#include "controller/services/address_book.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/status.h"
#include "controller/cache/service_claims.h"
#include "proto/schema/kinds.h"

namespace cluster::controller {
namespace {

v1::Object WrapService(const v1::Service& service) {
  v1::Object object;
  *object.mutable_service() = service;
  return object;
}

// "services/shop/web" for people.
std::string Named(const std::string& key) {
  const std::vector<std::string> parts = absl::StrSplit(key, '/');
  return absl::StrCat("service/", parts.at(2), " in namespace ", parts.at(1));
}

}  // namespace

Reservation& Reservation::operator=(Reservation&& other) noexcept {
  if (this == &other) return *this;
  Release();
  book_ = other.book_;
  held_ = std::exchange(other.held_, {});
  return *this;
}

void Reservation::Release() {
  if (!held_.empty()) book_->Release(std::exchange(held_, {}));
}

absl::StatusOr<std::vector<FieldError>> AddressBook::FillIn(absl::string_view seed,
                                                            const v1::Service* before,
                                                            v1::Service* service,
                                                            Reservation* reservation) {
  const std::string key = Key(WrapService(*service));
  // What is reserved is looked at first: it is given up only once the cache shows what came of it.
  const MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(std::vector<FieldError> errors, cache_->Read([&](const View& view) {
    return FillInChosen(
        ranges_,
        [&](const std::string& claim)
            ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return HolderOf(view, key, claim); },
        seed, before, service);
  }));
  if (errors.empty()) Reserve(before, *service, key, reservation);
  return errors;
}

std::string AddressBook::HolderOf(const View& view, const std::string& key,
                                  const std::string& claim) const {
  const auto taken = taken_.find(claim);
  if (taken != taken_.end() && taken->second.by != key) return Named(taken->second.by);
  for (const EntryPtr& entry : view.Claiming(claim)) {
    if (entry->key != key) return Named(entry->key);
  }
  return "";
}

void AddressBook::Reserve(const v1::Service* before, const v1::Service& service,
                          const std::string& key, Reservation* reservation) {
  std::vector<std::string> kept;
  if (before != nullptr) kept = ClaimsOf(WrapService(*before));
  reservation->book_ = this;
  for (std::string& claim : ClaimsOf(WrapService(service))) {
    if (std::find(kept.begin(), kept.end(), claim) != kept.end()) continue;
    Taken& taken = taken_[claim];
    taken.by = key;
    ++taken.times;
    reservation->held_.push_back(std::move(claim));
  }
}

void AddressBook::Release(const std::vector<std::string>& claims) {
  const MutexLock lock(&mutex_);
  for (const std::string& claim : claims) {
    const auto taken = taken_.find(claim);
    if (--taken->second.times == 0) taken_.erase(taken);
  }
}

}  // namespace cluster::controller
