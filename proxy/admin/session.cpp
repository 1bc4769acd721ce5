#include "proxy/admin/session.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/chunk_encode.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/write.hpp>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "proxy/admin/authorization.hpp"
#include "proxy/admin/metrics.hpp"
#include "proxy/admin/page.hpp"

namespace baton::admin {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

namespace {

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t first_read_bytes = 2048;
constexpr std::size_t linger_bytes_max = 256 * 1024;
// Lines of an upgrade kept for a client that reads slowly; further ones are dropped, except for the last.
constexpr std::size_t lines_bytes_max = 64 * 1024;

constexpr std::string_view no_commands_here =
    "commands are accepted only on a Unix socket (admin.bind); without admin.token this address is read-only";

// How to refuse what was received; nothing if the client is gone.
std::optional<http::status> refusal_of(const beast::error_code& error) {
  if (error == http::error::end_of_stream || error == http::error::partial_message) return std::nullopt;
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return http::status::request_header_fields_too_large;
  }
  if (error == http::error::body_limit) return http::status::payload_too_large;
  if (error.category() == make_error_code(http::error::end_of_stream).category()) return http::status::bad_request;
  return std::nullopt;
}

void set_text(http::response<http::string_body>& response, http::status status, std::string_view text) {
  response.result(status);
  response.set(http::field::content_type, "text/plain");
  response.body() = text;
}

}  // namespace

struct Session::PendingStatus {
  asio::steady_timer timer;
  std::optional<Status> status;
};

struct Session::PendingReply {
  asio::steady_timer timer;
  std::optional<Reply> reply;
};

struct Session::PendingLines {
  asio::steady_timer timer;
  std::string text;
  bool ended = false;
};

Session::Session(Socket socket, std::shared_ptr<Service> service, bool is_unix)
    : stream_(std::move(socket)),
      received_(service->limits.head_bytes + service->limits.body_bytes),
      service_(std::move(service)),
      is_unix_(is_unix) {}

asio::awaitable<void> Session::serve(std::shared_ptr<Session> session) {
  // g++ 12 awaits a co_await on the right of && whatever the left side is.
  while (co_await session->receive_first_byte()) {
    Parser parser;
    if (const beast::error_code error = co_await session->receive(parser)) {
      if (const auto status = refusal_of(error)) co_await session->refuse(*status);
      break;
    }
    session->answering_ = true;
    Request request = parser.release();
    Response response = co_await session->answer(request);
    response.version(request.version());
    response.keep_alive(request.keep_alive() && !session->service_->pausing);
    if (session->pending_lines_) {
      co_await session->send_lines(response);
      break;
    }
    if (session->becomes_stream_) {
      co_await session->become_stream(response);
      break;
    }
    const bool goes_on = co_await session->send(response, request.method() == http::verb::head);
    session->answering_ = false;
    session->waits_since_ = Clock::now();
    session->expected_since_.reset();
    if (!goes_on) break;
  }
  session->close();
}

std::optional<Session::Clock::time_point> Session::waits_since() const {
  if (!answering_) return waits_since_;
  if (writing_since_ && Clock::now() - *writing_since_ >= service_->limits.expected) return writing_since_;
  return std::nullopt;
}

bool Session::owes_answer() const {
  return answering_ || (expected_since_ && Clock::now() - *expected_since_ < service_->limits.expected);
}

void Session::close() {
  stream_.close();
  if (pending_status_) pending_status_->timer.cancel();
  if (pending_reply_) pending_reply_->timer.cancel();
  if (const auto lines = std::exchange(pending_lines_, nullptr)) lines->timer.cancel();
}

bool Session::may_command(const Request& request) const {
  return (is_unix_ && !is_of_another_site(request)) ||
         (service_->source.token && carries_token(request, service_->source.token()));
}

void Session::refuse_command(Response& response, std::string_view why) const {
  if (!service_->source.token || service_->source.token().empty()) {
    return set_text(response, http::status::forbidden, why);
  }
  set_text(response, http::status::unauthorized, "admin.token is missing or wrong (Authorization: Bearer TOKEN)");
  response.set(http::field::www_authenticate, "Bearer realm=\"baton\"");
}

