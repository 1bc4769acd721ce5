// Decodes the header blocks of a browser's requests, or encodes a response's head, the given number of times; with
// `nghttp2` behind, by nghttp2's codec. Run it under callgrind with two counts: the difference, divided by that of the
// counts, is the instructions of one.
//
//   valgrind --tool=callgrind --callgrind-out-file=/dev/null hpack_bench first|next|encode 1000 [nghttp2]
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "proxy/http2/hpack_decoder.hpp"
#include "proxy/http2/hpack_encoder.hpp"
#include "proxy/http2/judge.hpp"

namespace {

using namespace baton;
using http2::judge::Fields;

Fields request(const char* path) {
  return {{":method", "GET", false},
          {":scheme", "https", false},
          {":authority", "www.example.com", false},
          {":path", path, false},
          {"user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", false},
          {"accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", false},
          {"accept-language", "en-US,en;q=0.5", false},
          {"accept-encoding", "gzip, deflate, br, zstd", false},
          {"referer", "https://www.example.com/articles/2024/index.html", false},
          {"cookie", "session=0123456789abcdef0123456789abcdef", false},
          {"sec-fetch-dest", "document", false},
          {"sec-fetch-mode", "navigate", false},
          {"sec-fetch-site", "same-origin", false}};
}

const Fields response{{":status", "200", false},
                      {"server", "nginx/1.22.1", false},
                      {"date", "Sun, 06 Nov 1994 08:49:37 GMT", false},
                      {"content-type", "text/plain", false},
                      {"content-length", "13", false},
                      {"x-request-id", "0192f0c1-7d3a-7bb2-a1f0-3c5d9e8b7a60", false}};

std::size_t decode(const std::string& first, const std::string& next, bool is_first, long rounds) {
  http2::HeaderList list;
  state::HpackTable table;
  std::size_t sum = 0;
  if (!is_first) decode_block(first, table, 32 * 1024, list);
  for (long round = 0; round < rounds; ++round) {
    if (is_first) table = {};
    if (decode_block(is_first ? first : next, table, 32 * 1024, list) != http2::BlockError::none) std::abort();
    sum += list.fields().size();
  }
  return sum;
}

std::size_t decode_by_nghttp2(const std::string& first, const std::string& next, bool is_first, long rounds) {
  http2::judge::Inflater inflater;
  std::size_t sum = 0;
  if (!is_first) inflater.count(first);
  for (long round = 0; round < rounds; ++round) {
    if (is_first) inflater = http2::judge::Inflater();
    sum += inflater.count(is_first ? first : next);
  }
  return sum;
}

std::size_t encode(long rounds) {
  state::Buffer out;
  std::size_t sum = 0;
  for (long round = 0; round < rounds; ++round) {
    http2::append_status(out, 200);
    for (auto field = response.begin() + 1; field != response.end(); ++field) {
      http2::append_field(out, std::get<0>(*field), std::get<1>(*field));
    }
    sum += out.size();
    out.consume(out.size());
  }
  return sum;
}

std::size_t encode_by_nghttp2(long rounds) {
  http2::judge::Deflater deflater(4096);
  http2::judge::Deflater::List list(response);
  std::string block;
  std::size_t sum = 0;
  for (long round = 0; round < rounds; ++round) {
    deflater.encode(list, block);
    sum += block.size();
  }
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "next";
  const long rounds = argc > 2 ? std::atol(argv[2]) : 1'000'000;
  const bool by_nghttp2 = argc > 3;
  std::size_t sum = 0;
  if (what == "encode") {
    sum = by_nghttp2 ? encode_by_nghttp2(rounds) : encode(rounds);
  } else {
    http2::judge::Deflater browser(4096);
    const std::string first = browser.encode(request("/")),
                      next = browser.encode(request("/articles/2024/hpack?page=2"));
    sum = (by_nghttp2 ? decode_by_nghttp2 : decode)(first, next, what == "first", rounds);
  }
  std::printf("%zu\n", sum);
  return 0;
}
