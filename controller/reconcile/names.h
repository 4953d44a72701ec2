// Names and uids that the reconcilers give. Random bits come in from the caller, so that a seed
// repeats a run exactly.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "absl/strings/string_view.h"

#include "cluster/v1/pod.pb.h"

namespace cluster::controller {

using Random = std::mt19937_64;

// On ReplicaSets and their pods: which template they have.
constexpr absl::string_view kTemplateHashLabel = "pod-template-hash";

// `length` characters of bcdfghjklmnpqrstvwxz2456789: no vowels, so no words.
std::string RandomSuffix(Random* random, int length = 5);

// A UUID of version 4.
std::string RandomUid(Random* random);

// base + '-' + suffix, with the base cut so that the whole is a valid object name (at most 253
// bytes).
std::string JoinName(absl::string_view base, absl::string_view suffix);

// Ten characters that stand for a template; the label pod-template-hash does not count. `salt`
// tells apart templates that collide.
std::string TemplateHash(const v1::PodTemplateSpec& pod_template, int salt = 0);

// Ten characters that stand for any bytes; `salt` tells apart contents that collide.
std::string ContentHash(absl::string_view bytes, uint64_t salt = 0);

}  // namespace cluster::controller
