#include "proxy/process/log_settings.hpp"

namespace baton::process {

runtime::log::Level log_level(config::LogLevel level) {
  using runtime::log::Level;
  switch (level) {
    case config::LogLevel::debug:
      return Level::debug;
    case config::LogLevel::info:
      return Level::info;
    case config::LogLevel::warning:
      return Level::warning;
    case config::LogLevel::error:
      return Level::error;
  }
  return Level::info;
}

runtime::log::Format log_format(config::LogFormat format) {
  using runtime::log::Format;
  return format == config::LogFormat::json ? Format::json : Format::text;
}

}  // namespace baton::process
