#include "controller/api/load_image_call.h"

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "controller/api/status.h"

namespace cluster::controller {

LoadImageCall::LoadImageCall(grpc::CallbackServerContext* context, Sessions* sessions,
                             v1::LoadImageResponse* response)
    : context_(context), sessions_(sessions), response_(response) {
  StartRead(&reading_);
}

void LoadImageCall::OnRequest() {
  if (!has_header_) {
    if (!reading_.has_header()) {
      return End(absl::InvalidArgumentError("the first message of a load is its header"));
    }
    has_header_ = true;
    header_ = reading_.header();
    auto upload = sessions_->depot().Begin();
    if (!upload.ok()) return End(upload.status());
    upload_ = std::move(upload).value();
  } else {
    const absl::Status written = upload_->Append(reading_.data());
    if (!written.ok()) return End(written);
  }
  reading_.Clear();
  StartRead(&reading_);
}

void LoadImageCall::Offer() {
  if (upload_ == nullptr) {
    return End(absl::InvalidArgumentError("the first message of a load is its header"));
  }
  v1::ImageArchive archive;
  archive.set_size_bytes(upload_->size());
  archive.set_fallback_name(header_.image_name());
  auto id = upload_->Finish();
  upload_.reset();
  if (!id.ok()) return End(Annotate(id.status(), header_.file_name()));
  archive.set_archive(*std::move(id));
  Strand* strand = sessions_->upload_strand();
  sessions_->OfferImage(archive,
                        [strand, self = self_](absl::StatusOr<ArchiveBook::Loaded> loaded) {
                          strand->Post([self, loaded = std::move(loaded)]() mutable {
                            if (*self != nullptr) (*self)->OnLoaded(std::move(loaded));
                          });
                        });
}

void LoadImageCall::OnLoaded(absl::StatusOr<ArchiveBook::Loaded> loaded) {
  if (ended_) return;
  if (!loaded.ok()) {
    return End(header_.file_name().empty() ? loaded.status()
                                           : Annotate(loaded.status(), header_.file_name()));
  }
  for (const v1::Image& image : loaded->images) *response_->add_images() = image;
  for (const std::string& node : loaded->nodes) response_->add_nodes(node);
  End(absl::OkStatus());
}

void LoadImageCall::End(const absl::Status& status) {
  if (ended_) return;
  ended_ = true;
  upload_.reset();
  Finish(ToGrpc(status));
}

void LoadImageCall::OnReadDone(bool ok) {
  sessions_->upload_strand()->Post([this, ok] {
    if (ended_) return;
    if (ok) return OnRequest();
    // A client that died ends its stream as well; gRPC says so in the next moment.
    sessions_->upload_strand()->PostAfter(absl::Milliseconds(2), [this] {
      if (ended_) return;
      if (context_->IsCancelled()) return End(absl::CancelledError("the client is gone"));
      Offer();
    });
  });
}

void LoadImageCall::OnCancel() {
  sessions_->upload_strand()->Post([this] { End(absl::CancelledError("the client is gone")); });
}

void LoadImageCall::OnDone() {
  sessions_->upload_strand()->Post([this] {
    *self_ = nullptr;
    delete this;
  });
}

}  // namespace cluster::controller
