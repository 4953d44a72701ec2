#include "tests/sim/network.h"

#include <algorithm>
#include <utility>

#include "tests/sim/connection.h"

namespace cluster::sim {

Nanos Network::Delay(const Link& link) {
  Nanos delay = static_cast<Nanos>(random_->Below(static_cast<uint64_t>(link.delay) + 1));
  // Each retransmission waits twice as long as the one before.
  for (Nanos wait = 200 * kMillisecond; link.loss > 0 && wait < 10 * kSecond; wait *= 2) {
    if (!random_->Chance(link.loss)) break;
    delay += wait;
  }
  return delay;
}

void Network::SetLink(const std::string& node, bool up, bool down) {
  Link* const changed = link(node);
  changed->up = up;
  changed->down = down;
  const auto all = connections_;
  for (const auto& connection : all) {
    if (connection->node() == node) connection->LinkChanged();
  }
}

node::Dialled Network::Dial(const std::string& node, Process* process,
                            node::ControllerStream::Events events, std::function<void()> step) {
  std::erase_if(connections_, [](const auto& connection) { return connection->over(); });
  auto connection =
      std::make_shared<Connection>(this, node, process, std::move(events), std::move(step));
  connections_.push_back(connection);
  return {connection->OpenNodeEnd(), nullptr};
}

void Network::NodeGone(Process* process, bool silently) {
  const auto all = connections_;
  for (const auto& connection : all) {
    if (connection->node_process() == process) connection->NodeGone(silently);
  }
}

void Network::SetListener(const Listener* listener) { listener_ = listener; }

void Network::ControllerGone(Process* process) {
  const auto all = connections_;
  for (const auto& connection : all) {
    if (connection->controller_process() == process) connection->ControllerGone();
  }
}

}  // namespace cluster::sim
