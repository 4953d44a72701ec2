#include "node/image/stored_image.h"

#include "absl/strings/str_cat.h"
#include <nlohmann/json.hpp>

#include "node/image/digest.h"

namespace cluster::node {
namespace {

using Json = nlohmann::json;

}  // namespace

std::string PrintStoredImage(const StoredImage& image) {
  Json layers = Json::array();
  for (const StoredLayer& layer : image.layers) {
    layers.push_back({{"diffId", layer.diff_id}, {"size", layer.size}});
  }
  const Json json = {{"digest", image.digest},
                     {"names", image.names},
                     {"layers", layers},
                     {"created", image.created_unix_seconds},
                     {"config",
                      {{"entrypoint", image.config.entrypoint},
                       {"cmd", image.config.cmd},
                       {"env", image.config.env},
                       {"workingDir", image.config.working_dir},
                       {"user", image.config.user},
                       {"stopSignal", image.config.stop_signal},
                       {"labels", image.config.labels}}}};
  // Bytes that are no UTF-8 cannot come out of a JSON config; replaced rather than thrown on.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

absl::StatusOr<StoredImage> ParseStoredImage(absl::string_view text) {
  const absl::Status damaged = absl::DataLossError("the image record is damaged");
  const Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return damaged;
  StoredImage image;
  try {
    image.digest = json.at("digest").get<std::string>();
    image.names = json.at("names").get<std::vector<std::string>>();
    image.created_unix_seconds = json.at("created").get<int64_t>();
    for (const Json& item : json.at("layers")) {
      image.layers.push_back(
          {item.at("diffId").get<std::string>(), item.at("size").get<int64_t>()});
    }
    const Json& config = json.at("config");
    image.config.entrypoint = config.at("entrypoint").get<std::vector<std::string>>();
    image.config.cmd = config.at("cmd").get<std::vector<std::string>>();
    image.config.env = config.at("env").get<std::vector<std::string>>();
    image.config.working_dir = config.at("workingDir").get<std::string>();
    image.config.user = config.at("user").get<std::string>();
    image.config.stop_signal = config.at("stopSignal").get<std::string>();
    image.config.labels = config.at("labels").get<std::map<std::string, std::string>>();
  } catch (const Json::exception&) {
    return damaged;
  }
  if (!IsSha256Digest(image.digest)) return damaged;
  for (const StoredLayer& layer : image.layers) {
    if (!IsSha256Digest(layer.diff_id)) return damaged;
  }
  return image;
}

}  // namespace cluster::node
