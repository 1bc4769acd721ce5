#include "demo/origin.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <utility>

#include "demo/dialogue.hpp"

namespace baton::demo {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

namespace {

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

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

// One connection, until either side ends it. `reply` outlives the io_context that runs this.
asio::awaitable<void> serve(tcp::socket socket, const Replier& reply) {
  socket.set_option(tcp::no_delay(true));
  boost::beast::flat_buffer received;
  for (;;) {
    http::request<http::string_body> request;
    const auto [read_error, read_bytes] = co_await http::async_read(socket, received, request, as_result);
    if (read_error) co_return;

    const std::string target(request.target());
    Reply said = reply(target);
    if (said.then == Reply::Then::close_without_answer) co_return;
    if (said.then == Reply::Then::stay_silent) continue;

    const auto answer = make_answer(target, said);
    const auto [write_error, written_bytes] = co_await http::async_write(socket, answer, as_result);
    if (write_error || said.then == Reply::Then::close) co_return;
  }
}

asio::awaitable<void> listen(tcp::acceptor& acceptor, const Replier& reply) {
  for (;;) {
    auto [error, socket] = co_await acceptor.async_accept(as_result);
    if (error) continue;  // the client of that one connection is gone already
    asio::co_spawn(acceptor.get_executor(), serve(std::move(socket), reply), asio::detached);
  }
}

}  // namespace

Reply honest_reply(std::string_view target) {
  return {.body = expected_body(target)};
}

Origin::Origin(Replier reply)
    : acceptor_(context_, {asio::ip::address_v4::loopback(), 0}),
      endpoint_(acceptor_.local_endpoint()),
      reply_(std::move(reply)) {
  asio::co_spawn(context_, listen(acceptor_, reply_), asio::detached);
  thread_ = std::thread([this] { context_.run(); });
}

Origin::~Origin() {
  context_.stop();
  thread_.join();
}

}  // namespace baton::demo
