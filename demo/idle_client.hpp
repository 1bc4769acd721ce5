// Stays idle through all upgrades, like most connections of a real server. Every other one sends a request at the
// beginning; the rest send their first byte at the very end.
#pragma once

#include "demo/http_client.hpp"

namespace baton::demo {

class IdleClient final : public HttpClient {
 public:
  using HttpClient::HttpClient;

  void show_life() override;

 private:
  void on_open() override;
  void on_answer() override {}
};

}  // namespace baton::demo
