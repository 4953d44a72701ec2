#include "node/image/image_store.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/status.h"
#include "node/image/digest.h"
#include "node/image/image_plan.h"
#include "node/image/image_source.h"
#include "node/image/layer_shelf.h"
#include "node/image/stored_image.h"

namespace cluster::node {
namespace {

using Images = std::map<std::string, StoredImage>;  // by digest

class DirectoryImageStore : public ImageStore {
 public:
  DirectoryImageStore(std::string directory, ImageLimits limits, LayerShelf shelf, Images images)
      : directory_(std::move(directory)),
        limits_(limits),
        shelf_(std::move(shelf)),
        images_(std::move(images)) {}

  absl::StatusOr<std::vector<ImageRecord>> Load(const std::string& path,
                                                absl::string_view fallback_name) override;
  absl::StatusOr<ImageRecord> Find(absl::string_view name_or_digest) const override;
  std::vector<ImageRecord> List() const override;
  absl::Status Remove(absl::string_view name,
                      const std::function<bool(const std::string& layer)>& in_use) override;

 private:
  std::string PathOf(const std::string& digest) const {
    return absl::StrCat(directory_, "/images/", HexOf(digest), ".json");
  }
  Images Snapshot() const;
  absl::StatusOr<std::vector<PlannedImage>> Unpack(const std::string& path,
                                                   absl::string_view fallback_name, NewLayers* made)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(writing_);
  absl::Status Record(const std::vector<PlannedImage>& planned, const NewLayers& made)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(writing_);
  absl::Status Write(const StoredImage& image);
  absl::Status Forget(const std::string& digest);
  absl::Status RemoveUnneeded(const std::function<bool(const std::string& layer)>& in_use)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(writing_);
  ImageRecord Describe(const StoredImage& image) const;

  const std::string directory_;
  const ImageLimits limits_;

  // Held by whoever changes the store, from the first file to the last: that is what it is for.
  Mutex writing_;
  LayerShelf shelf_;  // its changes need writing_

