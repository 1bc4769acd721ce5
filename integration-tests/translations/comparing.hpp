// Sends the same requests through an original proxy and through Baton, each before servers of its own that record what
// they get, and puts into text what client and servers saw.
#pragma once

#include <functional>
#include <iosfwd>
#include <set>
#include <string>
#include <vector>

#include "translations/page.hpp"
#include "translations/proxies.hpp"

namespace baton::harness {

struct Ask {
  std::string target = "/";
  std::string fields = {};  // lines, each with its CRLF; a Host, unless there is one
  std::string method = "GET";
  std::string body = {};
  std::string from = "127.0.0.1";
  int port = 8080;
  std::string before = {};  // bytes before the request: a PROXY header
  std::string raw = {};     // instead of all of the above but the target
  bool tls = false;
};

enum class By {
  exchange,     // everything, in order
  shares,       // how many requests each server got
  affinity,     // which of the requests went to the same server
  connections,  // how many connections each server got, for requests one after the other on one connection
  reached,      // which server a connection reached; its bytes are `before` alone
  cookie,       // whether the cookie that a client gets brings it back to its server
  at_a_time,    // how many requests at most a server has at a time, if all come at once
};

struct Case {
  std::string heading;
  std::vector<Ask> asks;
  By by = By::exchange;
  // Fields that differ, and why the page says that they do.
  std::set<std::string> but = {};
  // Whether answers of the proxy's own are compared with their text and its type, too.
  bool own_text = false;
  // Whether such answers have another status, as the page says.
  bool other_status = false;
  // Probes of health that a server must have got first.
  std::size_t probes = 0;
  // Fields that are compared although they differ elsewhere.
  std::set<std::string> also = {};
};
void PrintTo(const Case& one, std::ostream* out);

// What happens with the proxy in front; `log` gets what the proxy wrote.
std::string seen_through(const Start& start, const std::string& snippet, const Case& one, std::string& log);

// Runs the case of that heading with both and expects the same.
void expect_same(const Start& start, const Pair& pair, const std::vector<Case>& cases);

// Every pair of the page has requests here, and all requests have their pair.
void expect_complete(const std::vector<Pair>& pairs, const std::vector<Case>& cases);

}  // namespace baton::harness
