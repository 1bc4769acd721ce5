#include "demo/download_client.hpp"

#include <fmt/format.h>

#include <charconv>

#include "clients/dialogue.hpp"

namespace baton::demo {

namespace asio = boost::asio;

namespace {

constexpr std::size_t slow_read_bytes = 4 * 1024;
constexpr std::chrono::milliseconds slow_pause{40};

// More than the kernels' and the proxy's buffers together can hold.
constexpr std::uint64_t beyond_all_buffers = 12u << 20;

}  // namespace

DownloadClient::DownloadClient(asio::io_context& context, const Entrance& server, unsigned number, Account& account)
    : DownloadClient(context, server, number, account, fmt::format("{}{}", clients::download_prefix, number), 1) {}

DownloadClient::DownloadClient(asio::io_context& context, const Entrance& server, unsigned number, Account& account,
                               std::string target, std::uint64_t last_bytes)
    : StreamClient(context, server, number, account, target), content_(target), last_bytes_(last_bytes) {}

std::string DownloadClient::judge(const Head& head) {
  if (head["Content-Length"] != std::to_string(clients::download_bytes)) return "another length";
  return judge_status(head.result_int(), 200);
}

void DownloadClient::on_body(std::string_view bytes) {
  if (!content_.matches(received_bytes_, bytes)) {
    return fail(Trouble::wrong_answer, fmt::format("wrong bytes after the first {}", received_bytes_));
  }
  received_bytes_ += bytes.size();
  account().add_bytes(bytes.size());
  be_patient();
  if (finishing() && received_bytes_ >= enough_) prove();
}

SlowReader::SlowReader(asio::io_context& context, const Entrance& server, unsigned number, Account& account)
    : DownloadClient(context, server, number, account, fmt::format("{}{}", clients::flood_prefix, number),
                     beyond_all_buffers),
      timer_(context) {}

void SlowReader::read_on() {
  if (finishing()) return receive(4 * read_bytes);
  timer_.expires_after(slow_pause);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error && !over()) receive(slow_read_bytes);
  });
}

}  // namespace baton::demo
