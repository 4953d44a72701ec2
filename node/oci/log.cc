#include "node/oci/log.h"

#include <fcntl.h>
#include <time.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/status.h"
#include "node/init/text.h"

namespace cluster::oci {

absl::Status Log::Open(const std::string& path, bool json, bool debug) {
  json_ = json;
  debug_ = debug;
  if (path.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(file_, OpenAt(AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT, 0644));
  return absl::OkStatus();
}

void Log::Write(const char* level, absl::string_view message) {
  char time[init::kTimestampSize + 1];
  init::FormatTimestamp(init::RealtimeNanoseconds(), time);
  std::string line;
  if (json_) {
    const nlohmann::ordered_json record = {
        {"level", level}, {"msg", std::string(message)}, {"time", time}};
    line = record.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  } else {
    const std::string quoted =
        absl::StrReplaceAll(message, {{"\\", "\\\\"}, {"\"", "\\\""}, {"\n", "\\n"}});
    line = absl::StrCat("time=\"", time, "\" level=", level, " msg=\"", quoted, "\"\n");
  }
  // A full disk under the log stops nothing.
  (void)WriteAll(file_ ? file_.get() : 2, line);
}

void Log::Debug(absl::string_view message) {
  if (debug_) Write("debug", message);
}

void Log::Warn(absl::string_view message) { Write("warning", message); }

void Log::Error(absl::string_view message) {
  Write("error", message);
  if (file_) (void)WriteAll(2, absl::StrCat("cluster-oci: ", message, "\n"));
}

}  // namespace cluster::oci
