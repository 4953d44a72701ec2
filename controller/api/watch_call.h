// One Watch call: a cursor into the cache's changes, written out as fast as the client takes them.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "grpcpp/support/server_callback.h"

#include "base/strand.h"
#include "cluster/v1/api.pb.h"
#include "controller/api/selection.h"
#include "controller/cache/cache.h"

namespace cluster::controller {

// Deletes itself once gRPC is done with it. Everything but the reactions happens on the strand. A
// client that is too slow for the cache's window is cut off with OutOfRange.
class WatchCall : public grpc::ServerWriteReactor<v1::WatchEvent> {
 public:
  // All must outlive the call; `request` is copied.
  WatchCall(Cache* cache, Strand* strand, const v1::WatchRequest& request);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  void Begin();
  absl::Status Open();
  // Writes the next event if none is on its way.
  void Pump();
  bool Refill();
  void BookmarkLater();
  void End(const absl::Status& status);

  Cache* const cache_;
  Strand* const strand_;
  const v1::WatchRequest request_;

  // On the strand.
  std::unique_ptr<CacheWatch> watch_;
  std::deque<std::pair<v1::WatchEventType, std::pair<KeptEntry, store::Rev>>> ready_;
  v1::WatchEvent writing_;
  bool in_flight_ = false;
  bool ended_ = false;
  absl::Status end_;
  bool bookmark_due_ = false;
  store::Rev told_ = 0;  // the client knows that it has seen everything up to here
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace cluster::controller
