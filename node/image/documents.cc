#include "node/image/documents.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "node/image/digest.h"

namespace cluster::node {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxManifests = 1000;

absl::Status Malformed(absl::string_view document, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("its ", document, " is malformed: ", why));
}

absl::StatusOr<Json> ParseObject(absl::string_view document, absl::string_view text) {
  Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return Malformed(document, "it is no JSON");
  if (!json.is_object()) return Malformed(document, "it is no JSON object");
  return json;
}

// "" when absent or of another type; what must be there is checked by its own shape.
std::string Text(const Json& json, const char* key) {
  if (!json.is_object()) return "";
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

// The strings of an array; a lone string counts as one, as old builders wrote it.
std::vector<std::string> Texts(const Json& json, const char* key) {
  std::vector<std::string> texts;
  if (!json.is_object()) return texts;
  const auto found = json.find(key);
  if (found == json.end()) return texts;
  if (found->is_string()) texts.push_back(found->get<std::string>());
  if (!found->is_array()) return texts;
  for (const Json& item : *found) {
    if (item.is_string()) texts.push_back(item.get<std::string>());
  }
  return texts;
}

Json Child(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found == json.end() ? Json() : *found;
}

absl::StatusOr<BlobRef> ReadRef(absl::string_view document, const Json& json) {
  if (!json.is_object()) return Malformed(document, "a descriptor is no JSON object");
  BlobRef ref;
  ref.media_type = Text(json, "mediaType");
  ref.digest = Text(json, "digest");
  if (!IsSha256Digest(ref.digest)) {
    return Malformed(document,
                     absl::StrCat("'", ref.digest.substr(0, 100), "' is no sha256 digest"));
  }
  const Json size = Child(json, "size");
  if (!size.is_number_integer() || size.get<int64_t>() < 0) {
    return Malformed(document, absl::StrCat(ref.digest, " has no size"));
  }
  ref.size = size.get<int64_t>();
  const Json platform = Child(json, "platform");
  ref.os = Text(platform, "os");
  ref.architecture = Text(platform, "architecture");
  const Json annotations = Child(json, "annotations");
  ref.ref_name = Text(annotations, "org.opencontainers.image.ref.name");
  ref.containerd_name = Text(annotations, "io.containerd.image.name");
  ref.attestation = !Text(annotations, "vnd.docker.reference.type").empty() ||
                    ref.os == "unknown" || ref.architecture == "unknown";
  return ref;
}

absl::StatusOr<std::vector<BlobRef>> ReadRefs(absl::string_view document, const Json& list,
                                              size_t most) {
  if (!list.is_array()) return Malformed(document, "a list of descriptors is missing");
  if (list.size() > most) {
    return Malformed(document, absl::StrCat("it lists ", list.size(), " descriptors, at most ",
                                            most, " are taken"));
  }
  std::vector<BlobRef> refs;
  for (const Json& item : list) {
    ASSIGN_OR_RETURN(BlobRef ref, ReadRef(document, item));
    refs.push_back(std::move(ref));
  }
  return refs;
}

ImageConfig ReadImageConfig(const Json& json) {
  ImageConfig config;
  config.entrypoint = Texts(json, "Entrypoint");
  config.cmd = Texts(json, "Cmd");
  config.env = Texts(json, "Env");
  config.working_dir = Text(json, "WorkingDir");
  config.user = Text(json, "User");
  config.stop_signal = Text(json, "StopSignal");
  const Json labels = json.is_object() ? Child(json, "Labels") : Json();
  if (labels.is_object()) {
    for (const auto& [key, value] : labels.items()) {
      if (value.is_string()) config.labels[key] = value.get<std::string>();
    }
  }
  return config;
}

ConfigDocument ReadConfigDocument(const Json& json) {
  ConfigDocument document;
  document.config = ReadImageConfig(Child(json, "config"));
  document.os = Text(json, "os");
  document.architecture = Text(json, "architecture");
  absl::Time created;
  std::string error;
  if (absl::ParseTime(absl::RFC3339_full, Text(json, "created"), &created, &error)) {
    document.created_unix_seconds = absl::ToUnixSeconds(created);
  }
  return document;
}

}  // namespace

bool IsIndex(const BlobRef& ref) {
  return ref.media_type == "application/vnd.oci.image.index.v1+json" ||
         ref.media_type == "application/vnd.docker.distribution.manifest.list.v2+json";
}

