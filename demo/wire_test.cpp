// Wires and certificates: which servers are accepted, and that faults found by TLS are reported as such.
#include "demo/wire.hpp"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/write.hpp>
#include <string>

#include "demo/certificate.hpp"
#include "demo/patience.hpp"
#include "demo/temp_dir.hpp"

namespace baton::demo {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// A client's end and a server's.
class Wires : public testing::TestWithParam<Transport> {
 protected:
  // Both ends' errors.
  std::array<error_code, 2> open(const TlsContext& for_client, const TlsContext& for_server) {
    std::array<error_code, 2> errors;
    tcp::acceptor acceptor(context_, {asio::ip::address_v4::loopback(), 0});
    client_.emplace(context_, for_client);
    client_->connect(acceptor.local_endpoint(), {}, [&](error_code error) { errors[0] = error; });
    acceptor.async_accept([&](error_code, tcp::socket accepted) {
      raw_server_ = accepted.native_handle();
      server_.emplace(std::move(accepted), for_server);
      server_->async_welcome([&](error_code error) { errors[1] = error; });
    });
    run();
    return errors;
  }

  void open() {
    const TlsContext for_client = client_context(certificate_, GetParam());
    ASSERT_THAT(open(for_client, for_client ? server_context(certificate_) : nullptr), testing::Each(error_code()));
  }

  // Runs until no operation is in progress.
  void run() {
    context_.restart();
    context_.run_for(hung_after);
  }

  error_code read_one() {
    std::array<char, 1> byte{};
    error_code found;
    client_->async_read_some(asio::buffer(byte), [&](error_code error, std::size_t) { found = error; });
    run();
    return found;
  }

  asio::io_context context_{1};
  Certificate certificate_ = make_certificate();
  std::optional<Wire> client_;
  std::optional<Wire> server_;
  int raw_server_ = -1;
};

TEST_P(Wires, CarryBytesBothWaysAtOnce) {
  open();
  const std::string to_server(100'000, 'c');
  const std::string to_client(100'000, 's');
  std::string at_server(to_server.size(), ' ');
  std::string at_client(to_client.size(), ' ');
  const auto done = [](error_code error, std::size_t) { EXPECT_FALSE(error) << error; };
  asio::async_write(*client_, asio::buffer(to_server), done);
  asio::async_write(*server_, asio::buffer(to_client), done);
  asio::async_read(*client_, asio::buffer(at_client), done);
  asio::async_read(*server_, asio::buffer(at_server), done);
  run();
  EXPECT_EQ(at_server, to_server);
  EXPECT_EQ(at_client, to_client);
}

TEST_P(Wires, CallNoHandlerAfterTheirClose) {
  open();
  std::array<char, 1> byte{};
  bool called = false;
  client_->async_read_some(asio::buffer(byte), [&](error_code, std::size_t) { called = true; });
  client_->close();
  run();
  EXPECT_FALSE(called);
}

TEST_P(Wires, KnowTheEnd) {
  open();
  server_.reset();
  const error_code error = read_one();
  EXPECT_TRUE(is_end(error)) << error;
  EXPECT_FALSE(is_forged(error)) << error;
}

std::string title(const testing::TestParamInfo<Transport>& one) {
  constexpr std::array<const char*, transports> titles{"Plain", "Tls13", "Tls12"};
  return titles[static_cast<std::size_t>(one.param)];
}
INSTANTIATE_TEST_SUITE_P(Each, Wires, testing::ValuesIn(all_transports), title);

class TlsWires : public Wires {};

// A record that the server's keys did not seal.
TEST_P(TlsWires, KnowWhatIsForged) {
  open();
  const std::string record = std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'x');
  ASSERT_EQ(::send(raw_server_, record.data(), record.size(), 0), static_cast<ssize_t>(record.size()));
  const error_code error = read_one();
  EXPECT_TRUE(is_forged(error)) << error;
  EXPECT_FALSE(is_end(error)) << error;
}

TEST_P(TlsWires, RefuseAServerWithAnotherCertificate) {
  const auto errors = open(client_context(certificate_, GetParam()), server_context(make_certificate()));
  EXPECT_THAT(errors[0].message(), testing::HasSubstr("certificate verify failed"));
}

TEST_P(TlsWires, SpeakNoOtherVersion) {
  const TlsContext server = server_context(certificate_);
  const bool is_newer = GetParam() == Transport::tls13;
  SSL_CTX_set_max_proto_version(server->native_handle(), is_newer ? TLS1_2_VERSION : TLS1_3_VERSION);
  SSL_CTX_set_min_proto_version(server->native_handle(), is_newer ? TLS1_2_VERSION : TLS1_3_VERSION);
  EXPECT_TRUE(open(client_context(certificate_, GetParam()), server)[0]);
}

INSTANTIATE_TEST_SUITE_P(Each, TlsWires, testing::Values(Transport::tls13, Transport::tls12), title);

TEST(Certificate, IsStoredWithAKeyThatNobodyElseCanRead) {
  const TempDir dir;
  const CertificateFiles files = store(make_certificate(), dir.file("tls"));
  struct stat key{};
  ASSERT_EQ(::stat(files.key.c_str(), &key), 0);
  EXPECT_EQ(key.st_mode & 0777, 0600u);
}

TEST(Certificate, IsAnotherEachTime) {
  EXPECT_NE(make_certificate().key, make_certificate().key);
}

}  // namespace
}  // namespace baton::demo
