// The node side of the controller: the NodeSession service, and what the rest of the controller
// asks of the nodes.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "base/clock.h"
#include "base/strand.h"
#include "cluster/v1/session.grpc.pb.h"
#include "controller/cache/cache.h"
#include "controller/session/hub.h"
#include "controller/session/image_depot.h"
#include "controller/session/options.h"
#include "controller/session/relay.h"
#include "controller/store/store.h"

namespace cluster::controller {

// Thread-safe; nothing blocks. Stop the gRPC server before it goes.
class Sessions {
 public:
  struct Parts {
    store::Store* store = nullptr;
    Cache* cache = nullptr;
    const Clock* clock = nullptr;
    std::string image_directory;
    std::function<void(v1::Event)> note;
    std::function<void()> contacts_changed;
  };
  static absl::StatusOr<std::unique_ptr<Sessions>> Make(Parts parts, SessionOptions options);
  // The store must have answered everything by now.
  ~Sessions();
  // Writes nothing more. Call once the gRPC server has stopped.
  void Stop();

  v1::NodeSession::CallbackService* service() { return service_.get(); }
  NodeContacts Contacts() const { return hub_->Contacts(); }

  // The strand on which relays live. `request` without stream_id.
  Strand* relay_strand() { return &relays_; }
  // On the relay strand: asks the node to open a stream for this relay; the relay fails when the
  // node is not attached or does not dial. Where the node's session ends before it has dialled, its
  // next one is asked; but not for a command, which may have been run.
  void Open(const std::string& node, v1::OpenStream request, std::shared_ptr<Relay> relay);

  // Uploads write on this strand.
  Strand* upload_strand() { return &uploads_; }
  const ImageDepot& depot() const { return *depot_; }
  // Offers an archive that lies in the depot to the nodes; see ArchiveBook::Offer. `done` runs on
  // the hub's strand. A refused archive is removed.
  void OfferImage(v1::ImageArchive archive, ArchiveBook::Done done);
  void ListImages(std::function<void(std::vector<v1::Image>)> done);

 private:
  class Service;
  void Ask(const std::string& node, v1::OpenStream request);
  void AskAgain(const std::string& node, v1::OpenStream request);
  explicit Sessions(SessionOptions options);

  const SessionOptions options_;
  Strand strand_{"sessions"};
  Strand relays_{"relays"};
  Strand uploads_{"image-upload"};
  Strand downloads_{"image-fetch"};
  RelayBoard board_;
  std::unique_ptr<Hub> hub_;
  std::unique_ptr<ImageDepot> depot_;
  std::unique_ptr<v1::NodeSession::CallbackService> service_;
};

}  // namespace cluster::controller
