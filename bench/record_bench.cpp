// Compares the record layer with OpenSSL's SSL_write and SSL_read over memory BIOs: TLS 1.3 with AES-128-GCM, full and
// small records, the same plaintext in and out. The best of many short alternating rounds counts, so that other work on
// the machine spoils rounds, not the result.
//
//   record_bench [rounds, default 200]
#include <openssl/bio.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "certificates/certificates.hpp"
#include "proxy/tls/record_layer.hpp"
#include "proxy/tls/suites.hpp"

namespace {

using namespace baton;

constexpr std::size_t full_bytes = 16'384;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  std::exit(1);
}

// Nanoseconds, summed over a round.
struct Cost {
  double seal_ns = 0;
  double open_ns = 0;
};

class Watch {
 public:
  explicit Watch(double& total) : total_(total) {}
  ~Watch() { total_ += std::chrono::duration<double, std::nano>(Clock::now() - begin_).count(); }

 private:
  using Clock = std::chrono::steady_clock;
  double& total_;
  Clock::time_point begin_ = Clock::now();
};

// One leg's sending half and the other's receiving half. A pass is a number of records of one size.
class Ours {
 public:
  Ours() {
    const tls::Suite& suite = *tls::find_suite(tls::tls13, 0x1301);
    for (state::Leg* leg : {&from_, &to_}) {
      state::Tls& state = leg->tls.emplace();
      state.stage = state::TlsStage::records;
      state.version = suite.version;
      state.suite = suite.id;
      state.burst_bytes = 1 << 20;
      derive_keys(suite, state.read.secrets);
      derive_keys(suite, state.write.secrets);
    }
    sealing_ = tls::RecordLayer::make(*from_.tls);
    opening_ = tls::RecordLayer::make(*to_.tls);
  }

  void pass(std::string_view text, std::size_t records, Cost& cost) {
    if (text.size() == full_bytes) {  // `unsent` then divides into records by itself
      for (std::size_t i = 0; i < records; ++i) from_.unsent.append(text);
      const Watch watch{cost.seal_ns};
      sealing_->seal(from_, 0);
    } else {
      const Watch watch{cost.seal_ns};
      for (std::size_t i = 0; i < records; ++i) {
        from_.unsent.append(text);
        sealing_->seal(from_, 0);
      }
    }
    to_.tls->received.append(from_.tls->sealed.view());
    from_.tls->sealed.clear();
    {
      const Watch watch{cost.open_ns};
      for (std::size_t i = 0; i < records; ++i) {
        opening_->open(to_, 1);
        if (to_.unread.size() != text.size()) fail("the record layer lost something");
        to_.unread.clear();
      }
    }
  }

 private:
  state::Leg from_;
  state::Leg to_;
  std::unique_ptr<tls::RecordLayer> sealing_;
  std::unique_ptr<tls::RecordLayer> opening_;
};

class Theirs {
 public:
  Theirs() : from_(context(true)), to_(context(false)) {
    while (SSL_do_handshake(from_.ssl) != 1 || SSL_do_handshake(to_.ssl) != 1) {
      from_.give(to_);
      SSL_do_handshake(to_.ssl);
      to_.give(from_);
    }
  }

  void pass(std::string_view text, std::size_t records, Cost& cost) {
    {
      const Watch watch{cost.seal_ns};
      for (std::size_t i = 0; i < records; ++i) {
        if (SSL_write(from_.ssl, text.data(), static_cast<int>(text.size())) <= 0) fail("SSL_write failed");
      }
    }
    from_.give(to_);
    {
      const Watch watch{cost.open_ns};
      for (std::size_t i = 0; i < records; ++i) {
        if (SSL_read(to_.ssl, plain_.data(), static_cast<int>(plain_.size())) != static_cast<int>(text.size())) {
          fail("SSL_read lost something");
        }
      }
    }
  }

 private:
  static SSL_CTX* context(bool is_client) {
    SSL_CTX* const context = SSL_CTX_new(TLS_method());
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256");
    SSL_CTX_set_num_tickets(context, 0);
    if (is_client) return context;
    const certificates::Issued identity = certificates::issue({});
    SSL_CTX_use_certificate(context, identity.certificate.get());
    SSL_CTX_use_PrivateKey(context, identity.key.get());
    return context;
  }

  struct Side {
    SSL* ssl;
    BIO* in = BIO_new(BIO_s_mem());
    BIO* out = BIO_new(BIO_s_mem());

    explicit Side(SSL_CTX* context) : ssl(SSL_new(context)) {
      const bool is_client = SSL_CTX_get0_certificate(context) == nullptr;
      SSL_CTX_free(context);          // the SSL keeps it
      SSL_set_bio(ssl, in, out);
      is_client ? SSL_set_connect_state(ssl) : SSL_set_accept_state(ssl);
    }
    Side(const Side&) = delete;
    ~Side() { SSL_free(ssl); }
    void give(Side& to) {
      char* data = nullptr;
      const long bytes = BIO_get_mem_data(out, &data);
      if (bytes > 0) BIO_write(to.in, data, static_cast<int>(bytes));
      BIO_reset(out);
    }
  };

  Side from_;
  Side to_;
  std::string plain_ = std::string(20'000, '\0');
};

void compare(std::size_t record_bytes, std::size_t records_in_pass, int rounds) {
  constexpr std::size_t passes = 100;                   // in a round
  const std::string text(record_bytes, 'x');
  const double records = static_cast<double>(passes * records_in_pass);
  Ours ours;
  Theirs theirs;
  Cost best[2] = {{1e30, 1e30}, {1e30, 1e30}};
  for (int round = 0; round < rounds; ++round) {
    Cost cost[2];
    for (std::size_t pass = 0; pass < passes; ++pass) ours.pass(text, records_in_pass, cost[0]);
    for (std::size_t pass = 0; pass < passes; ++pass) theirs.pass(text, records_in_pass, cost[1]);
    for (const int who : {0, 1}) {
      best[who].seal_ns = std::min(best[who].seal_ns, cost[who].seal_ns);
      best[who].open_ns = std::min(best[who].open_ns, cost[who].open_ns);
    }
  }
  const auto line = [&](const char* what, double total_ns) {
    const double ns = total_ns / records;
    std::printf("%6zu bytes  %-22s %8.0f ns/record  %8.0f MB/s\n", record_bytes, what, ns,
                static_cast<double>(record_bytes) * 1000 / ns);
  };
  line("seal", best[0].seal_ns);
  line("SSL_write", best[1].seal_ns);
  line("open", best[0].open_ns);
  line("SSL_read", best[1].open_ns);
  std::printf("%6zu bytes  throughput of both together, to OpenSSL's: %.2f\n", record_bytes,
              (best[1].seal_ns + best[1].open_ns) / (best[0].seal_ns + best[0].open_ns));
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 200;
  compare(full_bytes, 2, rounds);
  compare(200, 64, rounds);
  return 0;
}
