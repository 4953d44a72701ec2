// The path of the field that is being read, grown and shrunk in place. One thread.
#pragma once

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace cluster {

// Appends to a path for as long as it lives.
class PathScope {
 public:
  struct Field {
    explicit Field(absl::string_view field_name) : name(field_name) {}
    absl::string_view name;
  };
  struct Key {
    explicit Key(absl::string_view map_key) : name(map_key) {}
    absl::string_view name;
  };
  struct Index {
    explicit Index(int item_index) : index(item_index) {}
    int index;
  };

  PathScope(std::string* path, Field field) : path_(path), length_(path->size()) {
    absl::StrAppend(path_, path_->empty() ? "" : ".", field.name);
  }
  PathScope(std::string* path, Key key) : path_(path), length_(path->size()) {
    absl::StrAppend(path_, "[", key.name, "]");
  }
  PathScope(std::string* path, Index index) : path_(path), length_(path->size()) {
    absl::StrAppend(path_, "[", index.index, "]");
  }
  PathScope(const PathScope&) = delete;
  PathScope& operator=(const PathScope&) = delete;
  ~PathScope() { path_->resize(length_); }

 private:
  std::string* const path_;
  const size_t length_;
};

}  // namespace cluster
