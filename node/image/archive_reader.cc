#include "node/image/archive_reader.h"

#include <clocale>

#include "absl/strings/str_cat.h"

namespace cluster::node {

absl::Status ArchiveStatus(archive* reader, absl::string_view operation) {
  const char* words = archive_error_string(reader);
  return absl::InvalidArgumentError(
      absl::StrCat(operation, ": ", words == nullptr ? "unknown archive error" : words));
}

Utf8Locale::Utf8Locale()
    : own_(newlocale(LC_CTYPE_MASK, "C.UTF-8", static_cast<locale_t>(nullptr))) {
  if (own_ != nullptr) before_ = uselocale(own_);
}

Utf8Locale::~Utf8Locale() {
  if (own_ == nullptr) return;
  uselocale(before_);
  freelocale(own_);
}

std::string PathOf(archive_entry* entry) {
  const char* path = archive_entry_pathname(entry);
  if (path == nullptr) path = archive_entry_pathname_utf8(entry);
  return path == nullptr ? "" : path;
}

}  // namespace cluster::node
