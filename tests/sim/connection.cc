#include "tests/sim/connection.h"

#include <algorithm>
#include <utility>

namespace cluster::sim {
namespace {

// When a peer that does not answer counts as gone: gRPC's keepalive.
constexpr Nanos kSilence = 30 * kSecond;
// How long a waiting packet may wait on after its way is free again; or as long as it has waited:
// each retransmission comes after twice the time of the one before.
constexpr Nanos kRetransmission = 2 * kSecond;

absl::Status Broken() { return absl::UnavailableError("the connection is broken"); }

}  // namespace

class Connection::NodeEnd : public node::ControllerStream {
 public:
  explicit NodeEnd(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
  void Send(v1::NodeMessage message) override { connection_->SendUp(std::move(message)); }
  void ReadNext() override {}
  void Cancel() override { connection_->CancelByNode(); }

 private:
  const std::shared_ptr<Connection> connection_;
};

// As controller/session/attach_call.h, without gRPC.
class Connection::ControllerEnd : public controller::AgentLink {
 public:
  explicit ControllerEnd(Connection* connection) : connection_(connection) {}
  void Send(v1::ControllerMessage message) override { connection_->SendDown(std::move(message)); }
  void Close(const absl::Status& why) override { connection_->CloseByController(why); }

 private:
  Connection* const connection_;
};

Connection::Connection(Network* network, std::string node, Process* process,
                       node::ControllerStream::Events events, std::function<void()> step)
    : network_(network),
      node_(std::move(node)),
      node_process_(process),
      events_(std::move(events)),
      step_(std::move(step)) {}

Connection::~Connection() = default;

std::shared_ptr<node::ControllerStream> Connection::OpenNodeEnd() {
  MindSilence();
  return std::make_shared<NodeEnd>(shared_from_this());
}

// ---- up

void Connection::SendUp(v1::NodeMessage message) {
  if (node_process_->alive()) step_();
  if (!node_open_ || !node_process_->alive()) return;
  QueueUp(std::move(message));
}

void Connection::QueueUp(Up message) {
  Nanos there = network_->time_->now() + network_->Delay(link());
  if (!up_.empty()) there = std::max(there, up_.back().first);
  up_.emplace_back(there, std::move(message));
  PumpUp();
}

void Connection::PumpUp() {
  if (up_timer_ || up_.empty()) return;
  up_timer_ = true;
  network_->time_->At(up_.front().first, nullptr, [self = shared_from_this()] {
    self->up_timer_ = false;
    // A stream that is not made yet needs both ways.
    const bool passes = self->link().up && (self->bound_ || self->link().down);
    if (!passes || self->up_.empty()) return;  // LinkChanged goes on
    Up message = std::move(self->up_.front().second);
    self->up_.pop_front();
    self->ArriveUp(std::move(message));
    self->PumpUp();
  });
}

bool Connection::Bind() {
  if (bound_) return controller_open_;
  bound_ = true;
  if (network_->listener_ == nullptr) {
    if (node_open_) QueueDown(absl::UnavailableError("connection refused"));
    return false;
  }
  listener_ = *network_->listener_;
  controller_end_ = std::make_unique<ControllerEnd>(this);
  controller_open_ = true;
  MindSilence();
  return true;
}

void Connection::ArriveUp(Up message) {
  ++network_->delivered_;
  if (!Bind()) return;
  if (std::holds_alternative<Fin>(message)) return BreakControllerEnd();
  auto received = std::make_shared<v1::NodeMessage>(std::move(std::get<v1::NodeMessage>(message)));
  const auto post = [self = shared_from_this(), received] {
    const absl::Duration at = self->listener_.clock->Monotonic();
    self->listener_.strand->Post([self, received, at] {
      if (!self->controller_open_) return;
      self->listener_.hub->OnMessage(self->controller_end_.get(), *received, at);
    });
  };
  // A process that is paused sees the message, and the time, when it goes on.
  const Nanos now = network_->time_->now();
  if (listener_.process->paused_until() <= now) return post();
  listener_.process->Run(now, post);
}

// ---- down

void Connection::SendDown(v1::ControllerMessage message) {
  if (listener_.process->alive()) listener_.step();
  if (!controller_open_ || !listener_.process->alive()) return;
  if (network_->told_) network_->told_(node_, message);
  if (message.has_assignments()) {
    listener_.strand->Post([self = shared_from_this()] {
      if (self->controller_open_)
        self->listener_.hub->OnAssignmentsSent(self->controller_end_.get());
    });
  }
  QueueDown(std::move(message));
}

void Connection::QueueDown(Down message) {
  Nanos there = network_->time_->now() + network_->Delay(link());
  if (!down_.empty()) there = std::max(there, down_.back().first);
  down_.emplace_back(there, std::move(message));
  PumpDown();
}

void Connection::PumpDown() {
  if (down_timer_ || down_.empty()) return;
  down_timer_ = true;
  network_->time_->At(down_.front().first, nullptr, [self = shared_from_this()] {
    self->down_timer_ = false;
    if (!self->link().down || self->down_.empty()) return;
    Down message = std::move(self->down_.front().second);
    self->down_.pop_front();
    self->ArriveDown(std::move(message));
    self->PumpDown();
  });
}

void Connection::ArriveDown(Down message) {
  if (!node_open_) return;
  ++network_->delivered_;
  if (std::holds_alternative<absl::Status>(message)) {
    return BreakNodeEnd(std::get<absl::Status>(message));
  }
  auto received =
      std::make_shared<v1::ControllerMessage>(std::move(std::get<v1::ControllerMessage>(message)));
  const auto hand = [self = shared_from_this(), received] {
    if (self->node_open_) self->events_.message(std::move(*received));
  };
  const Nanos now = network_->time_->now();
  if (node_process_->paused_until() <= now) return hand();
  node_process_->Run(now, hand);
}

// ---- ends

void Connection::TellDone(const absl::Status& why) {
  if (std::exchange(told_done_, true)) return;
  events_.done(why, std::make_shared<NodeEnd>(shared_from_this()));
}

void Connection::BreakNodeEnd(const absl::Status& why) {
  if (!std::exchange(node_open_, false)) return;
  node_process_->Run(network_->time_->now(),
                     [self = shared_from_this(), why] { self->TellDone(why); });
  MindSilence();
}

void Connection::CancelByNode() {
  // Where the objects of a dead agent are being destroyed, they wait for the stream's end; that it
  // was told already may have been lost with what the agent had still to do.
  if (!node_process_->alive()) {
    told_done_ = false;
    return TellDone(absl::CancelledError("cancelled"));
  }
  if (!node_open_) return;
  // What was not sent yet is dropped, or was sent just so.
  if (network_->random_->Chance(0.5)) {
    while (up_.size() > 1) up_.pop_back();
  }
  QueueUp(Fin());
  BreakNodeEnd(absl::CancelledError("cancelled"));
}

void Connection::NodeGone(bool silently) {
  const bool was_open = std::exchange(node_open_, false);
  if (silently) up_.clear();
  if (was_open && !silently) QueueUp(Fin());
  MindSilence();
}

void Connection::BreakControllerEnd() {
  if (!controller_open_) return;
  listener_.strand->Post([self = shared_from_this()] { self->LetHubGo(); });
}

void Connection::LetHubGo() {
  if (!std::exchange(controller_open_, false)) return;
  listener_.hub->OnClosed(controller_end_.get());
  MindSilence();
}

void Connection::CloseByController(const absl::Status& why) {
  if (!controller_open_) return;
  // As in AttachCall: posted, because the hub may be in the middle of using this link.
  listener_.strand->Post([self = shared_from_this(), why] {
    if (self->controller_open_) self->QueueDown(why);
    self->LetHubGo();
  });
}

void Connection::ControllerGone() {
  if (!std::exchange(controller_open_, false)) return;
  QueueDown(Broken());
  MindSilence();
}

void Connection::LinkChanged() {
  const Nanos now = network_->time_->now();
  const auto retry = [&](auto* queue) {
    if (queue->empty()) return;
    const Nanos most = std::max(kRetransmission, now - queue->front().first);
    const Nanos again =
        now + static_cast<Nanos>(network_->random_->Below(static_cast<uint64_t>(most)));
    for (auto& each : *queue) each.first = std::max(each.first, again);
  };
  retry(&up_);
  retry(&down_);
  PumpUp();
  PumpDown();
  MindSilence();
}

bool Connection::IsSilent() const {
  return !link().up || !link().down || node_open_ != controller_open_;
}

// Either end gives up when the other has been silent for long, whatever the reason.
void Connection::MindSilence() {
  if (!IsSilent() || (!node_open_ && !controller_open_)) {
    silent_since_ = -1;
    return;
  }
  if (silent_since_ < 0) silent_since_ = network_->time_->now();
  if (silence_timer_) return;
  silence_timer_ = true;
  network_->time_->At(silent_since_ + kSilence, nullptr, [self = shared_from_this()] {
    self->silence_timer_ = false;
    const bool over =
        self->silent_since_ >= 0 && self->network_->time_->now() >= self->silent_since_ + kSilence;
    if (!over) return self->MindSilence();
    self->BreakNodeEnd(Broken());
    self->BreakControllerEnd();
    self->up_.clear();
    self->down_.clear();
    self->bound_ = true;
  });
}

}  // namespace cluster::sim
