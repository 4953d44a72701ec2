// An image store without images.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/mutex.h"
#include "node/image/image_store.h"

namespace cluster::node {

// Knows the images that it was given; the content of an archive is the name of the one it holds.
class FakeImages : public ImageStore {
 public:
  FakeImages() { Add("nginx"); }
  void Add(const std::string& name) {
    MutexLock lock(&mutex_);
    ImageRecord& record = records_[name];
    record.names = {name};
    record.digest = "sha256:" + name;
    record.config.cmd = {name};
    record.layers = {"/layers/1"};
  }
  absl::StatusOr<std::vector<ImageRecord>> Load(const std::string& path,
                                                absl::string_view) override {
    absl::StatusOr<std::string> content = ReadFile(path);
    if (!content.ok()) return content.status();
    if (absl::StartsWith(*content, "hostile")) {
      return absl::InvalidArgumentError("the archive leaves the root: ../../etc/passwd");
    }
    const std::string name = content->substr(0, content->find('\n'));
    Add(name);
    return std::vector<ImageRecord>{Find(name).value()};
  }
  absl::StatusOr<ImageRecord> Find(absl::string_view name) const override {
    MutexLock lock(&mutex_);
    const auto found = records_.find(std::string(name));
    if (found == records_.end()) return absl::NotFoundError(absl::StrCat("no image ", name));
    return found->second;
  }
  std::vector<ImageRecord> List() const override { return {}; }
  absl::Status Remove(absl::string_view,
                      const std::function<bool(const std::string& layer)>&) override {
    return absl::UnimplementedError("nobody removes images here");
  }

 private:
  mutable Mutex mutex_;
  std::map<std::string, ImageRecord> records_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cluster::node
