#include "controller/session/fetch_call.h"

#include <unistd.h>

#include "base/status.h"

namespace cluster::controller {
namespace {

constexpr size_t kChunk = 256 << 10;

grpc::Status Failed(const absl::Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.raw_code()),
                      std::string(status.message()));
}

}  // namespace

FetchCall::FetchCall(const ImageDepot* depot, Strand* disk, const v1::FetchImageRequest& request)
    : depot_(depot), disk_(disk) {
  disk_->Post([this, archive = request.archive()] { Open(archive); });
}

void FetchCall::Open(const std::string& archive) {
  auto file = depot_->Read(archive);
  if (!file.ok()) return Finish(Failed(file.status()));
  file_ = std::move(file).value();
  Next();
}

void FetchCall::Next() {
  std::string* data = chunk_.mutable_data();
  data->resize(kChunk);
  ssize_t count = 0;
  do {
    count = read(file_.get(), data->data(), data->size());
  } while (count < 0 && errno == EINTR);
  if (count < 0) return Finish(Failed(ErrnoStatus("read", "the image archive")));
  if (count == 0) return Finish(grpc::Status::OK);
  data->resize(static_cast<size_t>(count));
  StartWrite(&chunk_);
}

void FetchCall::OnWriteDone(bool ok) {
  disk_->Post([this, ok] {
    if (!ok) return Finish(grpc::Status(grpc::StatusCode::CANCELLED, "the node is gone"));
    Next();
  });
}

void FetchCall::OnDone() {
  disk_->Post([this] { delete this; });
}

}  // namespace cluster::controller
