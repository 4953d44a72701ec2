// A host's address without blocking the one who asks.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

#include "base/mutex.h"
#include "node/probe/check.h"
#include "node/probe/stream.h"

namespace cluster::node {

// Used by the loop's thread.
class NameLookup {
 public:
  // What has been found; nothing while the resolver is asked, whose answer steps the check again.
  std::optional<absl::StatusOr<SocketAddress>> Find(const std::string& host, uint16_t port,
                                                    CheckContext& context);

 private:
  struct Answer {
    Mutex mutex;
    std::optional<absl::StatusOr<SocketAddress>> address ABSL_GUARDED_BY(mutex);
  };
  std::shared_ptr<Answer> answer_;
};

}  // namespace cluster::node
