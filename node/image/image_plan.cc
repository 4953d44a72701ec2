#include "node/image/image_plan.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/status.h"
#include "node/image/digest.h"

namespace cluster::node {
namespace {

constexpr int kMaxIndexDepth = 4;

// The sentences of a source speak of "its ..."; all of them are the archive's fault.
absl::Status ArchiveFault(const absl::Status& status) {
  if (!absl::IsNotFound(status)) return status;
  return absl::InvalidArgumentError(status.message());
}

std::string BlobMember(absl::string_view digest) {
  return absl::StrCat("blobs/sha256/", HexOf(digest));
}

absl::Status WrongPlatform(const std::set<std::string>& found) {
  return absl::InvalidArgumentError(absl::StrCat("it is for ", absl::StrJoin(found, ", "),
                                                 ", this node is linux/", NodeArchitecture()));
}

std::string PlatformText(absl::string_view os, absl::string_view architecture) {
  return absl::StrCat(os.empty() ? "linux" : os, "/", architecture);
}

bool FitsPlatform(absl::string_view os, absl::string_view architecture) {
  return (os.empty() || os == "linux") &&
         (architecture.empty() || architecture == NodeArchitecture());
}

absl::Status CheckConfig(const ConfigDocument& document, size_t layers) {
  if (!FitsPlatform(document.os, document.architecture)) {
    return WrongPlatform({PlatformText(document.os, document.architecture)});
  }
  if (document.diff_ids.size() != layers) {
    return absl::InvalidArgumentError(absl::StrCat("its config names ", document.diff_ids.size(),
                                                   " layers, its manifest ", layers));
  }
  if (layers == 0) return absl::InvalidArgumentError("it has no layer");
  return absl::OkStatus();
}

// Reads the images of one archive.
class Planner {
 public:
  Planner(const ImageSource& source, absl::string_view fallback_name, const ImageLimits& limits)
      : source_(source), fallback_(fallback_name), limits_(limits) {}

  absl::StatusOr<std::vector<PlannedImage>> FromOciLayout();
  absl::StatusOr<std::vector<PlannedImage>> FromDockerArchive();
  absl::StatusOr<std::vector<PlannedImage>> FromLegacyArchive();

 private:
  absl::StatusOr<std::string> ReadSmall(const std::string& member) const;
  // A small blob whose size and digest are right.
  absl::StatusOr<std::string> ReadBlob(const BlobRef& ref) const;
  // The manifest for this platform behind a descriptor; nothing when there is only another
  // platform's.
  absl::StatusOr<std::vector<BlobRef>> ManifestsBehind(const BlobRef& ref, int depth);
  absl::StatusOr<PlannedImage> FromManifest(const BlobRef& ref);
  absl::StatusOr<PlannedImage> FromSaved(const SavedImage& saved);
  absl::StatusOr<PlannedImage> FromLegacy(const std::string& id);
  absl::Status AddNames(const std::vector<std::string>& names, PlannedImage* image) const;
  std::string NameOf(const BlobRef& ref) const;

