// What an unquoted YAML scalar means to Kubernetes, whose tools read YAML 1.1: `no` is a bool, 0755
// an octal number, 1_000 a number. Shared by the reader, which refuses such text where a string
// belongs, and by the printer, which quotes it. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace cluster {

struct PlainScalar {
  enum class Type { kString, kNull, kBool, kInt, kFloat };
  Type type = Type::kString;
  bool boolean = false;
  // kInt outside of int64_t is kept as kFloat.
  int64_t integer = 0;
  double number = 0;  // kFloat
};

// Time is linear in the text, and constant for text that is longer than any number.
PlainScalar ResolvePlain(absl::string_view text);

// The text that Kubernetes' tools make of it as the key of a map: "yes" = "true", "0x10" = "16";
// a string stays as it is.
std::string PlainKeyText(absl::string_view text);

}  // namespace cluster
