// Brings the archives that the controller wants on the node into the image store, one after
// another.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "grpcpp/grpcpp.h"

#include "base/mutex.h"
#include "cluster/v1/session.pb.h"
#include "node/image/image_store.h"

namespace cluster::node {

// Thread-safe.
class ImageArchives {
 public:
  struct Options {
    ImageStore* store = nullptr;
    // For archives in the making; emptied at Start.
    std::string directory;
    // A connection to the controller; null while there is none.
    std::function<std::shared_ptr<grpc::Channel>()> channel;
    // Called (from the fetching thread) with what there is to say of an archive; `fresh` when it
    // was unpacked just now.
    std::function<void(v1::ImageReport report, bool fresh)> report;
  };

  explicit ImageArchives(Options options);
  ~ImageArchives();

  // `unpacked`: what earlier agents reported on this disk.
  absl::Status Start(std::vector<v1::ImageReport> unpacked);
  void Stop();

  // The whole list. Each is reported: at once when it was unpacked before, else when it has been.
  void SetWanted(std::vector<v1::ImageArchive> archives);
  // A session began: what failed for want of one is tried again now.
  void Retry();

 private:
  void Work();
  // Unavailable: try again later. Everything else is the archive's fault, and final.
  absl::StatusOr<v1::ImageReport> Obtain(const v1::ImageArchive& archive);
  absl::Status Fetch(const v1::ImageArchive& archive, const std::string& path);

  const Options options_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<v1::ImageArchive> wanted_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, v1::ImageReport> unpacked_ ABSL_GUARDED_BY(mutex_);
  bool retry_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<grpc::ClientContext> fetching_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace cluster::node
