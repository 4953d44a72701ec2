// One LoadImage call: the archive goes to the depot as it comes, and then to the nodes.
#pragma once

#include <memory>

#include "grpcpp/support/server_callback.h"

#include "cluster/v1/api.grpc.pb.h"
#include "controller/session/sessions.h"

namespace cluster::controller {

// Deletes itself once gRPC is done with it. Everything but the reactions happens on the upload
// strand, where the disk may be waited for.
class LoadImageCall : public grpc::ServerReadReactor<v1::LoadImageRequest> {
 public:
  // All must outlive the call.
  LoadImageCall(grpc::CallbackServerContext* context, Sessions* sessions,
                v1::LoadImageResponse* response);

  void OnReadDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  void OnRequest();
  void Offer();
  void OnLoaded(absl::StatusOr<ArchiveBook::Loaded> loaded);
  void End(const absl::Status& status);

  grpc::CallbackServerContext* const context_;
  Sessions* const sessions_;
  v1::LoadImageResponse* const response_;
  v1::LoadImageRequest reading_;

  // On the strand.
  v1::LoadImageHeader header_;
  bool has_header_ = false;
  std::unique_ptr<ArchiveUpload> upload_;
  bool ended_ = false;
  // Outlives the call: the nodes' answer may come when the client is gone.
  std::shared_ptr<LoadImageCall*> self_ = std::make_shared<LoadImageCall*>(this);
};

}  // namespace cluster::controller
