#include "demo/half_head_client.hpp"

namespace baton::demo {

void HalfHeadClient::upgrade_passed() {
  if (half_asked()) ask_rest();
}

}  // namespace baton::demo
