// Finds, reads and rewrites a small request head and a small response head, the given number of times. Run it under
// callgrind with two counts: the difference, divided by that of the counts, is the instructions of one pair.
//
//   valgrind --tool=callgrind --callgrind-out-file=/dev/null head_bench find|read|write|all 1000
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "proxy/http1/forward.hpp"
#include "proxy/http1/head.hpp"
#include "proxy/http1/meaning.hpp"
#include "proxy/state/buffer.hpp"

namespace {

constexpr std::string_view request_text =
    "GET / HTTP/1.1\r\n"
    "Host: 127.0.0.1:8080\r\n"
    "User-Agent: wrk/4.1.0\r\n"
    "Accept: */*\r\n"
    "\r\n";

constexpr std::string_view response_text =
    "HTTP/1.1 200 OK\r\n"
    "Server: nginx/1.22.1\r\n"
    "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    "Content-Type: text/plain\r\n"
    "Content-Length: 13\r\n"
    "Connection: keep-alive\r\n"
    "\r\n";

struct Pair {
  baton::http1::RequestHead request;
  baton::http1::RequestMeaning request_meaning;
  baton::http1::ResponseHead response;
  baton::http1::ResponseMeaning response_meaning;

  static bool find() {
    std::uint32_t scanned = 0;
    if (baton::http1::find_head_end(request_text, scanned).bytes != request_text.size()) return false;
    scanned = 0;
    return baton::http1::find_head_end(response_text, scanned).bytes == response_text.size();
  }

  bool read() {
    if (parse_request_head(request_text, {.uri_bytes = 8192, .fields = 100}, request)) return false;
    request_meaning = baton::http1::request_meaning(request);
    if (parse_response_head(response_text, {.uri_bytes = 0, .fields = 100}, response)) return false;
    response_meaning = baton::http1::response_meaning(response, request.method);
    return !request_meaning.error && !response_meaning.error;
  }

  std::size_t write() const {
    baton::state::Buffer to_upstream;
    baton::state::Buffer to_client;
    write_request_head(request, request_meaning, {.client_address = "127.0.0.1"}, to_upstream);
    write_response_head(response, {}, to_client);
    return to_upstream.size() + to_client.size();
  }
};

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "all";
  const long rounds = argc > 2 ? std::atol(argv[2]) : 1'000'000;
  Pair pair;
  if (!pair.read()) return 1;
  std::size_t written = pair.write();
  for (long round = 0; round < rounds; ++round) {
    if ((what == "find" || what == "all") && !Pair::find()) return 1;
    if ((what == "read" || what == "all") && !pair.read()) return 1;
    if (what == "write" || what == "all") written += pair.write();
  }
  std::printf("%zu bytes written\n", written);
  return 0;
}
