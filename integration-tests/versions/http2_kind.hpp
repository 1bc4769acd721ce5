// The kind of connection that HTTP/2 brought: an upload and a download in their middle, and half of a third request.
#pragma once

#include "kinds.hpp"

namespace baton::versions {

// `body` is that of the upload and the download, of which `passed` bytes have passed.
ConnectionKind http2_kind(const std::string& body, std::size_t passed);

}  // namespace baton::versions
