// The event log as the configuration has it.
#pragma once

#include "config/config.hpp"
#include "proxy/runtime/log.hpp"

namespace baton::process {

runtime::log::Level log_level(config::LogLevel level);
runtime::log::Format log_format(config::LogFormat format);

}  // namespace baton::process
