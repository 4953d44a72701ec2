// A place in a JSON document, with its path for people. Readers fill in what is there and leave
// what is not; the first value of the wrong shape is kept as the error, and reading goes on, so
// that code reads as a list of fields.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include <nlohmann/json.hpp>

namespace cluster::oci {

using Json = nlohmann::json;

// What came of reading one document.
struct Reading {
  absl::Status error;
  std::vector<std::string> warnings;
};

class Field {
 public:
  // `value` null = absent. Both must outlive the field.
  Field(const Json* value, std::string path, Reading* reading)
      : value_(value), path_(std::move(path)), reading_(reading) {}

  // A member of this object; absent when this is, or when the member is null.
  Field operator[](const char* key) const;
  bool present() const { return value_ != nullptr; }
  const std::string& path() const { return path_; }

  // InvalidArgument "PATH: SENTENCE", unless there is an earlier error.
  void Fail(absl::string_view sentence) const;
  void Warn(absl::string_view sentence) const;
  void Require() const {
    if (!present()) Fail("is required");
  }

  // Each returns whether it filled `out` in.
  bool Get(std::string* out) const;
  bool Get(bool* out) const;
  bool Get(std::vector<std::string>* out) const;
  template <typename Number>
  std::enable_if_t<std::is_integral_v<Number>, bool> Get(Number* out) const {
    int64_t low = 0;
    uint64_t high = 0;
    if (!Integer(&low, &high)) return false;
    if (low < 0 ? std::is_unsigned_v<Number> ||
                      low < static_cast<int64_t>(std::numeric_limits<Number>::min())
                : high > static_cast<uint64_t>(std::numeric_limits<Number>::max())) {
      Fail(absl::StrCat("must be an integer from ", std::numeric_limits<Number>::min(), " to ",
                        std::numeric_limits<Number>::max()));
      return false;
    }
    *out = low < 0 ? static_cast<Number>(low) : static_cast<Number>(high);
    return true;
  }
  template <typename T>
  bool Get(std::optional<T>* out) const {
    T value{};
    if (!Get(&value)) return false;
    *out = value;
    return true;
  }

  // Calls `each(Field)` for the items of a list.
  template <typename F>
  void Items(F each) const {
    if (!present()) return;
    if (!value_->is_array()) return Fail("must be a list");
    size_t index = 0;
    for (const Json& item : *value_) {
      each(Field(&item, absl::StrCat(path_, "[", index++, "]"), reading_));
    }
  }
  // Calls `each(name, Field)` for the members of an object.
  template <typename F>
  void Members(F each) const {
    if (!present()) return;
    if (!value_->is_object()) return Fail("must be an object");
    for (auto at = value_->begin(); at != value_->end(); ++at) {
      each(at.key(), Field(&at.value(), absl::StrCat(path_, ".", at.key()), reading_));
    }
  }

 private:
  // Negative numbers in `low`, others in `high` with `low` 0.
  bool Integer(int64_t* low, uint64_t* high) const;

  const Json* value_;
  std::string path_;
  Reading* reading_;
};

// The document as an object; InvalidArgument with line and column of a flaw in the JSON itself.
absl::StatusOr<Json> ParseJsonObject(absl::string_view text);

}  // namespace cluster::oci
