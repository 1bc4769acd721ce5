// A client around an upgrade: it is in the middle of something when the upgrade comes, and knows every byte that it
// must get afterwards. It uses a single socket throughout.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "harness/client.hpp"

namespace baton::harness {

class Talk {
 public:
  virtual ~Talk() = default;
  virtual void begin_turn() = 0;
  virtual void end_turn() = 0;       // throws at any wrong byte
};

using Talks = std::vector<std::unique_ptr<Talk>>;

// For the line counter: half a line; whole lines whose answers are not read.
Talks talk_in_lines(const Address& server);
// For the echo server: a few bytes; so many that they wait in the server.
Talks talk_to_an_echo(const Address& server);
// For the web server: idle, half a head, half a body, pipelined requests; a WebSocket with half a frame, with a ping.
Talks talk_to_the_web(const Address& server);

// A WebSocket that the server has accepted.
std::unique_ptr<Client> open_web_socket(const Address& server);
// A frame as a client sends it; `first` is its first byte: FIN and opcode.
std::string frame(unsigned char first, const std::string& payload);
// The next frame must be a text with this payload.
void expect_text(Client& client, const std::string& payload);

}  // namespace baton::harness
