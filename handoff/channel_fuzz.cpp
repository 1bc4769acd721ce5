// For any bytes, in any pieces, with any descriptors, the channel yields whole frames within the limits or an error,
// and leaks no descriptor.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "handoff/channel.hpp"
#include "handoff/limits.hpp"

namespace {

using namespace baton::handoff;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

int lowest_free_descriptor() {
  const int number = ::dup(STDERR_FILENO);
  ::close(number);
  return number;
}

void write_piece(int socket, std::string_view bytes, int descriptors) {
  iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 8)];
  if (descriptors != 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * static_cast<std::size_t>(descriptors));
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int) * static_cast<std::size_t>(descriptors));
    for (int i = 0; i < descriptors; ++i) {
      const int number = STDERR_FILENO;
      std::memcpy(CMSG_DATA(rights) + static_cast<std::size_t>(i) * sizeof(int), &number, sizeof number);
    }
  }
  (void)::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void run(std::string_view input) {
  int ends[2];
  require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "no socket pair");
  const UniqueFd writer(ends[0]);
  Channel reader{UniqueFd(ends[1])};
  // Each piece: a byte for its length and its descriptors, then that many bytes (0: all the rest).
  while (!input.empty()) {
    const auto how = static_cast<unsigned char>(input[0]);
    input.remove_prefix(1);
    const std::size_t length = (how & 31) == 0 ? input.size() : std::min<std::size_t>(how & 31, input.size());
    if (length == 0) break;
    write_piece(writer.get(), input.substr(0, length), how >> 5);
    input.remove_prefix(length);
    // Sometimes read before the rest is written, so that frames arrive in parts.
    if ((how & 1) != 0) (void)reader.wait({}, Clock::now());
  }
  ::shutdown(writer.get(), SHUT_WR);
  for (;;) {
    const auto frame = reader.receive(no_deadline);
    if (!frame) {
      require(frame.error().fault == Fault::closed || frame.error().fault == Fault::malformed, "an odd fault");
      return;
    }
    require(frame->record.size() <= limits::record_bytes_max, "a record over the limit");
    require(frame->secrets.size() <= limits::secret_bytes_max, "secrets over the limit");
    require(frame->descriptors.size() <= 7 && !frame->descriptors_lost, "descriptors from nowhere");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const int before = lowest_free_descriptor();
  run({reinterpret_cast<const char*>(data), size});
  require(lowest_free_descriptor() == before, "a descriptor is left behind");
  return 0;
}
