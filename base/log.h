// Logging: spdlog behind one set-up call. Programs log to stderr (the journal or a file takes it
// from there); libraries use the macros below or return a Status, never both for one failure.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "spdlog/spdlog.h"

namespace cluster {

// `program` prefixes every line; `level` is one of trace debug info warn error off. Returns false
// for another word. Call once, before the first thread.
bool SetUpLogging(absl::string_view program, absl::string_view level);

}  // namespace cluster

#define LOG_DEBUG(...) SPDLOG_DEBUG(__VA_ARGS__)
#define LOG_INFO(...) ::spdlog::info(__VA_ARGS__)
#define LOG_WARN(...) ::spdlog::warn(__VA_ARGS__)
#define LOG_ERROR(...) ::spdlog::error(__VA_ARGS__)
