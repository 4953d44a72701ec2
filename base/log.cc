#include "base/log.h"

#include <iterator>

#include "spdlog/sinks/stdout_sinks.h"
#include "spdlog/spdlog.h"

namespace cluster {
namespace {

spdlog::level::level_enum LevelOf(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

}  // namespace

bool SetUpLogging(absl::string_view program, absl::string_view level) {
  const auto parsed = spdlog::level::from_str(std::string(level));
  if (parsed == spdlog::level::off && level != "off") return false;
  auto logger = spdlog::stderr_logger_mt(std::string(program));
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %n: %v");
  logger->set_level(parsed);
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
  return true;
}

void FlushLog() { spdlog::default_logger_raw()->flush(); }

void LogText(LogLevel level, fmt::string_view format, fmt::format_args values) {
  spdlog::logger* const logger = spdlog::default_logger_raw();
  const spdlog::level::level_enum wanted = LevelOf(level);
  if (!logger->should_log(wanted)) return;
  fmt::memory_buffer text;
  fmt::vformat_to(std::back_inserter(text), format, values);
  logger->log(wanted, spdlog::string_view_t(text.data(), text.size()));
}

}  // namespace cluster
