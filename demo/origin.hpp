// The built-in origin: a small HTTP/1.1 server and a TCP echo, both plain and with TLS, on a thread of their own.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

#include "demo/certificate.hpp"
#include "demo/entrances.hpp"
#include "demo/wire.hpp"

namespace baton::demo {

// What the origin does with a request that it answers at once.
struct Reply {
  enum class Then { keep, close, close_without_answer, stay_silent };
  unsigned status = 200;
  std::string body;
  Then then = Then::keep;
};
using Replier = std::function<Reply(std::string_view target)>;

// The right answer (dialogue.hpp), on a connection that stays open.
Reply honest_reply(std::string_view target);

// Any loopback port.
inline boost::asio::ip::tcp::endpoint free_port() {
  return {boost::asio::ip::address_v4::loopback(), 0};
}

class Origin {
 public:
  // Tests pass repliers with wrong answers. `reply` is called on the origin's thread.
  explicit Origin(Replier reply = honest_reply,
                  const Endpoints& wanted = {free_port(), free_port(), free_port(), free_port()});
  ~Origin();
  Origin(const Origin&) = delete;
  Origin& operator=(const Origin&) = delete;

  const Endpoints& endpoints() const { return endpoints_; }
  const Certificate& certificate() const { return certificate_; }
  Entrances entrances(Transport transport = Transport::plain) const;

 private:
  using Behaviour = std::function<boost::asio::awaitable<void>(Wire client)>;  // with one connection

  // Every accepted connection gets this behaviour. With `tls` null it is plain.
  boost::asio::ip::tcp::endpoint listen(const boost::asio::ip::tcp::endpoint& wanted, const TlsContext& tls,
                                        const Behaviour& behaviour);

  boost::asio::io_context context_{1};
  Certificate certificate_ = make_certificate();
  Replier reply_;
  Endpoints endpoints_;
  std::thread thread_;
};

}  // namespace baton::demo
