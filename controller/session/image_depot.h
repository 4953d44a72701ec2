// The files of image archives, each under the hash of its bytes.
//
// Layout: DIR/sha256-<hex> a whole archive, DIR/tmp/<random> one that is being written. A file gets
// its name once it is on disk, so a named file is always whole.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "openssl/evp.h"

#include "base/unique_handle.h"

namespace cluster::controller {

class ImageDepot;

// One archive in the making; removed when it is destroyed before Finish. One thread at a time.
class ArchiveUpload {
 public:
  ~ArchiveUpload();
  // ResourceExhausted when the disk is full or the archive too large.
  absl::Status Append(absl::string_view data);
  // Makes it durable; answers its id, "sha256:...".
  absl::StatusOr<std::string> Finish();
  int64_t size() const { return size_; }

 private:
  friend class ImageDepot;
  ArchiveUpload(const ImageDepot* depot, std::string path, UniqueFd file);

  const ImageDepot* const depot_;
  std::string path_;  // empty: nothing to remove
  UniqueFd file_;
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> hash_{EVP_MD_CTX_new(), EVP_MD_CTX_free};
  int64_t size_ = 0;
};

// Any thread; calls block on the disk.
class ImageDepot {
 public:
  // Makes the directory when missing and removes what is neither whole nor in `known`.
  static absl::StatusOr<std::unique_ptr<ImageDepot>> Open(const std::string& directory,
                                                          const std::set<std::string>& known);

  absl::StatusOr<std::unique_ptr<ArchiveUpload>> Begin() const;
  // NotFound. Anything but an id is InvalidArgument.
  absl::StatusOr<UniqueFd> Read(const std::string& archive) const;
  absl::Status Remove(const std::string& archive) const;

 private:
  friend class ArchiveUpload;
  explicit ImageDepot(std::string directory) : directory_(std::move(directory)) {}
  absl::StatusOr<std::string> PathOf(const std::string& archive) const;

  const std::string directory_;
};

}  // namespace cluster::controller
