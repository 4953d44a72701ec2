// Logging: spdlog behind one set-up call and four macros. Programs log to stderr (the journal or a
// file takes it from there); libraries use the macros below or return a Status, never both for one
// failure.
//
// A message is put together in log.cc: formatting is megabytes of templates, which every source
// that logs would otherwise compile anew.
#pragma once

#include "absl/strings/string_view.h"
#include "fmt/core.h"

namespace cluster {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

// `program` prefixes every line; `level` is one of trace debug info warn error off. Returns false
// for another word. Call once, before the first thread.
bool SetUpLogging(absl::string_view program, absl::string_view level);
// Everything that was logged has been written. Any thread.
void FlushLog();

// Of the macros. Any thread.
void LogText(LogLevel level, fmt::string_view format, fmt::format_args values);
template <typename... Values>
void Log(LogLevel level, fmt::format_string<Values...> format, Values&&... values) {
  LogText(level, format, fmt::make_format_args(values...));
}

}  // namespace cluster

// A format of {fmt}, checked by the compiler, and its values: LOG_INFO("pod {}: {}", uid, text).
#define LOG_DEBUG(...) ::cluster::Log(::cluster::LogLevel::kDebug, __VA_ARGS__)
#define LOG_INFO(...) ::cluster::Log(::cluster::LogLevel::kInfo, __VA_ARGS__)
#define LOG_WARN(...) ::cluster::Log(::cluster::LogLevel::kWarn, __VA_ARGS__)
#define LOG_ERROR(...) ::cluster::Log(::cluster::LogLevel::kError, __VA_ARGS__)
