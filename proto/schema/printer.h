// Objects to YAML and JSON in Kubernetes' form, driven by the descriptors: camelCase names,
// apiVersion, kind, metadata, spec and status first, enums as their words, int-or-string numbers
// bare, timestamps RFC 3339 with Z, map keys sorted, empty fields left out. What is printed reads
// back equal. Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "nlohmann/json.hpp"

#include "cluster/v1/object.pb.h"

namespace cluster {

// Keeps the order of fields.
using Json = nlohmann::ordered_json;

Json ToJson(const v1::Object& object);
// {"apiVersion": "v1", "kind": "List", "items": [...], "metadata": {}}
Json ToJson(const std::vector<v1::Object>& objects);
// Any message of the schema, e.g. a PodSpec.
Json ToJson(const google::protobuf::Message& message);
// One field as it stands in its message; null where it is absent (never for plain proto3 scalars,
// which are then their default).
Json FieldToJson(const google::protobuf::Message& message,
                 const google::protobuf::FieldDescriptor& field);

// One JSON text, indented by four spaces as kubectl does, ending in a newline.
std::string PrintJson(const Json& json);
// One YAML document in block style, ending in a newline, without "---".
std::string PrintYaml(const Json& json);

}  // namespace cluster
