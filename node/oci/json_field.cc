#include "node/oci/json_field.h"

#include <algorithm>

namespace cluster::oci {

Field Field::operator[](const char* key) const {
  const Json* member = nullptr;
  if (present() && !value_->is_object()) {
    Fail("must be an object");
  } else if (present()) {
    const auto found = value_->find(key);
    if (found != value_->end() && !found->is_null()) member = &*found;
  }
  return Field(member, path_.empty() ? std::string(key) : absl::StrCat(path_, ".", key), reading_);
}

void Field::Fail(absl::string_view sentence) const {
  if (!reading_->error.ok()) return;
  reading_->error = absl::InvalidArgumentError(absl::StrCat(path_, ": ", sentence));
}

void Field::Warn(absl::string_view sentence) const {
  reading_->warnings.push_back(absl::StrCat(path_, ": ", sentence));
}

bool Field::Get(std::string* out) const {
  if (!present()) return false;
  if (!value_->is_string()) {
    Fail("must be a string");
    return false;
  }
  *out = value_->get_ref<const std::string&>();
  // The kernel reads strings up to their first NUL: what lies behind would go unseen.
  if (out->find('\0') == std::string::npos) return true;
  Fail("must not hold a NUL character");
  return false;
}

bool Field::Get(bool* out) const {
  if (!present()) return false;
  if (!value_->is_boolean()) {
    Fail("must be true or false");
    return false;
  }
  *out = value_->get<bool>();
  return true;
}

bool Field::Get(std::vector<std::string>* out) const {
  if (!present()) return false;
  if (!value_->is_array()) {
    Fail("must be a list of strings");
    return false;
  }
  out->reserve(value_->size());
  for (const Json& item : *value_) {
    std::string text;
    if (!Field(&item, path_, reading_).Get(&text)) return false;
    out->push_back(std::move(text));
  }
  return true;
}

bool Field::Integer(int64_t* low, uint64_t* high) const {
  if (!present()) return false;
  if (value_->is_number_unsigned()) {
    *high = value_->get<uint64_t>();
    return true;
  }
  if (value_->is_number_integer()) {
    *low = value_->get<int64_t>();
    return true;
  }
  Fail("must be an integer");
  return false;
}

absl::StatusOr<Json> ParseJsonObject(absl::string_view text) {
  Json json;
  try {
    json = Json::parse(text.begin(), text.end());
  } catch (const Json::parse_error& error) {
    const auto end = text.begin() + std::min<size_t>(error.byte, text.size());
    const auto line = std::count(text.begin(), end, '\n') + 1;
    const auto start = std::find(std::make_reverse_iterator(end), text.rend(), '\n').base();
    return absl::InvalidArgumentError(absl::StrCat(
        "line ", line, ", column ", std::max<ptrdiff_t>(end - start, 1), ": this is no JSON"));
  } catch (const Json::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat("this is no JSON: ", error.what()));
  }
  if (!json.is_object()) return absl::InvalidArgumentError("must be a JSON object");
  return json;
}

}  // namespace cluster::oci