  mutable Mutex mutex_;
  Images images_ ABSL_GUARDED_BY(mutex_);
};

const StoredImage* FindByName(const Images& images, const std::string& name) {
  for (const auto& [digest, image] : images) {
    if (std::find(image.names.begin(), image.names.end(), name) != image.names.end()) {
      return &image;
    }
  }
  return nullptr;
}

// By digest when the name carries one.
const StoredImage* FindImage(const Images& images, const std::string& normalized) {
  const size_t at = normalized.find('@');
  const std::string digest = at == std::string::npos ? normalized : normalized.substr(at + 1);
  const auto found = images.find(digest);
  return found != images.end() ? &found->second : FindByName(images, normalized);
}

absl::Status NotThere(absl::string_view name, const Images& images) {
  std::vector<std::string> names;
  for (const auto& [digest, image] : images) {
    names.insert(names.end(), image.names.begin(), image.names.end());
  }
  std::sort(names.begin(), names.end());
  const size_t most = std::min<size_t>(names.size(), 10);
  std::string there = absl::StrJoin(names.begin(), names.begin() + static_cast<long>(most), ", ");
  if (names.size() > most) absl::StrAppend(&there, " and ", names.size() - most, " more");
  return absl::NotFoundError(absl::StrCat("the image '", name, "' is not on this node (there ",
                                          names.empty() ? "is none" : absl::StrCat("are: ", there),
                                          "); load it with clusterctl image load"));
}

Images DirectoryImageStore::Snapshot() const {
  MutexLock lock(&mutex_);
  return images_;
}

ImageRecord DirectoryImageStore::Describe(const StoredImage& image) const {
  ImageRecord record;
  record.digest = image.digest;
  record.names = image.names;
  record.config = image.config;
  record.created_unix_seconds = image.created_unix_seconds;
  for (const StoredLayer& layer : image.layers) {
    record.layers.push_back(shelf_.DirectoryOf(layer.diff_id));
    record.size_bytes += layer.size;
  }
  return record;
}

absl::StatusOr<ImageRecord> DirectoryImageStore::Find(absl::string_view name_or_digest) const {
  ASSIGN_OR_RETURN(const std::string name, NormalizeImageName(name_or_digest));
  MutexLock lock(&mutex_);
  const StoredImage* image = FindImage(images_, name);
  if (image == nullptr) return NotThere(name_or_digest, images_);
  return Describe(*image);
}

std::vector<ImageRecord> DirectoryImageStore::List() const {
  std::vector<ImageRecord> records;
  for (const auto& [digest, image] : Snapshot()) records.push_back(Describe(image));
  return records;
}

absl::StatusOr<std::vector<ImageRecord>> DirectoryImageStore::Load(
    const std::string& path, absl::string_view fallback_name) {
  MutexLock lock(&writing_);
  NewLayers made;
  absl::StatusOr<std::vector<PlannedImage>> planned = Unpack(path, fallback_name, &made);
  if (!planned.ok()) {
    const std::string file =
        path.substr(path.rfind('/') == std::string::npos ? 0 : path.rfind('/') + 1);
    return Annotate(planned.status(), absl::StrCat("image archive ", file));
  }
  RETURN_IF_ERROR(shelf_.Keep(&made));
  RETURN_IF_ERROR(Record(*planned, made));
  std::vector<ImageRecord> records;
  const Images images = Snapshot();
  for (const PlannedImage& image : *planned) records.push_back(Describe(images.at(image.digest)));
  return records;
}

absl::StatusOr<std::vector<PlannedImage>> DirectoryImageStore::Unpack(
    const std::string& path, absl::string_view fallback_name, NewLayers* made) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ImageSource> source, ImageSource::Open(path, limits_));
  ASSIGN_OR_RETURN(std::vector<PlannedImage> images, PlanImages(*source, fallback_name, limits_));
  for (PlannedImage& image : images) {
    int64_t budget = limits_.max_unpacked_bytes;
    for (size_t i = 0; i < image.layers.size(); ++i) {
      PlannedLayer& layer = image.layers[i];
      const absl::Status status = shelf_.Make(*source, &layer, limits_, &budget, made);
      if (status.ok()) continue;
      const std::string& id = layer.digest.empty() ? layer.diff_id : layer.digest;
      return Annotate(status, absl::StrCat("layer ", i + 1, " of ", image.layers.size(), " (",
                                           id.empty() ? layer.member : id, ")"));
    }
  }
  return images;
}

absl::Status DirectoryImageStore::Record(const std::vector<PlannedImage>& planned,
                                         const NewLayers& made) {
  Images images = Snapshot();
  std::map<std::string, int64_t> sizes;
  for (const auto& [digest, image] : images) {
    for (const StoredLayer& layer : image.layers) sizes[layer.diff_id] = layer.size;
  }
  std::set<std::string> changed;
  for (const PlannedImage& plan : planned) {
    // A name belongs to the image that was loaded last.
    for (const std::string& name : plan.names) {
      for (auto& [digest, image] : images) {
        if (digest == plan.digest || std::erase(image.names, name) == 0) continue;
        changed.insert(digest);
      }
    }
    StoredImage& image = images[plan.digest];
    image.digest = plan.digest;
    for (const std::string& name : plan.names) {
      if (std::find(image.names.begin(), image.names.end(), name) == image.names.end()) {
        image.names.push_back(name);
      }
    }
    image.config = plan.document.config;
    image.created_unix_seconds = plan.document.created_unix_seconds;
    image.layers.clear();
    for (const PlannedLayer& layer : plan.layers) {
      const int64_t fresh = LayerShelf::SizeOf(made, layer.diff_id);
      image.layers.push_back({layer.diff_id, fresh != 0 ? fresh : sizes[layer.diff_id]});
    }
    changed.insert(plan.digest);
  }
  for (const std::string& digest : changed) RETURN_IF_ERROR(Write(images[digest]));
  MutexLock lock(&mutex_);
  images_ = std::move(images);
  return absl::OkStatus();
}

