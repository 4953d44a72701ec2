// Lets no two services have the same address or port of the nodes.
//
// What is stored is in the cache; what is on its way to the store is in here, from when it is
// chosen until the cache shows it. One controller writes at a time, the store keeps the others out,
// so its memory is enough for that.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "base/mutex.h"
#include "cluster/v1/service.pb.h"
#include "controller/cache/cache.h"
#include "controller/services/addresses.h"
#include "controller/services/ranges.h"

namespace cluster::controller {

class AddressBook;

// What one write has chosen. Given up by its destructor: to be kept until the cache shows the
// write, or it is known that there will be none.
class Reservation {
 public:
  Reservation() = default;
  Reservation(Reservation&& other) noexcept { *this = std::move(other); }
  Reservation& operator=(Reservation&& other) noexcept;
  ~Reservation() { Release(); }

  // Of a write of which nobody knows whether it will be done: kept until the controller ends.
  void KeepForEver() { held_.clear(); }

 private:
  friend class AddressBook;
  void Release();

  AddressBook* book_ = nullptr;
  std::vector<std::string> held_;  // claims
};

// Thread-safe. Never waits for the store.
class AddressBook {
 public:
  // The cache must outlive the book, the book every reservation.
  AddressBook(const Cache* cache, ServiceRanges ranges) : cache_(cache), ranges_(ranges) {}

  // FillInChosen (addresses.h) against all services, stored and on their way; whatever is new to
  // the service is reserved for it. `seed` says where the search begins.
  absl::StatusOr<std::vector<FieldError>> FillIn(absl::string_view seed, const v1::Service* before,
                                                 v1::Service* service, Reservation* reservation)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  friend class Reservation;
  struct Taken {
    std::string by;  // the service's key
    int times = 0;   // by several attempts to write the same service
  };

  std::string HolderOf(const View& view, const std::string& key, const std::string& claim) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Reserve(const v1::Service* before, const v1::Service& service, const std::string& key,
               Reservation* reservation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Release(const std::vector<std::string>& claims) ABSL_LOCKS_EXCLUDED(mutex_);

  const Cache* const cache_;
  const ServiceRanges ranges_;
  // Taken before the cache's own.
  Mutex mutex_;
  std::map<std::string, Taken> taken_ ABSL_GUARDED_BY(mutex_);  // by claim
};

}  // namespace cluster::controller
