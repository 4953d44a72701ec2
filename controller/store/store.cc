#include "controller/store/store.h"

#include <future>
#include <utility>

namespace cluster::store {

SubmitResult Store::SubmitAndWait(Txn txn) {
  std::promise<SubmitResult> promise;
  std::future<SubmitResult> outcome = promise.get_future();
  Submit(std::move(txn), [&promise](SubmitResult result) { promise.set_value(std::move(result)); });
  return outcome.get();
}

}  // namespace cluster::store
