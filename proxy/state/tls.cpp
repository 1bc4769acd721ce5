#include "proxy/state/tls.hpp"

#include <strings.h>

#include <cstring>

namespace baton::state {

TlsSecrets::~TlsSecrets() { ::explicit_bzero(this, sizeof *this); }

}  // namespace baton::state
