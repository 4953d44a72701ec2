// The log of the OCI command line: warnings and errors as one line each, text or JSON, as callers
// of runtimes read them. Debug lines only with --debug.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "base/unique_handle.h"

namespace cluster::oci {

class Log {
 public:
  Log() = default;

  // Appends to `path`, or to standard error when it is empty.
  absl::Status Open(const std::string& path, bool json, bool debug);

  void Debug(absl::string_view message);
  void Warn(absl::string_view message);
  // To the log, and to standard error too where that is another place: callers look at either.
  void Error(absl::string_view message);

 private:
  void Write(const char* level, absl::string_view message);

  UniqueFd file_;
  bool json_ = false;
  bool debug_ = false;
};

}  // namespace cluster::oci
