// One FetchImage stream: an archive's bytes, read as fast as the node takes them.
#pragma once

#include "grpcpp/support/server_callback.h"

#include "base/strand.h"
#include "base/unique_handle.h"
#include "cluster/v1/session.grpc.pb.h"
#include "controller/session/image_depot.h"

namespace cluster::controller {

// Deletes itself once gRPC is done with it. The disk is read on the strand.
class FetchCall : public grpc::ServerWriteReactor<v1::FetchImageResponse> {
 public:
  FetchCall(const ImageDepot* depot, Strand* disk, const v1::FetchImageRequest& request);
  void OnWriteDone(bool ok) override;
  void OnDone() override;

 private:
  void Open(const std::string& archive);
  void Next();

  const ImageDepot* const depot_;
  Strand* const disk_;
  UniqueFd file_;
  v1::FetchImageResponse chunk_;
};

}  // namespace cluster::controller
