// OpenSSL as the other side: two of its endpoints complete a handshake in memory, then a record layer with the secrets
// replaces one of them.
#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "certificates/certificates.hpp"
#include "proxy/tls/record_layer.hpp"
#include "proxy/tls/suites.hpp"

namespace baton::tls {
namespace {

constexpr std::size_t plenty = 1 << 20;

template <auto free>
struct Freed {
  void operator()(auto* object) const { free(object); }
};
using Context = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;

void note_secret(const SSL* ssl, const char* line) {
  static_cast<std::string*>(SSL_get_app_data(ssl))->append(line).append("\n");
}

class Side {
 public:
  Side(const Suite& suite, bool is_client, int tickets) : context_(SSL_CTX_new(TLS_method())) {
    static const certificates::Issued rsa = certificates::issue({.key = certificates::KeyType::rsa});
    static const certificates::Issued ecdsa = certificates::issue({});
    SSL_CTX* const context = context_.get();
    SSL_CTX_set_min_proto_version(context, suite.version);
    SSL_CTX_set_max_proto_version(context, suite.version);
    const std::string name{suite.name};
    if (suite.version == tls13) {
      SSL_CTX_set_ciphersuites(context, name.c_str());
    } else {
      SSL_CTX_set_cipher_list(context, name.c_str());
    }
    SSL_CTX_set_num_tickets(context, tickets);
    SSL_CTX_set_keylog_callback(context, note_secret);
    const certificates::Issued& identity = suite.name.find("RSA") != std::string_view::npos ? rsa : ecdsa;
    if (!is_client) {
      SSL_CTX_use_certificate(context, identity.certificate.get());
      SSL_CTX_use_PrivateKey(context, identity.key.get());
    }
    ssl_.reset(SSL_new(context));
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(in_, -1);
    SSL_set_bio(ssl_.get(), in_, out_);
    SSL_set_app_data(ssl_.get(), &secrets_);
    is_client ? SSL_set_connect_state(ssl_.get()) : SSL_set_accept_state(ssl_.get());
  }

  SSL* ssl() const { return ssl_.get(); }
  void put(std::string_view bytes) { BIO_write(in_, bytes.data(), static_cast<int>(bytes.size())); }
  std::string take() {
    char* data = nullptr;
    const long bytes = BIO_get_mem_data(out_, &data);
    std::string all(data, static_cast<std::size_t>(bytes));
    BIO_reset(out_);
    return all;
  }
  std::string read() {
    std::string all;
    char piece[20'000];
    for (int bytes; (bytes = SSL_read(ssl(), piece, sizeof piece)) > 0;) all.append(piece, static_cast<std::size_t>(bytes));
    return all;
  }
  void write(std::string_view text) {
    EXPECT_EQ(SSL_write(ssl(), text.data(), static_cast<int>(text.size())), static_cast<int>(text.size()));
  }
  std::vector<unsigned char> secret(std::string_view label) const {
    const std::size_t line = secrets_.find(label);
    if (line == std::string::npos) return {};
    const std::size_t from = secrets_.find(' ', line + label.size() + 1) + 1;
    std::vector<unsigned char> bytes;
    for (std::size_t at = from; secrets_[at] != '\n'; at += 2) {
      bytes.push_back(static_cast<unsigned char>(std::stoi(secrets_.substr(at, 2), nullptr, 16)));
    }
    return bytes;
  }

 private:
  Context context_;
  std::unique_ptr<SSL, Freed<SSL_free>> ssl_;
  BIO* in_ = nullptr;
  BIO* out_ = nullptr;
  std::string secrets_;
};

// The side that OpenSSL keeps, and the leg that replaces the other one.
struct Talk {
  Side client;
  Side server;
  bool we_are_client;
  Side& theirs;
  state::Leg leg;
  state::Tls& tls;
  std::unique_ptr<RecordLayer> records;

