// Clients that break the rules of TLS: each gets the right alert and loses its own connection, no other client notices,
// and nothing of them remains.
#include <gtest/gtest.h>
#include <openssl/rand.h>
#include <unistd.h>

#include "harness/baton.hpp"
#include "harness/origin.hpp"
#include "harness/tls_client.hpp"
#include "tls/forger.hpp"

namespace baton::harness {
namespace {

constexpr int unexpected_message = 10, bad_record_mac = 20, record_overflow = 22, decode_error = 50,
              protocol_version = 70, no_renegotiation = 100, illegal_parameter = 47;
constexpr unsigned char type_alert = 21, type_handshake = 22, type_data = 23;

std::string operator""_b(const char* text, std::size_t size) {
  return {text, size};
}

class HostileClients : public testing::Test {
 protected:
  Settings settings() {
    Settings settings(origin.address());
    settings.tls = "certificates: [ " + authority.issue({"localhost"}).yaml() + " ]";
    return settings;
  }
  void expect_undisturbed() { EXPECT_EQ(good.get("/bytes/3000").body, pattern(3000)); }
  void await_alone() { baton.await_number("connections.total", 1); }

  // All that the server sends in answer to these bytes, up to EOF.
  std::string answer_to(const std::string& bytes) {
    Client client(baton.address());
    client.send_what_goes(bytes);
    client.half_close();
    std::string answer;
    client.read_to_end(answer);
    return answer;
  }
  std::string hello(const TlsOptions& options = {}) {
    return TlsClient(baton.address(), options, TlsClient::Handshake::later).next_flight();
  }
  static std::string alert_record(int alert) { return std::string{21, 3, 3, 0, 2, 2, static_cast<char>(alert)}; }

  TempDir directory;
  Authority authority{directory};
  Origin origin;
  Baton baton{settings()};
  TlsClient good{baton.address()};
};

TEST_F(HostileClients, WhatIsNoTlsIsRefused) {
  for (const std::string& bytes :
       {"GET / HTTP/1.1\r\nHost: a\r\n\r\n"_b, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"_b, "\0\0\0\0"_b, "\x16"_b,
        "\x16\3\1\0\0"_b, "\x16\3\1\xff\xff"_b, "\x15\3\1\0\2\2\x28"_b, "\x17\3\3\0\1x"_b, ""_b}) {
    const std::string answer = answer_to(bytes);
    EXPECT_TRUE(answer.empty() || (answer.size() == 7 && answer[0] == type_alert)) << bytes;
    expect_undisturbed();
  }
  await_alone();
}

TEST_F(HostileClients, OldHellosAreRefusedAsSuch) {
  std::string ssl3 = hello({TLS1_VERSION});
  ssl3[2] = ssl3[10] = 0;
  const std::string answer = answer_to(ssl3);
  ASSERT_EQ(answer.size(), 7u);
  EXPECT_EQ(answer.substr(5), "\2\x28"_b) << "handshake_failure: SSL 3.0 has no other for it";
  const std::string ssl2 =
      "\x80\x2e\1\0\2\0\x15\0\0\0\x10\1\0\x80\2\0\x80\3\0\x80\4\0\x80\5\0\x80\6\0\x40\7\0\xc0"_b + std::string(16, 'c');
  EXPECT_LE(answer_to(ssl2).size(), 7u);
  expect_undisturbed();
  await_alone();
}

// A valid hello with each byte changed in turn.
class GarbageInTheHello : public HostileClients {
 protected:
  void round(unsigned char change) {
    for (std::size_t at = 0; at < recorded.size(); ++at) {
      std::string changed = recorded;
      changed[at] = static_cast<char>(changed[at] ^ change);
      const std::string answer = answer_to(changed);
      ASSERT_TRUE(answer.empty() || answer[0] == type_alert || answer[0] == type_handshake) << "byte " << at;
      if (at % 64 == 0) expect_undisturbed();
    }
    await_alone();
  }

