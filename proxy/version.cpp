#include "proxy/version.hpp"

namespace baton {

const char* version() {
  return BATON_VERSION;
}

}  // namespace baton
