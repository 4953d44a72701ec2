#include "controller/session/sessions.h"

#include <set>

#include "absl/strings/str_cat.h"

#include "base/log.h"
#include "base/status.h"
#include "controller/session/attach_call.h"
#include "controller/session/dial_back_call.h"
#include "controller/session/fetch_call.h"

namespace cluster::controller {

class Sessions::Service final : public v1::NodeSession::CallbackService {
 public:
  Service(Sessions* sessions, const Clock* clock) : sessions_(sessions), clock_(clock) {}

  grpc::ServerBidiReactor<v1::NodeMessage, v1::ControllerMessage>* Attach(
      grpc::CallbackServerContext* context) override {
    return new AttachCall(context, sessions_->hub_.get(), &sessions_->strand_, clock_);
  }
  grpc::ServerBidiReactor<v1::NodeFrame, v1::ControllerFrame>* DialBack(
      grpc::CallbackServerContext* context) override {
    return new DialBackCall(context, &sessions_->board_, &sessions_->relays_);
  }
  grpc::ServerWriteReactor<v1::FetchImageResponse>* FetchImage(
      grpc::CallbackServerContext* /*context*/, const v1::FetchImageRequest* request) override {
    return new FetchCall(sessions_->depot_.get(), &sessions_->downloads_, *request);
  }

 private:
  Sessions* const sessions_;
  const Clock* const clock_;
};

absl::StatusOr<std::unique_ptr<Sessions>> Sessions::Make(Parts parts, SessionOptions options) {
  auto sessions = std::unique_ptr<Sessions>(new Sessions(options));
  Hub::Parts hub;
  hub.store = parts.store;
  hub.cache = parts.cache;
  hub.strand = &sessions->strand_;
  hub.clock = parts.clock;
  hub.note = std::move(parts.note);
  hub.contacts_changed = std::move(parts.contacts_changed);
  ASSIGN_OR_RETURN(sessions->hub_, Hub::Make(std::move(hub), std::move(options)));
  std::set<std::string> known;
  sessions->strand_.Call([&] { known = sessions->hub_->archives()->Ids(); });
  ASSIGN_OR_RETURN(sessions->depot_, ImageDepot::Open(parts.image_directory, known));
  sessions->service_ = std::make_unique<Service>(sessions.get(), parts.clock);
  return sessions;
}

Sessions::Sessions(SessionOptions options)
    : options_(std::move(options)), board_(&relays_, options_.dial_back_timeout) {}

Sessions::~Sessions() { Stop(); }

void Sessions::Stop() {
  // In the order in which they post to each other.
  uploads_.Stop();
  downloads_.Stop();
  relays_.Stop();
  strand_.Stop();
}

void Sessions::Open(const std::string& node, v1::OpenStream request, std::shared_ptr<Relay> relay) {
  request.set_stream_id(board_.Expect(node, std::move(relay)));
  Ask(node, std::move(request));
}

void Sessions::Ask(const std::string& node, v1::OpenStream request) {
  StreamRequest asked;
  asked.refused = [this, id = request.stream_id()](const absl::Status& why) {
    relays_.Post([this, id, why] { board_.Fail(id, why); });
  };
  asked.unanswered = [this, node, request] {
    relays_.Post([this, node, request] { AskAgain(node, request); });
  };
  asked.open = std::move(request);
  strand_.Post([this, node, asked = std::move(asked)] { hub_->OpenStream(node, asked); });
}

void Sessions::AskAgain(const std::string& node, v1::OpenStream request) {
  if (!board_.Expects(request.stream_id())) return;
  if (request.has_exec()) {
    return board_.Fail(request.stream_id(),
                       absl::UnavailableError(absl::StrCat(
                           "the session of node ", node,
                           " ended before it answered: whether the command runs is not known")));
  }
  Ask(node, std::move(request));
}

void Sessions::OfferImage(v1::ImageArchive archive, ArchiveBook::Done done) {
  strand_.Post([this, archive = std::move(archive), done = std::move(done)] {
    const std::string& id = archive.archive();
    hub_->archives()->Offer(archive, options_.load_timeout,
                            [this, id, done](absl::StatusOr<ArchiveBook::Loaded> loaded) {
                              if (!loaded.ok() && !hub_->archives()->Ids().contains(id)) {
                                const absl::Status removed = depot_->Remove(id);
                                if (!removed.ok())
                                  LOG_ERROR("a refused image archive stays: {}",
                                            removed.ToString());
                              }
                              done(std::move(loaded));
                            });
  });
}

void Sessions::ListImages(std::function<void(std::vector<v1::Image>)> done) {
  strand_.Post([this, done = std::move(done)] { done(hub_->archives()->Images()); });
}

}  // namespace cluster::controller