  Talk(const Suite& suite, bool is_client, int tickets = 0)
      : client(suite, true, tickets),
        server(suite, false, tickets),
        we_are_client(is_client),
        theirs(is_client ? server : client),
        tls(leg.tls.emplace()) {
    std::string last_of_ours;
    for (int flight = 0; flight < 4; ++flight) {
      Side& from = flight % 2 == 0 ? client : server;
      Side& to = flight % 2 == 0 ? server : client;
      SSL_do_handshake(from.ssl());
      std::string bytes = from.take();
      if (&from != &theirs) last_of_ours = bytes;
      if (flight == 3 && suite.version == tls13) tls.received.append(bytes);          // tickets
      if (flight < 3 || suite.version == tls12) to.put(bytes);
    }
    SSL_do_handshake(client.ssl());
    EXPECT_TRUE(SSL_is_init_finished(client.ssl()) && SSL_is_init_finished(server.ssl()));
    EXPECT_EQ(SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(client.ssl())), suite.id);
    if (!is_client) {                                   // our tickets, if any, went to the client
      theirs.put(tls.received.view());
      tls.write.sequence = static_cast<std::uint64_t>(tickets);
      tls.received.clear();
    }
    tls.stage = state::TlsStage::records;
    tls.is_client = is_client;
    tls.version = suite.version;
    tls.suite = suite.id;
    set_keys(suite, last_of_ours);
    records = RecordLayer::make(tls);
  }

  void set_keys(const Suite& suite, std::string_view last_of_ours) {
    if (suite.version == tls13) {
      const auto set = [&](state::TlsDirection& direction, bool of_client) {
        std::ranges::copy(theirs.secret(of_client ? "CLIENT_TRAFFIC_SECRET_0" : "SERVER_TRAFFIC_SECRET_0"),
                          direction.secrets.traffic.begin());
        derive_keys(suite, direction.secrets);
      };
      set(tls.read, !we_are_client);
      set(tls.write, we_are_client);
      return;
    }
    unsigned char randoms[2][32];
    SSL_get_client_random(theirs.ssl(), randoms[0], 32);
    SSL_get_server_random(theirs.ssl(), randoms[1], 32);
    unsigned char master[48];
    SSL_SESSION_get_master_key(SSL_get_session(theirs.ssl()), master, sizeof master);
    derive_keys_tls12(suite, master, randoms[0], randoms[1], tls);
    tls.read.sequence = tls.write.sequence = 1;         // Finished was record 0
    if (!suite.has_explicit_nonce()) return;
    constexpr std::size_t finished_bytes = 8 + 16 + 16;
    for (const char c : last_of_ours.substr(last_of_ours.size() - finished_bytes, 8)) {
      tls.explicit_nonce = tls.explicit_nonce << 8 | static_cast<unsigned char>(c);
    }
    ++tls.explicit_nonce;
  }

  // Delivers everything that waits to the other side.
  void send() {
    for (int i = 0; i < 100 && records->seal(leg, 0); ++i) {
      theirs.put(tls.sealed.view());
      tls.sealed.clear();
    }
  }
  Opened receive() {
    tls.received.append(theirs.take());
    return records->open(leg, plenty);
  }
  void expect_both_ways(std::size_t bytes) {
    const std::string text(bytes, static_cast<char>('a' + bytes % 26));
    leg.unsent.append(text);
    send();
    EXPECT_EQ(theirs.read(), text);
    theirs.write(text);
    leg.unread.clear();
    EXPECT_EQ(receive(), Opened::some);
    EXPECT_EQ(leg.unread.view(), text);
  }
};

struct Case {
  const Suite* suite;
  bool is_client;
};
std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Suite& suite : suites()) {
    all.push_back({&suite, false});
    all.push_back({&suite, true});
  }
  return all;
}
std::string name_of(const testing::TestParamInfo<Case>& each) {
  std::string name{each.param.suite->name};
  std::erase_if(name, [](char c) { return c == '-' || c == '_'; });
  return name + (each.param.is_client ? "AsClient" : "AsServer");
}

class OpenSsl : public testing::TestWithParam<Case> {};

