#include <fmt/format.h>

#include <array>
#include <boost/asio/write.hpp>

#include "clients/chunks.hpp"
#include "clients/content.hpp"
#include "clients/dialogue.hpp"
#include "demo/behaviours.hpp"

namespace baton::demo {

namespace asio = boost::asio;

namespace {

// A body that is compared as it arrives.
class Upload {
 public:
  Upload(std::string_view target, std::optional<std::uint64_t> length) : content_(target), length_(length) {}

  // What is wrong with it; empty: nothing so far.
  std::string take(std::string_view bytes) {
    std::string data;
    if (length_) {
      data = bytes;
    } else if (!chunks_.read(bytes, data)) {
      return "broken chunks";
    }
    if (!content_.matches(received_bytes_, data)) return fmt::format("wrong bytes after the first {}", received_bytes_);
    received_bytes_ += data.size();
    digest_.add(data);
    return length_ && received_bytes_ > *length_ ? "more than announced" : "";
  }

  bool complete() const { return length_ ? received_bytes_ == *length_ : chunks_.ended(); }
  std::string receipt() const { return clients::upload_receipt(received_bytes_, digest_); }

 private:
  clients::Content content_;
  std::optional<std::uint64_t> length_;
  clients::ChunkReader chunks_;
  std::uint64_t received_bytes_ = 0;
  clients::Digest digest_;
};

}  // namespace

asio::awaitable<void> take_upload(Wire& client, std::string target, std::optional<std::uint64_t> length,
                                  std::string begun) {
  Upload upload(target, length);
  std::string wrong = upload.take(begun);
  std::array<char, 32 * 1024> bytes;
  while (wrong.empty() && !upload.complete()) {
    const auto [error, count] = co_await client.async_read_some(asio::buffer(bytes), as_result);
    if (error) co_return;
    wrong = upload.take({bytes.data(), count});
  }
  const std::string text = wrong.empty() ? upload.receipt() : wrong + "\n";
  const std::string answer = fmt::format(
      "HTTP/1.1 {}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n{}: {}\r\n\r\n{}",
      wrong.empty() ? "200 OK" : "422 Unprocessable Content", text.size(), clients::echo_field, target, text);
  co_await asio::async_write(client, asio::buffer(answer), as_result);
}

}  // namespace baton::demo
