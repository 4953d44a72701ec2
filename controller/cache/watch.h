// What a CacheWatch and its Cache share.
#pragma once

#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "controller/cache/cache.h"

namespace cluster {

// Everything below `wake` is guarded by the cache's mutex_.
struct CacheWatch::Shared {
  Shared(WatchScope scope_in, std::function<void()> wake_in)
      : scope(std::move(scope_in)), wake(std::move(wake_in)) {}

  const WatchScope scope;
  const std::function<void()> wake;

  int64_t number = 0;
  store::Rev position = 0;
  bool pending = false;   // something after position may concern this watch
  bool cut = false;       // the window has moved past it
  bool over = false;      // its owner has gone
  bool busy = false;      // a wake is running ...
  std::thread::id waker;  // ... on this thread
};

}  // namespace cluster
