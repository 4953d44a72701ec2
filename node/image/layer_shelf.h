// The directories of an image store: unpacked layers, each under its diff id, and the place where
// new ones are made.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "base/unique_handle.h"
#include "node/image/image_plan.h"
#include "node/image/image_source.h"
#include "node/image/image_store.h"

namespace cluster::node {

// Layers that were unpacked below tmp/ and are not known yet; their directories go with it unless
// they were put on the shelf.
class NewLayers {
 public:
  NewLayers() = default;
  NewLayers(const NewLayers&) = delete;
  NewLayers& operator=(const NewLayers&) = delete;
  ~NewLayers();

 private:
  friend class LayerShelf;
  struct Layer {
    std::string directory;
    int64_t size = 0;
  };
  std::map<std::string, Layer> layers_;  // by diff id
  std::set<std::string> directories_;    // everything made, finished or not
};

// One thread at a time.
class LayerShelf {
 public:
  // Makes `layers/` and `tmp/` below `directory` and empties tmp/.
  static absl::StatusOr<LayerShelf> Open(const std::string& directory);

  // layers/sha256-<hex>, absolute.
  std::string DirectoryOf(const std::string& diff_id) const;
  bool Has(const std::string& diff_id) const;

  // Unpacks and checks the layer, unless it is here or among `made` already, and fills in its diff
  // id where the archive does not say. `budget` as for UnpackLayer.
  absl::Status Make(const ImageSource& source, PlannedLayer* layer, const ImageLimits& limits,
                    int64_t* budget, NewLayers* made);
  // The unpacked size of a layer that Make has just made.
  static int64_t SizeOf(const NewLayers& made, const std::string& diff_id);
  // Puts them all on the shelf, durably: data first, then the names.
  absl::Status Keep(NewLayers* made);

  // Everything on the shelf.
  std::vector<std::string> DiffIds() const;
  absl::Status Remove(const std::string& diff_id);

 private:
  explicit LayerShelf(std::string directory) : directory_(std::move(directory)) {}
  std::string NewDirectory(NewLayers* made);

  std::string directory_;
  int64_t next_ = 0;
};

}  // namespace cluster::node
