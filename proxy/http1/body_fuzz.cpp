// A body cut anywhere is read like the whole one; Boost.Beast decodes the chunked bodies that we accept identically.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "proxy/http1/body.hpp"
#include "proxy/http1/judge.hpp"

namespace {

using namespace baton;
using http1::BodyStatus;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

struct Outcome {
  explicit Outcome(http1::Sender from) : sender(from) {}

  http1::Sender sender;
  state::BodyFraming framing = state::ByChunks{};
  std::string payload;
  std::string passed_on;                // without what is dropped
  std::string without_extensions;
  std::string kinds;  // one letter for each byte
  std::size_t bytes = 0;
  BodyStatus status = BodyStatus::more;

  bool operator==(const Outcome&) const = default;

  // False: the body is over or malformed.
  bool feed(std::string_view input) {
    for (;;) {
      const http1::BodyPiece piece = http1::consume_body(framing, input, sender);
      require(piece.bytes <= input.size(), "more was consumed than there was");
      for (const char c : input.substr(0, piece.bytes)) note(c, piece);
      bytes += piece.bytes;
      input.remove_prefix(piece.bytes);
      status = piece.status;
      if (status != BodyStatus::more) return false;
      if (piece.bytes == 0) {
        require(input.empty(), "nothing was consumed of something");
        return true;
      }
    }
  }

 private:
  bool in_extension_ = false;

  void note(char c, const http1::BodyPiece& piece) {
    const bool is_payload = piece.payload;
    kinds += is_payload ? 'p' : piece.dropped ? 'b' : 'f';
    if (piece.dropped) return;
    passed_on += c;
    if (is_payload) payload += c;
    if (!is_payload && c == ';') in_extension_ = true;
    if (c == '\r') in_extension_ = false;
    if (!in_extension_) without_extensions += c;
  }
};

}  // namespace

// The first byte gives the distance between cuts and the sender; the rest is the body.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t step = 1 + data[0] % 16;
  const std::string_view body{reinterpret_cast<const char*>(data) + 1, size - 1};

  const auto sender = data[0] / 16 % 2 == 0 ? http1::Sender::client : http1::Sender::server;
  Outcome whole(sender);
  whole.feed(body);
  Outcome cut(sender);
  for (std::size_t at = 0; at < body.size() && cut.feed(body.substr(at, step)); at += step) {
  }
  require(whole == cut, "cuts change the outcome");
  if (whole.status != BodyStatus::trailers) return 0;

  // Beast requires a grammar inside extensions, which mean nothing to us, so it is shown such bodies without them.
  auto theirs = http1::judge::decode_chunked(whole.passed_on + "\r\n");
  if (!theirs) theirs = http1::judge::decode_chunked(whole.without_extensions + "\r\n");
  require(theirs.has_value(), "Beast refuses a body that we accept");
  require(*theirs == whole.payload, "Beast decodes another payload");
  return 0;
}