// A pipelined request may have arrived with the previous one.
asio::awaitable<bool> Session::receive_first_byte() {
  if (received_.size() > 0) {
    expected_since_ = Clock::now();
    co_return true;
  }
  stream_.expires_after(service_->limits.idle);
  const auto [error, bytes] = co_await stream_.async_read_some(received_.prepare(first_read_bytes), as_result);
  received_.commit(bytes);
  expected_since_ = Clock::now();
  co_return bytes > 0;
}

asio::awaitable<beast::error_code> Session::receive(Parser& parser) {
  const Limits& limits = service_->limits;
  parser.header_limit(limits.head_bytes);
  parser.body_limit(std::max(limits.body_bytes, limits.configuration_bytes));
  stream_.expires_after(limits.exchange);
  const auto [head_error, head_bytes] = co_await http::async_read_header(stream_, received_, parser, as_result);
  if (head_error) co_return head_error;
  if (parser.get().method() != http::verb::put || !may_command(parser.get())) {
    const auto length = parser.content_length();
    if (length && *length > limits.body_bytes) co_return http::error::body_limit;
    parser.body_limit(limits.body_bytes);
  }
  const auto [error, bytes] = co_await http::async_read(stream_, received_, parser, as_result);
  co_return error;
}

asio::awaitable<Session::Response> Session::answer(Request& request) {
  const std::string_view target(request.target().data(), request.target().size());
  const std::size_t path_end = std::min(target.find('?'), target.size());
  const std::string_view path = target.substr(0, path_end);
  Response response;
  response.set(http::field::cache_control, "no-store");
  const Resource* resource = find_resource(path);
  if (resource == nullptr) {
    set_text(response, http::status::not_found, "not found");
  } else if (!resource->allows(request.method())) {
    set_text(response, http::status::method_not_allowed, "method not allowed");
    response.set(http::field::allow, beast::string_view(resource->allowed.data(), resource->allowed.size()));
  } else if (resource->what == Resource::What::configuration) {
    co_await answer_configuration(response, request, target.substr(std::min(path_end + 1, target.size())));
  } else if (resource->is_read_only()) {
    co_await answer_reading(response, request, resource->what);
  } else {
    co_await answer_command(response, request, *resource);
  }
  co_return response;
}

asio::awaitable<void> Session::answer_reading(Response& response, const Request& request, Resource::What what) {
  switch (what) {
    case Resource::What::status:
      co_await answer_with_status(response, to_json, "application/json");
      break;
    case Resource::What::metrics:
      co_await answer_with_metrics(response, metrics::format_for(request[http::field::accept]));
      break;
    case Resource::What::servers:
      co_await answer_with_status(
          response, [](const Status& status) { return servers_json(status.servers); }, "application/json");
      break;
    case Resource::What::routes:
      co_await answer_with_status(
          response, [](const Status& status) { return routes_json(status.routes); }, "application/json");
      break;
    case Resource::What::page:
      co_await answer_with_status(response, page, page_content_type);
      for (const auto& [name, value] : page_fields()) response.set(name, value);
      break;
    case Resource::What::history:
      response.set(http::field::content_type, "application/json");
      response.body() = service_->source.history();
      break;
    case Resource::What::events:
      answer_events(response, request.method() == http::verb::head);
      break;
    case Resource::What::healthz:
      set_text(response, http::status::ok, "ok");
      break;
    default:
      if (service_->source.ready()) {
        set_text(response, http::status::ok, "ready");
      } else {
        set_text(response, http::status::service_unavailable, "draining");
      }
  }
}

asio::awaitable<void> Session::answer_with_metrics(Response& response, metrics::Format format) {
  const auto write = format == metrics::Format::openmetrics
                         ? [](const Status& s) { return to_metrics(s, process::usage(), metrics::Format::openmetrics); }
                         : [](const Status& s) { return to_metrics(s, process::usage()); };
  co_await answer_with_status(response, write, metrics::content_type(format));
}

