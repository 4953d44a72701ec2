// The files beside the database: the head and the ballast.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

#include "base/unique_handle.h"
#include "controller/store/store.h"

namespace cluster::store {

// PATH-head: the highest revision that was ever acknowledged. SQLite takes a damaged or missing
// write-ahead log for the end of it; the head shows that there was more. It is written after each
// commit without a sync of its own, so after a power loss it may lag behind, never run ahead.
class HeadFile {
 public:
  // Opens it or, when absent, makes it with revision 0. DataLoss when it is damaged.
  static absl::StatusOr<HeadFile> Open(const std::string& path);
  Rev rev() const { return rev_; }
  absl::Status Write(Rev rev);

 private:
  HeadFile(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  absl::Status Read();

  UniqueFd fd_;
  std::string path_;
  Rev rev_ = 0;
};

// PATH-ballast: disk space held in reserve, given back when the disk is full.
class Ballast {
 public:
  static absl::StatusOr<Ballast> Open(const std::string& path, int64_t bytes);
  bool held() const { return held_; }
  // Gives the space back to the disk.
  absl::Status Release();
  // Takes the space again. False when the disk does not have it with half as much to spare.
  absl::StatusOr<bool> Hold();

 private:
  Ballast(UniqueFd fd, std::string path, int64_t bytes)
      : fd_(std::move(fd)), path_(std::move(path)), bytes_(bytes) {}

  UniqueFd fd_;
  std::string path_;
  int64_t bytes_ = 0;
  bool held_ = false;
};

}  // namespace cluster::store