TEST_P(OpenSsl, UnderstandsUsAndWeUnderstandIt) {
  Talk talk{*GetParam().suite, GetParam().is_client};
  for (const std::size_t bytes : {1UZ, 16UZ, 100UZ, 5'000UZ, 16'384UZ, 100'000UZ, 3UZ}) talk.expect_both_ways(bytes);
  talk.records = RecordLayer::make(talk.tls);
  talk.expect_both_ways(10);
}

TEST_P(OpenSsl, EndsEachDirectionByItself) {
  Talk talk{*GetParam().suite, GetParam().is_client};
  talk.leg.unsent.append("our last");
  talk.leg.write_ended = true;
  talk.send();
  EXPECT_EQ(talk.theirs.read(), "our last");
  EXPECT_EQ(SSL_get_shutdown(talk.theirs.ssl()), SSL_RECEIVED_SHUTDOWN);
  EXPECT_FALSE(talk.leg.read_ended);
  talk.theirs.write("their last");
  SSL_shutdown(talk.theirs.ssl());
  EXPECT_EQ(talk.receive(), Opened::some);
  EXPECT_EQ(talk.leg.unread.view(), "their last");
  EXPECT_TRUE(talk.tls.close_received);
}

TEST_P(OpenSsl, SaysWhyItFails) {
  Talk talk{*GetParam().suite, GetParam().is_client};
  talk.leg.unsent.append("forged");
  talk.records->seal(talk.leg, 0);
  std::string record{talk.tls.sealed.view()};
  record.back() = static_cast<char>(record.back() ^ 1);
  talk.theirs.put(record);
  EXPECT_EQ(talk.theirs.read(), "");
  EXPECT_EQ(talk.receive(), Opened::failed);
  EXPECT_EQ(talk.records->failure(), "the other side sent the alert bad_record_mac");
}

TEST_P(OpenSsl, HearsOurAlert) {
  Talk talk{*GetParam().suite, GetParam().is_client};
  talk.theirs.write("tampered");
  std::string record = talk.theirs.take();
  record.back() = static_cast<char>(record.back() ^ 1);
  talk.tls.received.append(record);
  EXPECT_EQ(talk.records->open(talk.leg, plenty), Opened::failed);
  talk.send();
  int heard = 0;
  SSL_set_app_data(talk.theirs.ssl(), &heard);
  SSL_set_info_callback(talk.theirs.ssl(), [](const SSL* ssl, int where, int what) {
    if (where == SSL_CB_READ_ALERT) *static_cast<int*>(SSL_get_app_data(ssl)) = what;
  });
  EXPECT_EQ(talk.theirs.read(), "");
  EXPECT_EQ(heard, 2 << 8 | SSL_AD_BAD_RECORD_MAC);
}

INSTANTIATE_TEST_SUITE_P(With, OpenSsl, testing::ValuesIn(cases()), name_of);

TEST(OpenSslKeyUpdate, IsAnsweredAndUnderstoodManyTimes) {
  for (const Case& each : cases()) {
    if (each.suite->version != tls13) continue;
    SCOPED_TRACE(each.suite->name);
    Talk talk{*each.suite, each.is_client};
    for (int i = 0; i < 5; ++i) {
      SSL_key_update(talk.theirs.ssl(), i % 2 == 0 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
      SSL_do_handshake(talk.theirs.ssl());
      EXPECT_EQ(talk.receive(), Opened::some);
      EXPECT_EQ(talk.tls.key_update_owed, i % 2 == 0);
      talk.expect_both_ways(1000);
      EXPECT_FALSE(talk.tls.key_update_owed);
    }
  }
}

TEST(OpenSslTickets, AreSkippedByAClientAndCountedByAServer) {
  for (const Case& each : cases()) {
    if (each.suite->version != tls13) continue;
    SCOPED_TRACE(each.suite->name);
    Talk talk{*each.suite, each.is_client, 3};
    EXPECT_EQ(talk.tls.received.empty(), !each.is_client);
    talk.expect_both_ways(100);
    EXPECT_EQ((each.is_client ? talk.tls.read : talk.tls.write).sequence, 4U);
  }
}

TEST(OpenSslRenegotiation, IsDeclinedByAServer) {
  for (const Suite& suite : suites()) {
    if (suite.version != tls12) continue;
    SCOPED_TRACE(suite.name);
    Talk talk{suite, false};
    SSL_renegotiate(talk.theirs.ssl());
    SSL_do_handshake(talk.theirs.ssl());
    EXPECT_EQ(talk.receive(), Opened::some);
    EXPECT_TRUE(talk.tls.no_renegotiation_owed);
    talk.send();
    int heard = 0;
    SSL_set_app_data(talk.theirs.ssl(), &heard);
    SSL_set_info_callback(talk.theirs.ssl(), [](const SSL* ssl, int where, int what) {
      if (where == SSL_CB_READ_ALERT) *static_cast<int*>(SSL_get_app_data(ssl)) = what;
    });
    talk.theirs.read();
    EXPECT_EQ(heard, 1 << 8 | SSL_AD_NO_RENEGOTIATION);
  }
}

}  // namespace
}  // namespace baton::tls
