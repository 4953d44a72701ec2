#include "tests/sim/controller.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cluster::sim {

absl::StatusOr<std::unique_ptr<Controller>> Controller::Start(const ControllerParts& parts,
                                                              ControllerOptions options,
                                                              int64_t term, Process* process,
                                                              std::function<void()> step) {
  std::unique_ptr<Controller> made(new Controller(parts, std::move(options), process));
  RETURN_IF_ERROR(made->Build(term, std::move(step)));
  return made;
}

Controller::Controller(const ControllerParts& parts, ControllerOptions options, Process* process)
    : parts_(parts),
      options_(std::move(options)),
      process_(process),
      sessions_("sessions", process),
      writes_("api-writes", process) {}

absl::Status Controller::Build(int64_t term, std::function<void()> step) {
  store_ = std::make_unique<StoreClient>(parts_.disk, parts_.time, process_, parts_.random,
                                         parts_.weather, term, step);
  compactor_ =
      std::make_unique<store::Compactor>(store_.get(), parts_.clock, options_.compaction, process_);
  ASSIGN_OR_RETURN(cache_, Cache::Start(store_.get(), options_.cache));
  ASSIGN_OR_RETURN(events_,
                   controller::EventRecorder::Start(store_.get(), parts_.clock, {}, process_));
  controller::Hub::Parts hub;
  hub.store = store_.get();
  hub.cache = cache_.get();
  hub.strand = &sessions_;
  hub.clock = parts_.clock;
  hub.note = [this](v1::Event event) { events_->Note(std::move(event)); };
  hub.contacts_changed = [this] {
    if (loop_ != nullptr) loop_->Wake();
  };
  ASSIGN_OR_RETURN(hub_, controller::Hub::Make(std::move(hub), options_.sessions));
  controller::Loop::Parts loop;
  loop.store = store_.get();
  loop.cache = cache_.get();
  loop.clock = parts_.clock;
  loop.events = events_.get();
  loop.contacts = [this] { return hub_->Contacts(); };
  usage_ = std::make_unique<Usage>(process_, parts_.time, parts_.usage, parts_.usage_period,
                                   [this] { loop_->Wake(); });
  loop.usage = [this](const View& view) { return usage_->Follow(view); };
  loop.fatal = [this](const absl::Status& why) {
    parts_.fail(absl::StrCat("the controller gave up: ", why.ToString()));
  };
  loop.executor = process_;
  ASSIGN_OR_RETURN(loop_, controller::Loop::Start(std::move(loop), options_.loop));
  ASSIGN_OR_RETURN(gate_, controller::RevisionGate::Start(cache_.get(), &writes_));
  writer_ = std::make_unique<controller::Writer>(store_.get(), cache_.get(), gate_.get());
  listener_ = {process_, hub_.get(), &sessions_, parts_.clock, std::move(step)};
  parts_.network->SetListener(&listener_);
  return absl::OkStatus();
}

Controller::~Controller() {
  parts_.network->SetListener(nullptr);
  // As controller/server/server.cc.
  writes_.Stop();
  if (loop_ != nullptr) loop_->Stop();
  sessions_.Stop();
  if (events_ != nullptr) events_->Stop();
  compactor_.reset();
  writer_.reset();
  gate_.reset();
  loop_.reset();
  usage_.reset();
  hub_.reset();
  events_.reset();
  cache_.reset();
}

}  // namespace cluster::sim
