// The sockets of a client's streams, while their connection moves.
#include <algorithm>

#include "proxy/worker/http2_stream.hpp"

namespace baton::proxy {

bool Http2Side::watch() {
  return std::ranges::all_of(streams_, [](const auto& one) {
    tls::Stream* const upstream = one->runner.upstream().connected();
    return upstream == nullptr || upstream->watch();
  });
}

void Http2Side::freeze() {
  remove_finished();
  for (const auto& one : streams_) {
    worker_.deadlines().clear(*one);
    one->runner.freeze();
    one->is_touched = true;
  }
}

void Http2Side::note_shared() {
  for (const auto& one : streams_) {
    if (tls::Stream* const upstream = one->runner.upstream().connected()) upstream->socket().note_shared();
  }
}

void Http2Side::let_go() {
  for (const auto& one : streams_) {
    if (tls::Stream* const upstream = one->runner.upstream().connected()) upstream->socket().release();
    one->runner.upstream().let_go();
  }
}

void Http2Side::was_never_ours() {
  for (const auto& one : streams_) one->runner.upstream().let_go();
}

}  // namespace baton::proxy
