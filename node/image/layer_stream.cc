#include "node/image/layer_stream.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace cluster::node {

LayerStream::LayerStream(std::unique_ptr<ByteStream> packed, const ImageLimits& limits,
                         int64_t most)
    : packed_(std::move(packed)), limits_(limits), most_(most), buffer_(kStreamPiece) {}

la_ssize_t LayerStream::Feed(archive* reader, void* self, const void** bytes) {
  auto* stream = static_cast<LayerStream*>(self);
  const absl::StatusOr<absl::string_view> piece = stream->packed_->Next();
  if (!piece.ok()) {
    stream->packed_status_ = piece.status();
    archive_set_error(reader, EIO, "cannot be read");
    return -1;
  }
  stream->packed_hash_.Add(*piece);
  stream->sums_.size += static_cast<int64_t>(piece->size());
  *bytes = piece->data();
  return static_cast<la_ssize_t>(piece->size());
}

absl::Status LayerStream::Fault(absl::string_view operation) {
  if (!packed_status_.ok()) return packed_status_;
  return ArchiveStatus(reader_.get(), operation);
}

absl::Status LayerStream::Open() {
  reader_.reset(archive_read_new());
  archive_read_support_filter_gzip(reader_.get());
  archive_read_support_filter_zstd(reader_.get());
  archive_read_support_format_raw(reader_.get());
  archive_entry* entry = nullptr;
  if (archive_read_open(reader_.get(), this, nullptr, &LayerStream::Feed, nullptr) != ARCHIVE_OK ||
      archive_read_next_header(reader_.get(), &entry) != ARCHIVE_OK) {
    return Fault("it cannot be unpacked");
  }
  return absl::OkStatus();
}

absl::StatusOr<absl::string_view> LayerStream::Next() {
  if (reader_ == nullptr) RETURN_IF_ERROR(Open());
  const la_ssize_t got = archive_read_data(reader_.get(), buffer_.data(), buffer_.size());
  if (got < 0) return Fault("it cannot be unpacked");
  sums_.unpacked += got;
  if (sums_.unpacked > most_) {
    return absl::InvalidArgumentError(
        absl::StrCat("it unpacks to more than ", most_, " bytes; that is a bomb"));
  }
  if (sums_.unpacked > kRatioFrom && sums_.unpacked / limits_.max_ratio > sums_.size) {
    return absl::InvalidArgumentError(absl::StrCat("it unpacks to more than ", limits_.max_ratio,
                                                   " times its packed size; that is a bomb"));
  }
  const absl::string_view piece(buffer_.data(), static_cast<size_t>(got));
  tar_hash_.Add(piece);
  return piece;
}

absl::StatusOr<LayerSums> LayerStream::Finish() {
  for (;;) {
    ASSIGN_OR_RETURN(const absl::string_view piece, Next());
    if (piece.empty()) break;
  }
  // What follows the packed stream belongs to the blob's digest too.
  for (;;) {
    ASSIGN_OR_RETURN(const absl::string_view piece, packed_->Next());
    if (piece.empty()) break;
    packed_hash_.Add(piece);
    sums_.size += static_cast<int64_t>(piece.size());
  }
  sums_.digest = packed_hash_.Digest();
  sums_.diff_id = tar_hash_.Digest();
  return sums_;
}

}  // namespace cluster::node
