#include "node/image/layer_shelf.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "node/image/digest.h"
#include "node/image/layer_stream.h"
#include "node/image/layer_unpack.h"

namespace cluster::node {
namespace {

constexpr absl::string_view kLayerPrefix = "sha256-";

absl::Status RemoveTree(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  return error ? ErrnoStatus(error.value(), "remove", path) : absl::OkStatus();
}

absl::Status CheckSums(const LayerSums& sums, const PlannedLayer& layer) {
  if (!layer.digest.empty() && sums.digest != layer.digest) {
    return absl::InvalidArgumentError(absl::StrCat("its digest is in truth ", sums.digest));
  }
  if (layer.size >= 0 && sums.size != layer.size) {
    return absl::InvalidArgumentError(
        absl::StrCat("it has ", sums.size, " bytes instead of the ", layer.size, " declared"));
  }
  if (!layer.diff_id.empty() && sums.diff_id != layer.diff_id) {
    return absl::InvalidArgumentError(
        absl::StrCat("its content is in truth ", sums.diff_id, " instead of ", layer.diff_id));
  }
  return absl::OkStatus();
}

}  // namespace

NewLayers::~NewLayers() {
  for (const std::string& directory : directories_) {
    const absl::Status removed = RemoveTree(directory);
    if (!removed.ok()) LOG_WARN("images: {}", std::string(removed.message()));
  }
}

absl::StatusOr<LayerShelf> LayerShelf::Open(const std::string& directory) {
  LayerShelf shelf(directory);
  RETURN_IF_ERROR(MakeDirectories(directory, 0700));
  RETURN_IF_ERROR(MakeDirectories(directory + "/layers", 0700));
  RETURN_IF_ERROR(RemoveTree(directory + "/tmp"));
  RETURN_IF_ERROR(MakeDirectories(directory + "/tmp", 0700));
  return shelf;
}

std::string LayerShelf::DirectoryOf(const std::string& diff_id) const {
  return absl::StrCat(directory_, "/layers/", kLayerPrefix, HexOf(diff_id));
}

bool LayerShelf::Has(const std::string& diff_id) const {
  struct stat info {};
  return ::lstat(DirectoryOf(diff_id).c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

std::string LayerShelf::NewDirectory(NewLayers* made) {
  const std::string directory = absl::StrCat(directory_, "/tmp/", ++next_);
  made->directories_.insert(directory);
  return directory;
}

absl::Status LayerShelf::Make(const ImageSource& source, PlannedLayer* layer,
                              const ImageLimits& limits, int64_t* budget, NewLayers* made) {
  if (!layer->diff_id.empty() &&
      (Has(layer->diff_id) || made->layers_.count(layer->diff_id) != 0)) {
    return absl::OkStatus();
  }
  absl::StatusOr<std::unique_ptr<ByteStream>> packed = source.Stream(layer->member);
  if (absl::IsNotFound(packed.status())) {
    return absl::InvalidArgumentError(packed.status().message());
  }
  RETURN_IF_ERROR(packed.status());
  const std::string directory = NewDirectory(made);
  if (::mkdir(directory.c_str(), 0755) != 0) return ErrnoStatus("mkdir", directory);
  ASSIGN_OR_RETURN(const UniqueFd top, OpenAt(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY));
  // The umask of the program must not decide what a container can read.
  if (::fchmod(top.get(), 0755) != 0) return ErrnoStatus("chmod", directory);
  LayerStream stream(*std::move(packed), limits, limits.max_unpacked_bytes);
  RETURN_IF_ERROR(UnpackLayer(&stream, top.get(), limits, budget));
  ASSIGN_OR_RETURN(const LayerSums sums, stream.Finish());
  RETURN_IF_ERROR(CheckSums(sums, *layer));
  layer->diff_id = sums.diff_id;
  made->layers_[sums.diff_id] = {directory, sums.unpacked};
  return absl::OkStatus();
}

int64_t LayerShelf::SizeOf(const NewLayers& made, const std::string& diff_id) {
  const auto layer = made.layers_.find(diff_id);
  return layer == made.layers_.end() ? 0 : layer->second.size;
}

absl::Status LayerShelf::Keep(NewLayers* made) {
  if (made->layers_.empty()) return absl::OkStatus();
  const std::string shelf = directory_ + "/layers";
  ASSIGN_OR_RETURN(const UniqueFd directory, OpenAt(AT_FDCWD, shelf, O_RDONLY | O_DIRECTORY));
  if (::syncfs(directory.get()) != 0) return ErrnoStatus("syncfs", shelf);
  for (const auto& [diff_id, layer] : made->layers_) {
    if (Has(diff_id)) continue;  // a legacy archive does not say before it is unpacked
    if (::rename(layer.directory.c_str(), DirectoryOf(diff_id).c_str()) != 0) {
      return ErrnoStatus("rename", layer.directory);
    }
    made->directories_.erase(layer.directory);
  }
  if (::fsync(directory.get()) != 0) return ErrnoStatus("fsync", shelf);
  return absl::OkStatus();
}

std::vector<std::string> LayerShelf::DiffIds() const {
  std::vector<std::string> diff_ids;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory_ + "/layers", error)) {
    const std::string name = entry.path().filename();
    if (!absl::StartsWith(name, kLayerPrefix)) continue;
    const std::string diff_id = absl::StrCat("sha256:", name.substr(kLayerPrefix.size()));
    if (IsSha256Digest(diff_id)) diff_ids.push_back(diff_id);
  }
  if (error) LOG_WARN("images: cannot list the layers: {}", error.message());
  return diff_ids;
}

// Out of the way first: a half removed directory must not pass for the layer.
absl::Status LayerShelf::Remove(const std::string& diff_id) {
  const std::string directory = DirectoryOf(diff_id);
  const std::string doomed = absl::StrCat(directory_, "/tmp/", ++next_);
  if (::rename(directory.c_str(), doomed.c_str()) != 0) return ErrnoStatus("rename", directory);
  return RemoveTree(doomed);
}

}  // namespace cluster::node
