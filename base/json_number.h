// Whole numbers out of JSON that may hold anything. nlohmann's own conversions cut: 1e30 as an int
// is undefined, 2^40 as an int is 0.
#pragma once

#include <cstdint>
#include <limits>

namespace cluster {

// Throws the library's own other_error, as at() and get() throw theirs, for what is no whole number
// or not one of `Number`.
template <typename Number, typename Json>
Number WholeNumber(const Json& json) {
  if (json.is_number_unsigned()) {
    const auto value = json.template get<uint64_t>();
    if (value <= static_cast<uint64_t>(std::numeric_limits<Number>::max())) {
      return static_cast<Number>(value);
    }
  } else if (json.is_number_integer()) {
    const auto value = json.template get<int64_t>();  // negative
    if constexpr (std::numeric_limits<Number>::is_signed) {
      if (value >= std::numeric_limits<Number>::min()) return static_cast<Number>(value);
    }
  }
  throw Json::other_error::create(501, "a whole number of another range is expected", &json);
}

}  // namespace cluster
