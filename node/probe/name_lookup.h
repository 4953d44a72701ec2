// A host's address without blocking the one who asks: by c-ares, over sockets of the check's own,
// which go with it. Follows /etc/hosts, /etc/nsswitch.conf and resolv.conf(5).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

#include "node/probe/check.h"
#include "node/probe/stream.h"

namespace cluster::node {

// Used by the loop's thread.
class NameLookup {
 public:
  NameLookup();
  ~NameLookup();  // gives up
  NameLookup(NameLookup&&) noexcept;
  NameLookup& operator=(NameLookup&&) noexcept;

  // What has been found; nothing while name servers are asked: then the check is stepped when there
  // is something to do, and asks again. Unavailable with what they say.
  std::optional<absl::StatusOr<SocketAddress>> Find(const std::string& host, uint16_t port,
                                                    CheckContext& context);

 private:
  class Question;
  std::unique_ptr<Question> question_;
};

}  // namespace cluster::node
