// The scalars of Kubernetes manifests that protobuf has no type for: quantities, int-or-string, Go
// durations, RFC 3339 times, base64. Pure text <-> value; any thread. Every error is
// InvalidArgument with one sentence that quotes the text.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/timestamp.pb.h"

namespace cluster {

// Quantities: "500m", "64Mi", "0.5", "1e3". Suffixes n u m k M G T P E, Ki Mi Gi Ti Pi Ei, or a
// decimal exponent. Values beyond +-(2^63 - 1) are refused, as are results that leave int64_t.
// Fractions are rounded away from zero, as Kubernetes does: nobody gets less than was asked for.

// In thousandths: "500m" = 500, "2" = 2000. For cpu.
absl::StatusOr<int64_t> QuantityMilli(absl::string_view text);
// In whole units: "64Mi" = 67108864, "1500m" = 2. For bytes and counts.
absl::StatusOr<int64_t> QuantityValue(absl::string_view text);
inline absl::StatusOr<int64_t> QuantityBytes(absl::string_view text) { return QuantityValue(text); }

// The one way to write this value: no fraction, largest suffix that keeps it exact, binary suffixes
// where the text had one: "1000m" = "1", "1024Ki" = "1Mi", "0.5" = "500m", "1e3" = "1k". Equal
// values of one family (decimal or binary) have equal text.
absl::StatusOr<std::string> CanonicalQuantity(absl::string_view text);

// Canonical text: FormatMilli(500) = "500m"; FormatBytes(67108864) = "64Mi"; FormatCount(110) =
// "110".
std::string FormatMilli(int64_t milli);
std::string FormatBytes(int64_t bytes);
std::string FormatCount(int64_t count);

// Int-or-string: a whole number, "25%", or a word such as a port's name.
enum class Rounding { kUp, kDown };
// "3" = 3 whatever the total; "25%" of total 10 = 3 (up) or 2 (down). Refuses words and negatives.
absl::StatusOr<int32_t> ScaleIntOrString(absl::string_view text, int32_t total, Rounding rounding);
// True for text that is printed as a bare number: an int32 in its shortest decimal form.
bool IsBareInt(absl::string_view text);

// Go's durations: "1h30m", "250ms", "1.5s", "-2us". Within +-292 years.
absl::StatusOr<absl::Duration> ParseGoDuration(absl::string_view text);

// RFC 3339: "2026-11-23T22:15:00Z", fraction and numeric zone allowed. Years 1 to 9999.
absl::StatusOr<google::protobuf::Timestamp> ParseTimestamp(absl::string_view text);
// In UTC with Z; a fraction only when there is one.
std::string FormatTimestamp(const google::protobuf::Timestamp& timestamp);
absl::Time ToTime(const google::protobuf::Timestamp& timestamp);
google::protobuf::Timestamp ToTimestamp(absl::Time time);

// Standard alphabet with padding; line breaks inside are allowed, as in Go.
absl::StatusOr<std::string> DecodeBase64(absl::string_view text);
std::string EncodeBase64(absl::string_view bytes);

}  // namespace cluster