  const std::string recorded = hello({.server_name = "localhost", .alpn = "http/1.1"});
};

TEST_F(GarbageInTheHello, HarmsNobody) {
  round(0xff);
  const std::size_t memory = resident_bytes(baton.pid());
  round(0x01);
  round(0x80);
  EXPECT_LT(resident_bytes(baton.pid()), memory + 2'000'000) << "more than a kilobyte of each";
}

TEST_F(GarbageInTheHello, LeavesNoDescriptorBehind) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may count the descriptors of a process with keys";
  round(0xff);
  const std::size_t descriptors = descriptor_count(baton.pid());
  round(0x01);
  await_descriptors_at_most(descriptors, baton.pid());
}

TEST_F(HostileClients, RandomFlightsHarmNobody) {
  for (int number = 0; number < 300; ++number) {
    TlsClient client(baton.address(), {number % 2 == 0 ? TLS1_2_VERSION : TLS1_3_VERSION}, TlsClient::Handshake::later);
    client.send_raw(client.next_flight());
    client.take_flight();
    std::string flight(1 + static_cast<std::size_t>(number), '\0');
    RAND_bytes(reinterpret_cast<unsigned char*>(flight.data()), static_cast<int>(flight.size()));
    const char header[] = {static_cast<char>(20 + number % 4), 3, 3, static_cast<char>(flight.size() >> 8),
                           static_cast<char>(flight.size())};
    if (number % 3 != 0) flight.insert(0, header, sizeof header);
    client.Stream::send_what_goes(flight);
    client.Stream::half_close();
    std::string answer;
    try {
      client.read_to_end(answer);
    } catch (const Failure&) {
      // OpenSSL does not accept a plaintext alert within an encrypted handshake.
    }
  }
  expect_undisturbed();
  await_alone();
}

// ── After the handshake ───────────────────────────────────────────────────────────────────────────────────────────

struct Attack {
  const char* name;
  int alert13;
  int alert12;
  std::string (*records)(TlsClient&);
};

void PrintTo(const Attack& attack, std::ostream* out) {
  *out << attack.name;
}

std::string tampered(TlsClient& client, std::size_t from_end) {
  std::string record = client.seal("GET / HTTP/1.1\r\n");
  record[record.size() - from_end] = static_cast<char>(record[record.size() - from_end] ^ 1);
  return record;
}

const Attack attacks[] = {
    {"ATamperedTag", bad_record_mac, bad_record_mac, [](TlsClient& c) { return tampered(c, 1); }},
    {"ATamperedText", bad_record_mac, bad_record_mac, [](TlsClient& c) { return tampered(c, 20); }},
    {"ARecordTwice", bad_record_mac, bad_record_mac,
     [](TlsClient& c) {
       const auto r = c.seal("GET ");
       return r + r;
     }},
    {"ARecordLeftOut", bad_record_mac, bad_record_mac,
     [](TlsClient& c) {
       (void)c.seal("G");
       return c.seal("ET ");
     }},
    {"APlainRecord", bad_record_mac, bad_record_mac,
     [](TlsClient&) { return "\x17\3\3\0\x20"_b + std::string(32, 'G'); }},
    {"APlainHandshakeRecord", unexpected_message, bad_record_mac,
     [](TlsClient&) { return "\x16\3\3\0\x20"_b + std::string(32, '\1'); }},
    {"APlainAlert", unexpected_message, bad_record_mac, [](TlsClient&) { return "\x15\3\3\0\2\2\0"_b; }},
    {"AChangeCipherSpec", unexpected_message, unexpected_message, [](TlsClient&) { return "\x14\3\3\0\1\1"_b; }},
    {"AnEmptyRecord", bad_record_mac, bad_record_mac, [](TlsClient&) { return "\x17\3\3\0\0"_b; }},
    {"ATooLongRecord", record_overflow, record_overflow, [](TlsClient&) { return "\x17\3\3\x50\0"_b; }},
    {"AnUnknownType", unexpected_message, unexpected_message, [](TlsClient&) { return "\x63\3\3\0\1x"_b; }},
    {"AnotherVersion", protocol_version, protocol_version,
     [](TlsClient&) { return "\x17\3\1\0\x20"_b + std::string(32, 'G'); }},
    {"PlainHttp", unexpected_message, unexpected_message, [](TlsClient&) { return "GET / HTTP/1.1\r\n\r\n"_b; }},
};

class Attacks : public HostileClients, public testing::WithParamInterface<Attack> {};

TEST_P(Attacks, GetTheirAlert) {
  for (const auto& [version, alert] :
       {std::pair{TLS1_3_VERSION, GetParam().alert13}, std::pair{TLS1_2_VERSION, GetParam().alert12}}) {
    for (const bool after_upgrade : {false, true}) {
      TlsClient client(baton.address(), {version});
      EXPECT_EQ(client.get("/bytes/4").body, pattern(4));
      if (after_upgrade) baton.upgrade();
      client.send_raw(GetParam().records(client));
      EXPECT_EQ(client.await_alert(), alert) << SSL_get_version(client.ssl());
      expect_undisturbed();
    }
  }
  await_alone();
}

INSTANTIATE_TEST_SUITE_P(All, Attacks, testing::ValuesIn(attacks), [](const auto& one) { return one.param.name; });

// Correctly sealed records with something wrong inside.
TEST_F(HostileClients, ForgeriesGetTheirAlert) {
  const auto repeat = [](Forger& f, int times, const std::string& content, unsigned char type) {
    std::string records;
    while (times-- > 0) records += f.seal(content, type);
    return records;
  };
  const std::tuple<std::string, int, std::function<std::string(Forger&)>> forgeries[] = {
      {"a flood of empty records", unexpected_message, [&](Forger& f) { return repeat(f, 1000, "", type_data); }},
      {"a flood of warnings", unexpected_message, [&](Forger& f) { return repeat(f, 1000, "\1\x5a"_b, type_alert); }},
      {"an empty alert", unexpected_message, [&](Forger& f) { return f.seal("", type_alert); }},
      {"an empty handshake record", unexpected_message, [&](Forger& f) { return f.seal("", type_handshake); }},
      {"half an alert", decode_error, [&](Forger& f) { return f.seal("\2", type_alert); }},
      {"no type", unexpected_message, [&](Forger& f) { return f.seal_inner(std::string(40, '\0')); }},
      {"nothing", unexpected_message, [&](Forger& f) { return f.seal_inner(""); }},
      {"a sealed ChangeCipherSpec", unexpected_message, [&](Forger& f) { return f.seal("\1", 20); }},
      {"too much", record_overflow, [&](Forger& f) { return f.seal(std::string(16385, 'x'), type_data); }},
      {"another ClientHello", unexpected_message, [&](Forger& f) { return f.seal("\1\0\0\1x"_b, type_handshake); }},
      {"a KeyUpdate of no kind", illegal_parameter,
       [&](Forger& f) { return f.seal("\x18\0\0\1\2"_b, type_handshake); }},
      {"a KeyUpdate that is too long", decode_error,
       [&](Forger& f) { return f.seal("\x18\0\0\2\0\0"_b, type_handshake); }},
      {"data within a KeyUpdate", unexpected_message,
       [&](Forger& f) { return repeat(f, 1, "\x18\0"_b, type_handshake).append(f.seal("GET ", type_data)); }},
      {"more behind a KeyUpdate", unexpected_message,
       [&](Forger& f) { return f.seal("\x18\0\0\1\0\x18"_b, type_handshake); }},
  };
  for (const auto& [name, alert, records] : forgeries) {
    TlsClient client(baton.address(), {TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256"});
    Forger forger(client.secret());
    client.send_raw(forger.seal(get_request("/bytes/4"), type_data));
    EXPECT_EQ(client.response().body, pattern(4)) << "the forger's records are good";
    client.Stream::send_what_goes(records(forger));
    EXPECT_EQ(client.await_alert(), alert) << name;
    expect_undisturbed();
  }
  await_alone();
}

TEST_F(HostileClients, AFloodOfKeyUpdatesEnds) {
  TlsClient client(baton.address(), {TLS1_3_VERSION});
  std::string flood;
  for (int number = 0; number < 1000; ++number) {
    client.update_keys(true);
    flood += client.seal("");
  }
  client.Stream::send_what_goes(flood);
  EXPECT_EQ(client.await_alert(), unexpected_message);
  expect_undisturbed();
  await_alone();
}

TEST_F(HostileClients, RenegotiationIsRefusedAndTheConnectionGoesOn) {
  for (const bool after_upgrade : {false, true}) {
    TlsClient client(baton.address(), {TLS1_2_VERSION});
    EXPECT_EQ(client.get("/bytes/4").body, pattern(4));
    if (after_upgrade) baton.upgrade();
    SSL_renegotiate(client.ssl());
    // The request follows the ClientHello, so its answer follows the refusal.
    const std::string records = client.next_flight();
    client.send_raw(records);
    try {
      client.read_exactly(1);
      ADD_FAILURE() << "OpenSSL does not go on after the refusal";
    } catch (const Failure&) {
    }
    EXPECT_EQ(client.warning(), no_renegotiation);
    client.Stream::half_close();
    expect_undisturbed();
  }
  await_alone();
}

class StallingClients : public HostileClients {};

TEST_F(StallingClients, LoseTheirConnectionAtTheHandshakeTimeout) {
  Settings hasty = settings();
  hasty.timeouts = "handshake: 1s";
  Baton proxy(hasty);
  TlsClient beside(proxy.address());
  TlsClient half(proxy.address(), {}, TlsClient::Handshake::later),
      middle(proxy.address(), {}, TlsClient::Handshake::later);
  Client silent(proxy.address());
  const std::string first = half.next_flight();
  half.send_raw(std::string_view(first).substr(0, first.size() / 2));
  middle.send_raw(middle.next_flight());
  middle.take_flight();
  EXPECT_EQ(half.await_alert(), std::nullopt);
  EXPECT_EQ(middle.await_alert(), std::nullopt);
  std::string nothing;
  silent.read_to_end(nothing);
  EXPECT_EQ(nothing, "");
  proxy.await_log(std::regex("the handshake took too long"));
  EXPECT_EQ(beside.get("/bytes/5").body, pattern(5));
  proxy.await_number("connections.total", 1);
}

}  // namespace
}  // namespace baton::harness
