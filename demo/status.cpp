#include "demo/status.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/json.hpp>
#include <stdexcept>

namespace baton::demo {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace json = boost::json;

namespace {

template <class Number>
Number number_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_number()) {
    throw std::runtime_error("/status has no number \"" + std::string(key) + "\"");
  }
  return value->to_number<Number>();
}

std::string text_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) {
    throw std::runtime_error("/status has no text \"" + std::string(key) + "\"");
  }
  return std::string(value->get_string());
}

const json::object& object_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_object()) {
    throw std::runtime_error("/status has no object \"" + std::string(key) + "\"");
  }
  return value->get_object();
}

std::map<std::string, std::uint64_t> counts_at(const json::object& object, std::string_view key) {
  std::map<std::string, std::uint64_t> counts;
  for (const auto& [name, count] : object_at(object, key)) {
    if (!count.is_number()) throw std::runtime_error("/status has no number \"" + std::string(name) + "\"");
    counts[std::string(name)] = count.to_number<std::uint64_t>();
  }
  return counts;
}

CanarySide side_at(const json::object& canary, std::string_view key) {
  const json::object& side = object_at(canary, key);
  return {.exchanges = number_at<std::uint64_t>(side, "exchanges"),
          .clients_failed = number_at<std::uint64_t>(side, "clients_failed")};
}

CanaryReport parse_canary(const json::object& canary) {
  return {.verdict = text_at(canary, "verdict"),
          .decided_by = text_at(canary, "decided_by"),
          .text = text_at(canary, "text"),
          .canary = side_at(canary, "canary"),
          .others = side_at(canary, "others")};
}

UpgradeReport parse_report(const json::object& object) {
  UpgradeReport report;
  report.result = text_at(object, "result");
  report.reason = text_at(object, "reason");
  report.from_pid = number_at<pid_t>(object, "from_pid");
  report.to_pid = number_at<pid_t>(object, "to_pid");
  report.duration_ms = number_at<double>(object, "duration_ms");
  report.moved = counts_at(object, "moved");
  report.moved_total = number_at<std::uint64_t>(object, "moved_total");
  report.upstream_idle_moved = number_at<std::uint64_t>(object, "upstream_idle_moved");
  report.taken_back = number_at<std::uint64_t>(object, "taken_back");
  report.refused = number_at<std::uint64_t>(object, "refused");
  report.refused_by_reason = counts_at(object, "refused_by_reason");
  const json::object& pause = object_at(object, "pause_us");
  report.pause_us = {number_at<double>(pause, "p50"), number_at<double>(pause, "p99"), number_at<double>(pause, "max")};
  if (object.contains("canary")) report.canary = parse_canary(object_at(object, "canary"));
  return report;
}

CrashReport parse_crashes(const json::object& object) {
  CrashReport report{.total = number_at<std::uint64_t>(object, "total")};
  if (const json::value* last = object.if_contains("last"); last != nullptr && last->is_object()) {
    report.pid = number_at<pid_t>(last->get_object(), "pid");
    report.stall_us = number_at<double>(last->get_object(), "stall_us");
  }
  return report;
}

asio::awaitable<void> get(std::string socket_path, std::string target, std::optional<AdminAnswer>& answer) {
  asio::local::stream_protocol::socket socket(co_await asio::this_coro::executor);
  co_await socket.async_connect(socket_path, asio::use_awaitable);

  http::request<http::empty_body> request{http::verb::get, target, 11};
  request.set(http::field::host, "localhost");
  request.keep_alive(false);
  co_await http::async_write(socket, request, asio::use_awaitable);

  boost::beast::flat_buffer received;
  http::response<http::string_body> response;
  co_await http::async_read(socket, received, response, asio::use_awaitable);
  answer = AdminAnswer{response.result_int(), std::move(response.body())};
}

}  // namespace

Status parse_status(std::string_view text) {
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  if (error || !value.is_object()) throw std::runtime_error("/status is no JSON object");
  const json::object& object = value.get_object();

  Status status;
  status.generation = number_at<std::uint64_t>(object, "generation");
  status.pid = number_at<pid_t>(object, "pid");
  status.version = text_at(object, "version");
  status.connections = number_at<std::uint64_t>(object_at(object, "connections"), "total");
  status.accepted_total = number_at<std::uint64_t>(object, "accepted_total");
  status.requests_total = number_at<std::uint64_t>(object, "requests_total");
  if (const json::value* report = object.if_contains("last_upgrade"); report != nullptr && report->is_object()) {
    status.last_upgrade = parse_report(report->get_object());
  }
  status.crashes = parse_crashes(object_at(object, "crashes"));
  return status;
}

std::optional<AdminAnswer> admin_get(const std::string& socket_path, const std::string& target,
                                     std::chrono::milliseconds limit) {
  std::optional<AdminAnswer> answer;  // outlives the coroutine, which ends with `context`, destroyed first
  asio::io_context context{1};
  // An error means that the process is not there yet, or has gone: no answer.
  asio::co_spawn(context, get(socket_path, target, answer), asio::detached);
  context.run_for(limit);
  return answer;
}

}  // namespace baton::demo