asio::awaitable<void> Session::answer_command(Response& response, const Request& request, const Resource& resource) {
  if (!may_command(request)) {
    refuse_command(response, no_commands_here);
  } else if (resource.what == Resource::What::upgrade) {
    answer_upgrade(response, request);
  } else if (resource.what == Resource::What::server) {
    const auto command = read_server_command(request.body());
    const Reply reply = command ? service_->source.server(*command) : Reply{400, command.error()};
    set_text(response, http::int_to_status(reply.status), reply.text);
  } else if (resource.what == Resource::What::rollback) {
    begin_upgrade(response, request, {.binary = "", .rollback = true});
  } else {
    const std::function<void(ReplySink)> ask = [this,
                                                command = command_of(resource.path, request.method())](ReplySink sink) {
      service_->source.command(command, std::move(sink));
    };
    co_await answer_with_reply(response, ask);
  }
}

asio::awaitable<void> Session::answer_configuration(Response& response, Request& request, std::string_view query) {
  const bool is_put = request.method() == http::verb::put;
  if (!may_command(request)) {
    // It may have passwords for servers, in the fields that routes set.
    refuse_command(response,
                   is_put ? no_commands_here
                          : "the configuration is shown only on a Unix socket (admin.bind), or with admin.token");
  } else if (!is_put) {
    response.set(http::field::content_type, "application/yaml");
    response.body() = service_->source.configuration();
  } else if (auto command = read_configuration_command(query); !command) {
    set_text(response, http::status::bad_request, "the query of a PUT may be `dry_run`, `json` or both");
  } else if (request.body().empty()) {
    set_text(response, http::status::bad_request, "the body must be the whole configuration, as YAML");
  } else {
    command->yaml = std::move(request.body());
    const std::function<void(ReplySink)> ask = [this, &command](ReplySink sink) {
      service_->source.configure(*std::move(command), std::move(sink));
    };
    co_await answer_with_reply(response, ask);
  }
}

// However long it takes: a reload waits for DNS and disks.
asio::awaitable<void> Session::answer_with_reply(Response& response, const std::function<void(ReplySink)>& ask) {
  const auto pending =
      std::make_shared<PendingReply>(asio::steady_timer(stream_.get_executor(), Clock::time_point::max()));
  pending_reply_ = pending;
  ask([weak = std::weak_ptr(pending)](Reply reply) {
    const auto waiting = weak.lock();
    if (!waiting) return;
    waiting->reply = std::move(reply);
    waiting->timer.cancel();
  });
  if (!pending->reply) co_await pending->timer.async_wait(as_result);
  pending_reply_ = nullptr;
  const Reply reply = pending->reply.value_or(Reply{503, "no answer"});
  set_text(response, http::int_to_status(reply.status), reply.text);
  if (reply.is_json) response.set(http::field::content_type, "application/json");
}

void Session::answer_upgrade(Response& response, const Request& request) {
  const auto command = upgrade_command_of(request.body());
  if (!command) {
    set_text(response, http::status::bad_request,
             "the body must be empty or {\"binary\": \"/absolute/path\", \"from_file\": true}, both optional");
    return;
  }
  begin_upgrade(response, request, *command);
}

// The lines, if any, are sent afterwards.
void Session::begin_upgrade(Response& response, const Request& request, const UpgradeCommand& command) {
  if (request.version() < 11) {
    set_text(response, http::status::http_version_not_supported, "the answer to an upgrade is chunked: use HTTP/1.1");
    return;
  }
  pending_lines_ = std::make_shared<PendingLines>(asio::steady_timer(stream_.get_executor()));
  const auto take = [weak = std::weak_ptr(pending_lines_)](std::string_view line, bool last) {
    const auto pending = weak.lock();
    if (!pending || pending->ended) return;
    if (last || pending->text.size() < lines_bytes_max) {
      pending->text.reserve(pending->text.size() + line.size() +
                            1);  // appended whole or, without memory, not at all
      pending->text.append(line).append("\n");
    }
    pending->ended = last;
    pending->timer.cancel();
  };
  if (const auto refusal = service_->source.upgrade(command, take)) {
    pending_lines_.reset();
    set_text(response, http::int_to_status(refusal->status), refusal->text);
  }
}

asio::awaitable<void> Session::answer_with_status(Response& response, std::string (*write)(const Status&),
                                                  std::string_view content_type) {
  pending_status_ = std::make_shared<PendingStatus>(asio::steady_timer(stream_.get_executor()));
  pending_status_->timer.expires_after(service_->limits.exchange);
  // The answer may come at once, after our time limit, or after this session has ended.
  service_->source.status([weak = std::weak_ptr(pending_status_)](Status status) {
    const auto pending = weak.lock();
    if (!pending) return;
    pending->status = std::move(status);
    pending->timer.cancel();
  });
  if (!pending_status_->status) co_await pending_status_->timer.async_wait(as_result);
  const auto pending = std::exchange(pending_status_, nullptr);
  if (!pending->status) {
    set_text(response, http::status::service_unavailable, "no status in time");
  } else {
    response.set(http::field::content_type, beast::string_view(content_type.data(), content_type.size()));
    response.body() = write(*pending->status);
  }
}

