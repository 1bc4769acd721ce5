// The contents of the status and the metrics. Runs in the main thread.
#pragma once

#include <cstdint>
#include <functional>

#include "proxy/admin/status.hpp"
#include "proxy/runtime/loop.hpp"
#include "proxy/server/data_path.hpp"
#include "proxy/server/generation.hpp"
#include "proxy/server/instance.hpp"
#include "proxy/server/main_thread.hpp"
#include "proxy/server/reloads.hpp"
#include "proxy/server/role.hpp"
#include "proxy/server/supervision.hpp"

namespace baton::proxy {

class StatusReporter {
 public:
  struct Parts {  // all outlive it
    const MainThread& main;
    const Role& role;
    const Generation& generation;
    DataPath& data_path;
    const Instance& instance;
    const Reloads& reloads;
    const Supervision& supervision;
  };
  explicit StatusReporter(Parts parts) : parts_(parts) {}

  // Asks each worker but waits for none: a worker that hangs does not block this thread.
  void answer(bool is_ready, std::function<void(admin::Status)> answer);

 private:
  admin::Status own_part(bool is_ready) const;

  const Parts parts_;
  const std::int64_t started_at_us_ = runtime::unix_us();
};

}  // namespace baton::proxy
