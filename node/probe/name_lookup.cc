#include "node/probe/name_lookup.h"

namespace cluster::node {

std::optional<absl::StatusOr<SocketAddress>> NameLookup::Find(const std::string& host,
                                                              uint16_t port,
                                                              CheckContext& context) {
  if (answer_ != nullptr) {
    MutexLock lock(&answer_->mutex);
    return answer_->address;
  }
  absl::StatusOr<SocketAddress> literal = ParseAddress(host, port);
  if (literal.ok()) return literal;
  answer_ = std::make_shared<Answer>();
  context.Offload([host, port, answer = answer_, wake = context.Waker()] {
    absl::StatusOr<SocketAddress> address = LookUp(host, port);
    {
      MutexLock lock(&answer->mutex);
      answer->address = std::move(address);
    }
    wake();
  });
  return std::nullopt;
}

}  // namespace cluster::node
