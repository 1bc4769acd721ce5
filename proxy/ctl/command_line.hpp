// The command line of `baton ctl`.
#pragma once

#include <CLI/App.hpp>

#include "proxy/ctl/ctl.hpp"

namespace baton::ctl {

// Adds `ctl` to the program's commands and returns it; parsing fills `options`, which must outlive it.
CLI::App& add_command(CLI::App& program, Options& options);

}  // namespace baton::ctl
