// A process with little memory, and clients that ask for much: some are cut, and everything else continues.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <fstream>
#include <list>

#include "harness/baton.hpp"
#include "harness/deadline.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

constexpr rlim_t free_bytes = 48 << 20;        // for a few of the readers' buffers
constexpr int readers = 120;

rlim_t address_space_of(pid_t pid) {
  std::ifstream statm("/proc/" + std::to_string(pid) + "/statm");
  rlim_t pages = 0;
  statm >> pages;
  return pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE));
}

void send_without_end(Exchange& exchange) {
  exchange.stream.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n");
  const std::string block = pattern(64 * 1024);
  while (exchange.stream.send_what_goes(block) == block.size()) {
  }
  exchange.close = true;
}

TEST(MemoryLimit, SlowReadersAreCutAndOthersAreServed) {
  Origin origin;
  origin.on("/endless", send_without_end);
  Settings settings(origin.address());
  settings.limits = "buffer_bytes: 4m";
  settings.workers = 1;
  Baton baton(settings);
  const pid_t pid = baton.pid();
  Client idle = baton.connect();
  idle.get("/bytes/1");
  const rlim_t most = address_space_of(pid) + free_bytes;
  const rlimit limit{most, most};
  ASSERT_EQ(::prlimit(pid, RLIMIT_AS, &limit, nullptr), 0);

  std::list<Client> slow;
  for (int i = 0; i < readers; ++i) slow.emplace_back(baton.address()).send(get_request("/endless"));
  baton.await_log(std::regex("the connection of .* is reset: there is no memory"));
  // A client that comes while memory is short may be cut as well; the next one is served.
  await([&] {
    try {
      return baton.connect().get("/bytes/100").body == pattern(100);
    } catch (const ConnectionEnded&) {
      return false;
    }
  }, "a newcomer to be served");
  slow.clear();
  EXPECT_EQ(idle.get("/bytes/2").body, pattern(2)) << "nothing was done for it, so it cannot have failed";
  EXPECT_EQ(baton.connect().get("/bytes/3").body, pattern(3));
  EXPECT_GE(baton.number("aborted_total"), 1);
  EXPECT_EQ(baton.pid_in_file(), pid);
}

}  // namespace
}  // namespace baton::harness
