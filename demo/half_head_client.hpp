// Sends half a request head, and the rest only after an upgrade; then starts the next one.
#pragma once

#include "demo/http_client.hpp"

namespace baton::demo {

class HalfHeadClient final : public HttpClient {
 public:
  using HttpClient::HttpClient;
  void upgrade_passed() override;
  void show_life() override { upgrade_passed(); }

 private:
  void on_open() override { ask_half(); }
  void on_answer() override { ask_half(); }
};

}  // namespace baton::demo
