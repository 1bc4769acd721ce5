#include "proxy/server/ending.hpp"

#include "handoff/insist.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/server/timer.hpp"

namespace baton::proxy {

namespace log = runtime::log;

namespace {

constexpr std::chrono::milliseconds look_for_the_end_every{20};
// How long a slow reader on the admin interface gets for its answer once everything else has ended.
constexpr std::chrono::seconds last_answers{5};

// A stop comes with a time limit, so cut connections are expected; an upgrade promises that nothing is cut.
void log_cut(std::size_t cut, const ConnectionCounts& kinds, bool in_an_upgrade) {
  const std::pair<const char*, std::uint64_t> counts[] = {{"idle", kinds.idle},
                                                          {"head", kinds.head},
                                                          {"exchange", kinds.exchange},
                                                          {"tunnel", kinds.tunnel},
                                                          {"closing", kinds.closing}};
  std::string text;
  for (const auto& [name, count] : counts) {
    if (count != 0) text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", name, count);
  }
  const auto line = fmt::format("time is over: {} connections are cut ({})", cut, text);
  in_an_upgrade ? log::error("{}", line) : log::warning("{}", line);
}

}  // namespace

void Ending::stop(const char* why, std::optional<std::chrono::milliseconds> limit) {
  DataPath& data_path = parts_.data_path;
  parts_.role.stop();
  under_way_ = UnderWay{.deadline = {}, .exit_code = 0};
  parts_.drop_reload("this process is stopping");
  parts_.supervision.leave();
  handoff::insist([&] { parts_.manager.stopping(std::string("stopping: ") + why); });
  log::info("stopping ({}): {} connections are served to their end{}", why, data_path.connections(),
            limit ? fmt::format(", at most {} s", limit->count() / 1000) : "");
  data_path.stop_accepting();
  data_path.empty_queues(parts_.instance.sockets());
  parts_.instance.close_listeners();
  handoff::insist([&] { data_path.workers().each([](Worker& worker) { worker.begin_stop(); }); });
  if (limit) under_way_->deadline = std::chrono::steady_clock::now() + *limit;
  watch();
}

void Ending::stop_within_limit(const char* why) {
  DataPath& data_path = parts_.data_path;
  const auto limit = data_path.config().timeouts.shutdown;
  if (!under_way_) return stop(why, limit);
  handoff::insist([&] { data_path.workers().each([](Worker& worker) { worker.begin_stop(); }); });
  const auto deadline = std::chrono::steady_clock::now() + limit;
  if (under_way_->deadline && *under_way_->deadline <= deadline) return;
  log::info("stopping ({}): {} connections are served to their end, now at most {} s", why, data_path.connections(),
            limit.count() / 1000);
  under_way_->deadline = deadline;
}

void Ending::serve_what_stays(int exit_code) {
  DataPath& data_path = parts_.data_path;
  const auto deadline = std::chrono::steady_clock::now() + data_path.handoff().drain_timeout;
  under_way_ = UnderWay{deadline, exit_code};
  parts_.instance.leave_to_others();
  handoff::insist([&] { data_path.workers().each([](Worker& worker) { worker.begin_drain(); }); });
  watch();
}

void Ending::watch() {
  // Rearm first, so that the timer survives whatever fails below.
  call_after(timer_, look_for_the_end_every, [this] { watch(); });
  parts_.children.reap();
  const auto now = std::chrono::steady_clock::now();
  const std::uint64_t connections = parts_.data_path.connections();
  if (connections == 0 && !parts_.children.has_left_ones()) return exit_when_answered(now + last_answers);
  if (under_way_->deadline && now >= *under_way_->deadline) {
    std::size_t cut = 0;
    ConnectionCounts kinds;
    parts_.data_path.workers().each([&](Worker& worker) {
      worker.begin_stop();
      kinds += worker.count();
      cut += worker.cut_all();
    });
    if (cut != 0) log_cut(cut, kinds, parts_.role.is_retired());
    return exit_when_answered(now + last_answers);
  }
  if (parts_.role.is_instance()) parts_.manager.ask_for_time(connections);
}

// A client may be waiting for the report of the upgrade that ends us, and a supervisor that does not know of the
// upgrade yet may send us signals meant for the instance.
void Ending::exit_when_answered(std::chrono::steady_clock::time_point deadline) {
  call_after(timer_, look_for_the_end_every, [this, deadline] { exit_when_answered(deadline); });
  parts_.instance.pause_admin();
  const bool has_heir = parts_.supervision.heir().has_value();
  const bool is_needed = parts_.instance.is_answering() || has_heir;
  if (is_needed && std::chrono::steady_clock::now() < deadline) return;
  if (has_heir) parts_.supervision.heir_is_known();
  parts_.exit(under_way_->exit_code);
}

}  // namespace baton::proxy
