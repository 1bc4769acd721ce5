// A headless Chromium loads a page and keeps an event stream, over one connection of HTTP/2, through ten upgrades.
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <future>
#include <mutex>

#include "harness/chromium.hpp"
#include "harness/process.hpp"
#include "http2/peers.hpp"

namespace baton::harness {
namespace {

constexpr std::size_t resources = 200;
constexpr std::size_t upgrades = 10;

// The hash of its public key, by which Chromium trusts it.
std::string key_hash(const std::string& path) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "r"), std::fclose);
  const std::unique_ptr<X509, void (*)(X509*)> certificate(PEM_read_X509(file.get(), nullptr, nullptr, nullptr),
                                                           X509_free);
  unsigned char* key = nullptr;
  const int bytes = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate.get()), &key);
  unsigned char hash[SHA256_DIGEST_LENGTH];
  SHA256(key, static_cast<std::size_t>(bytes), hash);
  OPENSSL_free(key);
  unsigned char text[64];
  const int length = EVP_EncodeBlock(text, hash, sizeof hash);
  return {text, text + length};
}

// A response that lasts, and what is said on it.
class Events {
 public:
  void say(const std::string& what) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back("data: " + what + "\n\n");
    changed_.notify_all();
  }
  // As an answer of the origin: until the client ends it.
  void tell(Exchange& exchange) {
    exchange.close = true;
    exchange.stream.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
    ++listeners_;
    for (std::string one; one != last;) {
      std::unique_lock lock(mutex_);
      if (!changed_.wait_for(lock, wait_max, [this] { return !waiting_.empty(); })) return;
      one = waiting_.front();
      waiting_.pop_front();
      lock.unlock();
      exchange.stream.send(chunk(one));
    }
    exchange.stream.await_bytes_forever();
  }
  // How many EventSources have connected.
  int listeners() const { return listeners_; }

  inline static const std::string last = "data: end\n\n";

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> waiting_;
  std::atomic<int> listeners_ = 0;
};

// It listens first, then loads images, scripts and style sheets. What it has seen goes to /report, after the event
// "end".
const std::string page = R"(<!doctype html><title>Resources</title><link rel="icon" href="data:,"><body><script>
performance.setResourceTimingBufferSize(1000);
const seen = { events: [], errors: [], opened: 0, loaded: 0, ran: 0 };
const kinds = {
  svg: (src) => Object.assign(new Image(), { src }),
  js: (src) => Object.assign(document.createElement('script'), { src }),
  css: (href) => Object.assign(document.createElement('link'), { rel: 'stylesheet', href }),
};
function load(name) {
  return new Promise((resolve) => {
    const element = kinds[name.split('.').pop()](`/resource/${name}`);
    element.onload = () => resolve(++seen.loaded);
    element.onerror = () => resolve(seen.errors.push(name));
    document.body.append(element);
  });
}
let all;
const source = new EventSource('/events');
source.onopen = () => {
  ++seen.opened;
  all = Promise.all([...Array(200).keys()].map((i) => load(`${i}.${['svg', 'js', 'svg', 'css'][i % 4]}`)));
};
source.onerror = () => seen.errors.push('the event source');
source.onmessage = async ({ data }) => {
  seen.events.push(data);
  if (data !== 'end') return;
  await all;
  source.close();
  const entries = performance.getEntriesByType('resource').filter(({ name }) => name.includes('/resource/'));
  seen.by_h2 = entries.filter((one) => one.nextHopProtocol === 'h2' && one.responseStatus === 200).length;
  fetch('/report', { method: 'POST', body: JSON.stringify(seen) });
};
</script>)";

// Of some kilobytes, in two parts.
struct Resource {
  std::string type, body;

  explicit Resource(const std::string& path) {
    const std::string filling(5'000, 'x');
    if (path.ends_with(".svg")) {
      type = "image/svg+xml";
      body = R"(<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"><desc>)" + filling + "</desc></svg>";
    } else if (path.ends_with(".js")) {
      type = "text/javascript";
      body = "/* " + filling + " */ ++seen.ran;";
    } else {
      type = "text/css";
      body = "/* " + filling + " */ p { color: red; }";
    }
  }
};

class Browser : public Http2Peers {
 protected:
  Command visit(const std::string& program, const std::string& url) const {
    return {.argv = {program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     "--disable-background-networking", "--no-first-run", "--no-proxy-server",
                     "--remote-debugging-port=0", "--user-data-dir=" + directory / "profile",
                     "--ignore-certificate-errors-spki-list=" + key_hash(certificate.cert), url},
            .environment = {"HOME=" + directory.path()}};
  }

  Origin origin;
};

TEST_F(Browser, LoadsAPageAndHearsAllEventsThroughTenUpgrades) {
  const std::string program = chromium();
  if (program.empty()) {
    ASSERT_TRUE(chromium_may_be_missing()) << "Chromium is not installed: Debian's package chromium-headless-shell";
    GTEST_SKIP() << "Chromium is not installed";
  }
  Baton baton(settings_for(origin.address()));
  Events events;
  std::mutex upgrading;
  std::size_t answered = 0;
  std::promise<std::string> report;
  origin.on("/", [](Exchange& exchange) { exchange.respond(page, "200 OK", "Content-Type: text/html\r\n"); });
  origin.on("/events", [&](Exchange& exchange) { events.tell(exchange); });
  origin.on("/report", [&](Exchange& exchange) {
    exchange.read_body();
    exchange.respond("thanks");
    report.set_value(exchange.request.body);
  });
  origin.on("/resource", [&](Exchange& exchange) {
    const Resource resource(exchange.request.target());
    exchange.stream.send("HTTP/1.1 200 OK\r\nContent-Type: " + resource.type + "\r\nContent-Length: " +
                         std::to_string(resource.body.size()) + "\r\n\r\n" + resource.body.substr(0, 2'000));
    {
      const std::lock_guard lock(upgrading);
      const std::size_t number = answered++;
      if (number % (resources / upgrades) == 0) upgrade_within_answer(baton);
      events.say(std::to_string(number));
      if (answered == resources) events.say("end");
    }
    exchange.stream.send(resource.body.substr(2'000));
  });

  Process browser(visit(program, url(baton, Leg::tls, "/")));
  std::future<std::string> reported = report.get_future();
  ASSERT_EQ(reported.wait_for(std::chrono::minutes(1)), std::future_status::ready) << browser.err() << baton.log();
  const boost::json::object seen = boost::json::parse(reported.get()).as_object();
  boost::json::array due;
  for (std::size_t i = 0; i < resources; ++i) due.emplace_back(std::to_string(i));
  due.emplace_back("end");
  EXPECT_EQ(seen.at("events"), due);
  EXPECT_EQ(seen.at("errors"), boost::json::array());
  EXPECT_EQ(seen.at("opened"), 1);
  EXPECT_EQ(seen.at("loaded"), resources) << seen;
  EXPECT_EQ(seen.at("ran"), resources / 4);
  EXPECT_EQ(seen.at("by_h2"), resources);
  EXPECT_EQ(events.listeners(), 1) << "it never began again";
  EXPECT_EQ(origin.requests().size(), 1 + resources + 2) << "nothing was asked for twice";
  EXPECT_EQ(baton.count_log_lines(std::regex("upgrade: .*taken_back=0, refused=0")), upgrades) << baton.log();
  EXPECT_EQ(baton.number("accepted_total"), 1) << "one connection for everything";
}

}  // namespace
}  // namespace baton::harness
