// What a control needs: an unpacker without any of the image store's care.
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace cluster::node {

// Takes a layer apart as somebody who trusts it would: below `top`, unless it says otherwise.
inline void UnpackTrusting(const std::string& tar, const std::string& top) {
  archive* const in = archive_read_new();
  archive_read_support_format_tar(in);
  EXPECT_EQ(archive_read_open_memory(in, tar.data(), tar.size()), ARCHIVE_OK);
  archive* const out = archive_write_disk_new();
  const auto below = [&top](const char* path) {
    return path[0] == '/' ? std::string(path) : absl::StrCat(top, "/", path);
  };
  archive_entry* entry = nullptr;
  while (archive_read_next_header(in, &entry) == ARCHIVE_OK) {
    archive_entry_set_pathname(entry, below(archive_entry_pathname(entry)).c_str());
    if (archive_entry_hardlink(entry) != nullptr) {
      archive_entry_set_hardlink(entry, below(archive_entry_hardlink(entry)).c_str());
    }
    if (archive_write_header(out, entry) < ARCHIVE_WARN) continue;
    const void* piece = nullptr;
    size_t size = 0;
    la_int64_t offset = 0;
    while (archive_read_data_block(in, &piece, &size, &offset) == ARCHIVE_OK) {
      archive_write_data_block(out, piece, size, offset);
    }
    archive_write_finish_entry(out);
  }
  archive_write_free(out);
  archive_read_free(in);
}

}  // namespace cluster::node
