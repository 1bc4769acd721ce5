#include "demo/idle_client.hpp"

namespace baton::demo {

void IdleClient::on_open() {
  if (number() % 2 == 0) ask();
}

void IdleClient::show_life() {
  if (waiting()) ask();
}

}  // namespace baton::demo
