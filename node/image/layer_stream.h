// A layer's tar out of its packed blob: gzip, zstd or plain, hashed on both sides and bounded while
// it flows.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "node/image/archive_reader.h"
#include "node/image/byte_stream.h"
#include "node/image/digest.h"
#include "node/image/image_store.h"

namespace cluster::node {

// What both sides came to.
struct LayerSums {
  std::string digest;  // of the packed bytes
  int64_t size = 0;
  std::string diff_id;  // of the tar
  int64_t unpacked = 0;
};

class LayerStream : public ByteStream {
 public:
  // Takes no more than `most` unpacked bytes, or limits.max_ratio times the packed ones.
  LayerStream(std::unique_ptr<ByteStream> packed, const ImageLimits& limits, int64_t most);

  absl::StatusOr<absl::string_view> Next() override;
  // Reads what is left on both sides and tells the sums. Once.
  absl::StatusOr<LayerSums> Finish();

 private:
  static la_ssize_t Feed(archive* reader, void* self, const void** bytes);
  absl::Status Open();
  absl::Status Fault(absl::string_view operation);

  const std::unique_ptr<ByteStream> packed_;
  const ImageLimits limits_;
  const int64_t most_;
  ArchivePtr reader_;
  absl::Status packed_status_;  // why Feed failed
  std::vector<char> buffer_;
  Sha256 packed_hash_;
  Sha256 tar_hash_;
  LayerSums sums_;
};

}  // namespace cluster::node
