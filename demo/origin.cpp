#include "demo/origin.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <optional>
#include <utility>

#include "demo/behaviours.hpp"
#include "demo/dialogue.hpp"

namespace baton::demo {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

namespace {

constexpr Pace download_pace{.piece_bytes = 32 * 1024, .pause = std::chrono::milliseconds{20}};
constexpr Pace flood_pace{.piece_bytes = 64 * 1024, .pause = {}};

using RequestParser = http::request_parser<http::empty_body>;

http::response<http::string_body> make_answer(const std::string& target, Reply& reply) {
  http::response<http::string_body> answer{static_cast<http::status>(reply.status), 11};
  answer.set(http::field::server, "baton-demo-origin");
  answer.set(http::field::content_type, "text/plain");
  answer.set(std::string(echo_field), target);
  answer.keep_alive(reply.then == Reply::Then::keep);
  answer.body() = std::move(reply.body);
  answer.prepare_payload();
  return answer;
}

std::optional<std::uint64_t> announced_length(const RequestParser& request) {
  const auto length = request.content_length();
  return length ? std::optional<std::uint64_t>(*length) : std::nullopt;
}

// One connection, until either side ends it. `reply` outlives the io_context that runs this.
asio::awaitable<void> serve(tcp::socket socket, const Replier& reply) {
  socket.set_option(tcp::no_delay(true));
  boost::beast::flat_buffer received;
  for (;;) {
    RequestParser request;
    request.body_limit(boost::none);
    const auto [read_error, read_bytes] = co_await http::async_read_header(socket, received, request, as_result);
    if (read_error) co_return;

    const std::string target(request.get().target());
    std::string rest = boost::beast::buffers_to_string(received.data());
    if (target.starts_with(download_prefix)) co_return co_await send_download(socket, target, download_pace);
    if (target.starts_with(flood_prefix)) co_return co_await send_download(socket, target, flood_pace);
    if (target.starts_with(events_prefix)) co_return co_await send_events(socket, target);
    if (target.starts_with(websocket_prefix)) co_return co_await echo_frames(socket, target, std::move(rest));
    if (target.starts_with(upload_prefix)) {
      co_return co_await take_upload(socket, target, announced_length(request), std::move(rest));
    }

    Reply said = reply(target);
    if (said.then == Reply::Then::close_without_answer) co_return;
    if (said.then == Reply::Then::stay_silent) continue;

    const auto answer = make_answer(target, said);
    const auto [write_error, written_bytes] = co_await http::async_write(socket, answer, as_result);
    if (write_error || said.then == Reply::Then::close) co_return;
  }
}

// `behaviour` serves one connection.
asio::awaitable<void> listen(tcp::acceptor& acceptor, std::function<asio::awaitable<void>(tcp::socket)> behaviour) {
  for (;;) {
    auto [error, socket] = co_await acceptor.async_accept(as_result);
    if (error) continue;  // the client of that one connection is gone already
    asio::co_spawn(acceptor.get_executor(), behaviour(std::move(socket)), asio::detached);
  }
}

}  // namespace

Reply honest_reply(std::string_view target) {
  return {.body = expected_body(target)};
}

Origin::Origin(Replier reply)
    : http_acceptor_(context_, {asio::ip::address_v4::loopback(), 0}),
      tcp_acceptor_(context_, {asio::ip::address_v4::loopback(), 0}),
      entrances_{http_acceptor_.local_endpoint(), tcp_acceptor_.local_endpoint()},
      reply_(std::move(reply)) {
  const auto serve_http = [this](tcp::socket socket) { return serve(std::move(socket), reply_); };
  asio::co_spawn(context_, listen(http_acceptor_, serve_http), asio::detached);
  asio::co_spawn(context_, listen(tcp_acceptor_, echo_bytes), asio::detached);
  thread_ = std::thread([this] { context_.run(); });
}

Origin::~Origin() {
  context_.stop();
  thread_.join();
}

}  // namespace baton::demo
