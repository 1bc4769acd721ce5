// Which of OpenSSL's memory lasts as long as its connection.
#pragma once

namespace baton::tls {

// As long as it lives, what OpenSSL allocates in this thread comes from the memory of states. In the heap, what an idle
// connection keeps would lie in the gaps that handshakes leave, and most of what is left of a gap is of no use.
class Lasting {
 public:
  Lasting() { is_here = true; }
  ~Lasting() { is_here = false; }
  Lasting(const Lasting&) = delete;
  Lasting& operator=(const Lasting&) = delete;

  static inline constinit thread_local bool is_here = false;
};

}  // namespace baton::tls
