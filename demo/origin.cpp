#include "demo/origin.hpp"

#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/status.hpp>
#include <optional>
#include <utility>

#include "clients/dialogue.hpp"
#include "demo/behaviours.hpp"

namespace baton::demo {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

namespace {

constexpr Pace download_pace{.piece_bytes = 32 * 1024, .pause = std::chrono::milliseconds{20}};
constexpr Pace flood_pace{.piece_bytes = 64 * 1024, .pause = {}};

using RequestParser = http::request_parser<http::empty_body>;

std::string make_answer(const std::string& target, const Reply& reply) {
  return fmt::format(
      "HTTP/1.1 {} {}\r\nServer: baton-demo-origin\r\nContent-Type: text/plain\r\n{}: {}\r\n{}"
      "Content-Length: {}\r\n\r\n{}",
      reply.status, std::string(http::obsolete_reason(static_cast<http::status>(reply.status))), clients::echo_field,
      target, reply.then == Reply::Then::close ? "Connection: close\r\n" : "", reply.body.size(), reply.body);
}

std::optional<std::uint64_t> announced_length(const RequestParser& request) {
  const auto length = request.content_length();
  return length ? std::optional<std::uint64_t>(*length) : std::nullopt;
}

// No request of HTTP/1.1 begins like HTTP/2's preface.
constexpr std::string_view preface_method = "PRI ";

// One connection, until either side ends it. `reply` outlives the io_context that runs this.
asio::awaitable<void> serve(Wire client, const Replier& reply) {
  boost::beast::flat_buffer received;
  for (;;) {
    const auto begun = [&received] { return boost::beast::buffers_to_string(received.data()); };
    if (received.size() == 0) {
      do {
        const auto [error, count] = co_await client.async_read_some(received.prepare(4096), as_result);
        if (error) co_return;
        received.commit(count);
      } while (received.size() < preface_method.size() && preface_method.starts_with(begun()));
    }
    if (begun().starts_with(preface_method)) co_return co_await serve_http2(std::move(client), reply, begun());

    RequestParser request;
    request.body_limit(boost::none);
    const auto [read_error, read_bytes] = co_await http::async_read_header(client, received, request, as_result);
    if (read_error) co_return;

    const std::string target(request.get().target());
    std::string rest = boost::beast::buffers_to_string(received.data());
    if (target.starts_with(clients::download_prefix)) co_return co_await send_download(client, target, download_pace);
    if (target.starts_with(clients::flood_prefix)) co_return co_await send_download(client, target, flood_pace);
    if (target.starts_with(clients::events_prefix)) co_return co_await send_events(client, target);
    if (target.starts_with(clients::websocket_prefix)) co_return co_await echo_frames(client, target, std::move(rest));
    if (target.starts_with(clients::upload_prefix)) {
      co_return co_await take_upload(client, target, announced_length(request), std::move(rest));
    }

    const Reply said = reply(target);
    if (said.then == Reply::Then::close_without_answer) co_return;
    if (said.then == Reply::Then::stay_silent) continue;

    const std::string answer = make_answer(target, said);
    const auto [write_error, written_bytes] = co_await asio::async_write(client, asio::buffer(answer), as_result);
    if (write_error || said.then == Reply::Then::close) co_return;
  }
}

// `behaviour` owns the connection once it is open.
asio::awaitable<void> welcome(Wire client, std::function<asio::awaitable<void>(Wire)> behaviour) {
  const auto [error] = co_await client.async_welcome(as_result);
  if (!error) co_await behaviour(std::move(client));
}

asio::awaitable<void> accept_all(tcp::acceptor acceptor, TlsContext tls,
                                 std::function<asio::awaitable<void>(Wire)> behaviour) {
  for (;;) {
    auto [error, socket] = co_await acceptor.async_accept(as_result);
    if (error) continue;  // that connection's client has already gone
    asio::co_spawn(acceptor.get_executor(), welcome(Wire(std::move(socket), tls), behaviour), asio::detached);
  }
}

}  // namespace

Reply honest_reply(std::string_view target) {
  return {.body = clients::expected_body(target)};
}

Origin::Origin(Replier reply, const Endpoints& wanted) : reply_(std::move(reply)) {
  const auto serve_http = [this](Wire client) { return serve(std::move(client), reply_); };
  const TlsContext tls = server_context(certificate_);
  endpoints_ = {
      .http = listen(wanted.http, nullptr, serve_http),
      .tcp = listen(wanted.tcp, nullptr, echo_bytes),
      .tls_http = listen(wanted.tls_http, tls, serve_http),
      .tls_tcp = listen(wanted.tls_tcp, tls, echo_bytes),
  };
  thread_ = std::thread([this] { context_.run(); });
}

Origin::~Origin() {
  context_.stop();
  thread_.join();
}

Entrances Origin::entrances(Transport transport) const {
  return of(make_entrances(endpoints_, certificate_), transport);
}

tcp::endpoint Origin::listen(const tcp::endpoint& wanted, const TlsContext& tls, const Behaviour& behaviour) {
  tcp::acceptor acceptor(context_, wanted);
  const tcp::endpoint endpoint = acceptor.local_endpoint();
  asio::co_spawn(context_, accept_all(std::move(acceptor), tls, behaviour), asio::detached);
  return endpoint;
}

}  // namespace baton::demo
