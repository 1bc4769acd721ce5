// What every Origin answers, by the first segment of the path. N is a decimal number.
//
//   /bytes/N      N bytes of `pattern`, with Content-Length
//   /chunked/N    the same in chunks of at most 1000 bytes
//   /until-close/N the same, ended by FIN
//   /trailers     chunked "hello" with a trailer X-Checksum
//   /echo         the request's head, as received, and its decoded body, as text; trailers as "trailer NAME: VALUE"
//   /count        how many bytes the body had, and whether they were `pattern`: "N as sent" or "N changed"
//   /status/N     that status with an empty body
//   /held         waits at the gate, then answers "held"
//   /half/N       the head and half of N bytes of `pattern`, waits at the gate, then the rest
//   /half-chunked/N the same in two chunks
//   /early        a final 403 before it has read the body; then the rest of the body is read
//   /continue     100, then reads the body and answers its length
//   /interim      103 with a Link field, then 200
//   /vanish       FIN without an answer
//   /reset/N      Content-Length twice N, N bytes, waits at the gate, RST
//   /websocket    101, then every byte comes back until FIN, which is answered by FIN
//   /no-websocket answers an upgrade by a plain 200
#pragma once

#include <map>
#include <string>

#include "harness/origin.hpp"

namespace baton::harness {

std::map<std::string, Answer> built_in_answers();

}  // namespace baton::harness