// True: the connection may serve another request.
asio::awaitable<bool> Session::send(Response& response, bool head_only) {
  response.prepare_payload();
  const bool keep_alive = response.keep_alive();
  http::response_serializer<http::string_body> serializer(response);
  beast::error_code failure;
  writing_since_ = Clock::now();
  stream_.expires_after(service_->limits.exchange);
  if (head_only) {
    const auto [error, bytes] = co_await http::async_write_header(stream_, serializer, as_result);
    failure = error;
  } else {
    const auto [error, bytes] = co_await http::async_write(stream_, serializer, as_result);
    failure = error;
  }
  writing_since_.reset();
  co_return !failure && keep_alive;
}

// Sends lines as they come, until the last one or until close().
asio::awaitable<void> Session::send_lines(Response& head) {
  const auto lines = pending_lines_;
  head.set(http::field::content_type, "application/x-ndjson");
  head.keep_alive(false);
  head.chunked(true);
  http::response_serializer<http::string_body> serializer(head);
  stream_.expires_after(service_->limits.exchange);
  const auto [failure, head_bytes] = co_await http::async_write_header(stream_, serializer, as_result);
  if (failure) co_return;
  while (pending_lines_) {
    if (lines->text.empty()) {
      lines->timer.expires_at(Clock::time_point::max());
      co_await lines->timer.async_wait(as_result);
      continue;
    }
    const bool is_last = lines->ended;
    const std::string text = std::exchange(lines->text, {});
    writing_since_ = Clock::now();
    stream_.expires_after(service_->limits.exchange);
    const auto [error, bytes] = co_await asio::async_write(stream_, http::make_chunk(asio::buffer(text)), as_result);
    writing_since_.reset();
    if (error) co_return;
    if (is_last) break;
  }
  co_await asio::async_write(stream_, http::make_chunk_last(), as_result);
}

void Session::answer_events(Response& response, bool is_head) {
  if (!service_->source.events->has_room(is_unix_)) {
    return set_text(response, http::status::service_unavailable, "too many clients follow the events already");
  }
  response.set(http::field::content_type, "text/event-stream");
  response.set("X-Accel-Buffering", "no");
  becomes_stream_ = !is_head;
}

// Not chunked: the body ends with the connection, and each event can be written by another process.
asio::awaitable<void> Session::become_stream(Response& head) {
  head.keep_alive(false);
  http::response_serializer<http::string_body> serializer(head);
  stream_.expires_after(service_->limits.exchange);
  writing_since_ = Clock::now();
  const auto [failure, bytes] = co_await http::async_write_header(stream_, serializer, as_result);
  writing_since_.reset();
  if (failure || !stream_.socket().is_open()) co_return;
  beast::error_code error;
  auto socket = stream_.release_socket();
  handoff::UniqueFd client(socket.release(error));
  if (client) service_->source.events->add(std::move(client));
}

asio::awaitable<void> Session::refuse(http::status status) {
  Response response;
  const auto reason = http::obsolete_reason(status);
  set_text(response, status, std::string_view(reason.data(), reason.size()));
  response.version(11);
  response.keep_alive(false);
  co_await send(response, false);
  expected_since_.reset();
  co_await linger();
}

// A close with bytes unread is a reset, which could overtake the answer (RFC 9112 §9.6).
asio::awaitable<void> Session::linger() {
  beast::error_code ignored;
  stream_.socket().shutdown(asio::socket_base::shutdown_send, ignored);
  stream_.expires_after(service_->limits.exchange);
  std::array<char, 4096> discarded;
  for (std::size_t total = 0; total < linger_bytes_max;) {
    const auto [error, bytes] = co_await stream_.async_read_some(asio::buffer(discarded), as_result);
    if (error) break;
    total += bytes;
  }
}

}  // namespace baton::admin