absl::Status DirectoryImageStore::Write(const StoredImage& image) {
  return WriteFileDurably(PathOf(image.digest), PrintStoredImage(image));
}

absl::Status DirectoryImageStore::Forget(const std::string& digest) {
  const std::string path = PathOf(digest);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return ErrnoStatus("unlink", path);
  MutexLock lock(&mutex_);
  images_.erase(digest);
  return absl::OkStatus();
}

absl::Status DirectoryImageStore::Remove(
    absl::string_view name, const std::function<bool(const std::string& layer)>& in_use) {
  ASSIGN_OR_RETURN(const std::string normalized, NormalizeImageName(name));
  MutexLock lock(&writing_);
  const Images images = Snapshot();
  const StoredImage* found = FindImage(images, normalized);
  if (found == nullptr) return NotThere(name, images);
  StoredImage image = *found;
  // Named by digest it goes with all its names.
  if (std::erase(image.names, normalized) == 0) image.names.clear();
  if (image.names.empty()) {
    RETURN_IF_ERROR(Forget(image.digest));
  } else {
    RETURN_IF_ERROR(Write(image));
    MutexLock images_lock(&mutex_);
    images_[image.digest] = image;
  }
  return RemoveUnneeded(in_use);
}

// Images that lost their names to others go here too, once nothing runs on them.
absl::Status DirectoryImageStore::RemoveUnneeded(
    const std::function<bool(const std::string& layer)>& in_use) {
  std::set<std::string> needed;
  for (const auto& [digest, image] : Snapshot()) {
    const bool used = std::any_of(image.layers.begin(), image.layers.end(),
                                  [this, &in_use](const StoredLayer& layer) {
                                    return in_use && in_use(shelf_.DirectoryOf(layer.diff_id));
                                  });
    if (image.names.empty() && !used) {
      RETURN_IF_ERROR(Forget(digest));
      continue;
    }
    for (const StoredLayer& layer : image.layers) needed.insert(layer.diff_id);
  }
  for (const std::string& diff_id : shelf_.DiffIds()) {
    if (needed.count(diff_id) != 0) continue;
    if (in_use && in_use(shelf_.DirectoryOf(diff_id))) continue;
    RETURN_IF_ERROR(shelf_.Remove(diff_id));
  }
  return absl::OkStatus();
}

// A record that cannot be read, or whose layers are gone, is left out: the image is then not there,
// and loading it again mends it.
absl::StatusOr<Images> ReadRecords(const std::string& directory, const LayerShelf& shelf) {
  Images images;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (entry.path().extension() != ".json") continue;
    ASSIGN_OR_RETURN(const std::string text, ReadFile(entry.path()));
    absl::StatusOr<StoredImage> image = ParseStoredImage(text);
    if (!image.ok()) {
      LOG_WARN("images: {}: {}", entry.path().string(), std::string(image.status().message()));
      continue;
    }
    const auto lost =
        std::find_if(image->layers.begin(), image->layers.end(),
                     [&shelf](const StoredLayer& layer) { return !shelf.Has(layer.diff_id); });
    if (lost != image->layers.end()) {
      LOG_WARN("images: {}: its layer {} is gone", entry.path().string(), lost->diff_id);
      continue;
    }
    const std::string digest = image->digest;
    images[digest] = *std::move(image);
  }
  if (error) return ErrnoStatus(error.value(), "list", directory);
  return images;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ImageStore>> ImageStore::Open(const std::string& directory,
                                                             ImageLimits limits) {
  ASSIGN_OR_RETURN(LayerShelf shelf, LayerShelf::Open(directory));
  const std::string records = directory + "/images";
  RETURN_IF_ERROR(MakeDirectories(records, 0700));
  ASSIGN_OR_RETURN(Images images, ReadRecords(records, shelf));
  return std::make_unique<DirectoryImageStore>(directory, limits, std::move(shelf),
                                               std::move(images));
}

}  // namespace cluster::node