  const ImageSource& source_;
  const std::string fallback_;
  const ImageLimits limits_;
  std::set<std::string> other_platforms_;
};

absl::StatusOr<std::string> Planner::ReadSmall(const std::string& member) const {
  absl::StatusOr<std::string> content = source_.ReadAll(member, limits_.max_json_bytes);
  if (!content.ok()) return ArchiveFault(content.status());
  return content;
}

absl::StatusOr<std::string> Planner::ReadBlob(const BlobRef& ref) const {
  ASSIGN_OR_RETURN(std::string content, ReadSmall(BlobMember(ref.digest)));
  const std::string digest = Sha256Of(content);
  if (digest != ref.digest || static_cast<int64_t>(content.size()) != ref.size) {
    return absl::InvalidArgumentError(absl::StrCat("the blob ", ref.digest, " of ", ref.size,
                                                   " bytes is in truth ", digest, " of ",
                                                   content.size(), " bytes"));
  }
  return content;
}

absl::StatusOr<std::vector<BlobRef>> Planner::ManifestsBehind(const BlobRef& ref, int depth) {
  if (ref.attestation) return std::vector<BlobRef>();
  if (!FitsPlatform(ref.os, ref.architecture)) {
    other_platforms_.insert(PlatformText(ref.os, ref.architecture));
    return std::vector<BlobRef>();
  }
  if (!IsIndex(ref)) return std::vector<BlobRef>{ref};
  if (depth >= kMaxIndexDepth) {
    return absl::InvalidArgumentError("its indexes are nested too deeply");
  }
  ASSIGN_OR_RETURN(const std::string json, ReadBlob(ref));
  ASSIGN_OR_RETURN(const std::vector<BlobRef> inner, ParseIndex(json));
  for (const BlobRef& candidate : inner) {
    ASSIGN_OR_RETURN(std::vector<BlobRef> found, ManifestsBehind(candidate, depth + 1));
    // The first that fits is the one that is meant.
    if (!found.empty()) return found;
  }
  return std::vector<BlobRef>();
}

absl::StatusOr<PlannedImage> Planner::FromManifest(const BlobRef& ref) {
  ASSIGN_OR_RETURN(const std::string json, ReadBlob(ref));
  ASSIGN_OR_RETURN(const ManifestDocument manifest, ParseManifest(json));
  ASSIGN_OR_RETURN(const std::string config, ReadBlob(manifest.config));
  PlannedImage image;
  image.digest = ref.digest;
  ASSIGN_OR_RETURN(image.document, ParseConfig(config));
  RETURN_IF_ERROR(CheckConfig(image.document, manifest.layers.size()));
  for (size_t i = 0; i < manifest.layers.size(); ++i) {
    PlannedLayer layer;
    layer.digest = manifest.layers[i].digest;
    layer.member = BlobMember(layer.digest);
    layer.size = manifest.layers[i].size;
    layer.diff_id = image.document.diff_ids[i];
    image.layers.push_back(std::move(layer));
  }
  return image;
}

// Builders write the full name, or the tag alone, into the same annotation.
std::string Planner::NameOf(const BlobRef& ref) const {
  if (!ref.containerd_name.empty()) return ref.containerd_name;
  if (ref.ref_name.empty()) return fallback_;
  if (fallback_.empty() || absl::StrContains(ref.ref_name, ':') ||
      absl::StrContains(ref.ref_name, '/')) {
    return ref.ref_name;
  }
  const absl::string_view fallback = fallback_;
  const size_t colon = fallback.rfind(':');
  const bool has_tag =
      colon != absl::string_view::npos && !absl::StrContains(fallback.substr(colon), '/');
  return absl::StrCat(has_tag ? fallback.substr(0, colon) : fallback, ":", ref.ref_name);
}

absl::Status Planner::AddNames(const std::vector<std::string>& names, PlannedImage* image) const {
  for (const std::string& name : names) {
    if (name.empty()) continue;
    ASSIGN_OR_RETURN(std::string normalized, NormalizeImageName(name));
    if (std::find(image->names.begin(), image->names.end(), normalized) == image->names.end()) {
      image->names.push_back(std::move(normalized));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<PlannedImage>> Planner::FromOciLayout() {
  ASSIGN_OR_RETURN(const std::string json, ReadSmall("index.json"));
  ASSIGN_OR_RETURN(const std::vector<BlobRef> top, ParseIndex(json));
  std::vector<PlannedImage> images;
  for (const BlobRef& ref : top) {
    ASSIGN_OR_RETURN(const std::vector<BlobRef> manifests, ManifestsBehind(ref, 0));
    if (manifests.empty()) continue;
    const auto known = std::find_if(
        images.begin(), images.end(),
        [&manifests](const PlannedImage& image) { return image.digest == manifests[0].digest; });
    if (known != images.end()) {
      RETURN_IF_ERROR(AddNames({NameOf(ref)}, &*known));
      continue;
    }
    ASSIGN_OR_RETURN(PlannedImage image, FromManifest(manifests[0]));
    RETURN_IF_ERROR(AddNames({NameOf(ref)}, &image));
    images.push_back(std::move(image));
  }
  if (!images.empty()) return images;
  if (!other_platforms_.empty()) return WrongPlatform(other_platforms_);
  return absl::InvalidArgumentError("its index names no image");
}

absl::StatusOr<PlannedImage> Planner::FromSaved(const SavedImage& saved) {
  ASSIGN_OR_RETURN(const std::string config, ReadSmall(saved.config_path));
  PlannedImage image;
  image.digest = Sha256Of(config);
  // The name of the config is its digest: "<64 hex>.json", or below blobs/sha256/.
  absl::string_view stem = saved.config_path;
  stem = stem.substr(stem.rfind('/') == absl::string_view::npos ? 0 : stem.rfind('/') + 1);
  stem = stem.substr(0, stem.find('.'));
  const std::string named = absl::StrCat("sha256:", stem);
  if (IsSha256Digest(named) && named != image.digest) {
    return absl::InvalidArgumentError(
        absl::StrCat("its config ", saved.config_path, " is in truth ", image.digest));
  }
  ASSIGN_OR_RETURN(image.document, ParseConfig(config));
  RETURN_IF_ERROR(CheckConfig(image.document, saved.layer_paths.size()));
  for (size_t i = 0; i < saved.layer_paths.size(); ++i) {
    PlannedLayer layer;
    layer.member = saved.layer_paths[i];
    layer.diff_id = image.document.diff_ids[i];
    image.layers.push_back(std::move(layer));
  }
  std::vector<std::string> names = saved.names;
  if (names.empty()) names.push_back(fallback_);
  RETURN_IF_ERROR(AddNames(names, &image));
  return image;
}

absl::StatusOr<std::vector<PlannedImage>> Planner::FromDockerArchive() {
  ASSIGN_OR_RETURN(const std::string json, ReadSmall("manifest.json"));
  ASSIGN_OR_RETURN(const std::vector<SavedImage> saved, ParseSavedImages(json));
  if (saved.empty()) return absl::InvalidArgumentError("its manifest.json names no image");
  std::vector<PlannedImage> images;
  for (const SavedImage& one : saved) {
    ASSIGN_OR_RETURN(PlannedImage image, FromSaved(one));
    images.push_back(std::move(image));
  }
  return images;
}

absl::StatusOr<PlannedImage> Planner::FromLegacy(const std::string& top) {
  PlannedImage image;
  std::set<std::string> seen;
  for (std::string id = top; !id.empty();) {
    if (!seen.insert(id).second || seen.size() > kMaxLayers) {
      return absl::InvalidArgumentError("its layers have each other for parents, or are too many");
    }
    ASSIGN_OR_RETURN(const std::string json, ReadSmall(absl::StrCat(id, "/json")));
    ASSIGN_OR_RETURN(LegacyLayer layer, ParseLegacyLayer(json));
    if (id == top) {
      image.digest = Sha256Of(json);
      image.document = std::move(layer.document);
    }
    PlannedLayer planned;
    planned.member = absl::StrCat(id, "/layer.tar");
    image.layers.push_back(std::move(planned));
    id = layer.parent;
  }
  std::reverse(image.layers.begin(), image.layers.end());
  if (!FitsPlatform(image.document.os, image.document.architecture)) {
    return WrongPlatform({PlatformText(image.document.os, image.document.architecture)});
  }
  return image;
}

absl::StatusOr<std::vector<PlannedImage>> Planner::FromLegacyArchive() {
  ASSIGN_OR_RETURN(const std::string json, ReadSmall("repositories"));
  ASSIGN_OR_RETURN(const std::vector<LegacyName> names, ParseRepositories(json));
  std::map<std::string, std::vector<std::string>> names_of;
  for (const LegacyName& name : names) names_of[name.id].push_back(name.name);
  std::vector<PlannedImage> images;
  for (const auto& [id, tags] : names_of) {
    ASSIGN_OR_RETURN(PlannedImage image, FromLegacy(id));
    RETURN_IF_ERROR(AddNames(tags, &image));
    images.push_back(std::move(image));
  }
  if (images.empty()) return absl::InvalidArgumentError("its repositories name no image");
  return images;
}

}  // namespace

absl::StatusOr<std::vector<PlannedImage>> PlanImages(const ImageSource& source,
                                                     absl::string_view fallback_name,
                                                     const ImageLimits& limits) {
  Planner planner(source, fallback_name, limits);
  if (source.Has("index.json")) return planner.FromOciLayout();
  if (source.Has("manifest.json")) return planner.FromDockerArchive();
  if (source.Has("repositories")) return planner.FromLegacyArchive();
  return absl::InvalidArgumentError(
      "it is neither an OCI layout (index.json) nor a docker archive (manifest.json)");
}

}  // namespace cluster::node
