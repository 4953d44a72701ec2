// An owner for libarchive's reader.
// https://github.com/libarchive/libarchive/wiki/ManPageArchiveRead3
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "node/image/byte_stream.h"

namespace cluster::node {

struct FreeArchive {
  void operator()(archive* reader) const { archive_read_free(reader); }
};
using ArchivePtr = std::unique_ptr<archive, FreeArchive>;

// InvalidArgument with libarchive's own words.
absl::Status ArchiveStatus(archive* reader, absl::string_view operation);

// Member names in archives are UTF-8; libarchive converts by the thread's locale. While this lives
// the calling thread has one that keeps them.
class Utf8Locale {
 public:
  Utf8Locale();
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;
  ~Utf8Locale();

 private:
  locale_t own_ = nullptr;
  locale_t before_ = nullptr;
};

// The path of an entry, "" when it has none.
std::string PathOf(archive_entry* entry);

}  // namespace cluster::node