absl::StatusOr<std::vector<BlobRef>> ParseIndex(absl::string_view text) {
  ASSIGN_OR_RETURN(const Json json, ParseObject("index", text));
  return ReadRefs("index", Child(json, "manifests"), kMaxManifests);
}

absl::StatusOr<ManifestDocument> ParseManifest(absl::string_view text) {
  ASSIGN_OR_RETURN(const Json json, ParseObject("manifest", text));
  ManifestDocument manifest;
  ASSIGN_OR_RETURN(manifest.config, ReadRef("manifest", Child(json, "config")));
  ASSIGN_OR_RETURN(manifest.layers, ReadRefs("manifest", Child(json, "layers"), kMaxLayers));
  return manifest;
}

absl::StatusOr<ConfigDocument> ParseConfig(absl::string_view text) {
  ASSIGN_OR_RETURN(const Json json, ParseObject("config", text));
  ConfigDocument document = ReadConfigDocument(json);
  const Json rootfs = Child(json, "rootfs");
  const Json diff_ids = rootfs.is_object() ? Child(rootfs, "diff_ids") : Json();
  if (!diff_ids.is_array()) return Malformed("config", "rootfs.diff_ids is missing");
  if (diff_ids.size() > kMaxLayers) {
    return Malformed("config", absl::StrCat("it has ", diff_ids.size(), " layers, at most ",
                                            kMaxLayers, " can be mounted"));
  }
  for (const Json& item : diff_ids) {
    const std::string diff_id = item.is_string() ? item.get<std::string>() : "";
    if (!IsSha256Digest(diff_id)) {
      return Malformed("config", absl::StrCat("rootfs.diff_ids holds '", diff_id.substr(0, 100),
                                              "', which is no sha256 digest"));
    }
    document.diff_ids.push_back(diff_id);
  }
  return document;
}

absl::StatusOr<std::vector<SavedImage>> ParseSavedImages(absl::string_view text) {
  const Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_array()) return Malformed("manifest.json", "it is no JSON array");
  if (json.size() > kMaxManifests) return Malformed("manifest.json", "it lists too many images");
  std::vector<SavedImage> images;
  for (const Json& item : json) {
    SavedImage image;
    image.config_path = Text(item, "Config");
    image.names = Texts(item, "RepoTags");
    image.layer_paths = Texts(item, "Layers");
    if (image.config_path.empty()) return Malformed("manifest.json", "an image has no Config");
    if (image.layer_paths.size() > kMaxLayers) {
      return Malformed("manifest.json", "an image has too many layers");
    }
    images.push_back(std::move(image));
  }
  return images;
}

absl::StatusOr<std::vector<LegacyName>> ParseRepositories(absl::string_view text) {
  ASSIGN_OR_RETURN(const Json json, ParseObject("repositories", text));
  std::vector<LegacyName> names;
  for (const auto& [repository, tags] : json.items()) {
    if (!tags.is_object()) return Malformed("repositories", "its tags are no JSON object");
    for (const auto& [tag, id] : tags.items()) {
      if (!id.is_string() || !IsSha256Digest(absl::StrCat("sha256:", id.get<std::string>()))) {
        return Malformed("repositories", "an id is not 64 hex digits");
      }
      names.push_back({absl::StrCat(repository, ":", tag), id.get<std::string>()});
    }
  }
  if (names.size() > kMaxManifests) return Malformed("repositories", "it names too many images");
  return names;
}

absl::StatusOr<LegacyLayer> ParseLegacyLayer(absl::string_view text) {
  ASSIGN_OR_RETURN(const Json json, ParseObject("layer json", text));
  LegacyLayer layer;
  layer.parent = Text(json, "parent");
  if (!layer.parent.empty() && !IsSha256Digest(absl::StrCat("sha256:", layer.parent))) {
    return Malformed("layer json", "its parent is not 64 hex digits");
  }
  layer.document = ReadConfigDocument(json);
  return layer;
}

absl::string_view NodeArchitecture() {
#if defined(__x86_64__)
  return "amd64";
#elif defined(__aarch64__)
  return "arm64";
#elif defined(__arm__)
  return "arm";
#elif defined(__riscv) && __riscv_xlen == 64
  return "riscv64";
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
  return "ppc64le";
#elif defined(__s390x__)
  return "s390x";
#elif defined(__i386__)
  return "386";
#else
#error "the name of this architecture in images is not known here"
#endif
}

}  // namespace cluster::node
