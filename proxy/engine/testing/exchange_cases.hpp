// Conversations and what each side must see of them: a table that several tests run through.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "proxy/engine/testing/dialogue.hpp"

namespace baton::engine {

struct Case {
  std::string name;
  Script script;
  Seen expected;
  std::function<void(Dialogue&)> prepare = [](Dialogue&) {};
  // An abandoned upstream has received what had been sent by then, which depends on how the steps are split.
  bool given_up = false;
};

std::vector<Case> cases_of_framing();
std::vector<Case> cases_of_switching();
std::vector<Case> cases_of_failing();
std::vector<Case> cases_of_answering();

inline std::vector<Case> all_cases() {
  std::vector<Case> all = cases_of_framing();
  for (auto cases : {cases_of_switching, cases_of_failing, cases_of_answering}) {
    for (Case& one : cases()) all.push_back(std::move(one));
  }
  return all;
}

// "GET / HTTP/1.1" with Host and `fields` as the client sends it, and as the upstream gets it.
std::string request(const std::string& line, const std::string& fields = "");
std::string forwarded(const std::string& line, const std::string& fields = "");
// A whole error response of our own, the last on its connection or not.
std::string own(std::uint16_t status, bool head_only = false);
std::string kept(std::uint16_t status, bool head_only = false, bool announced = false);

// What most conversations begin with.
inline const std::string get = request("GET / HTTP/1.1");
inline const std::string get_forwarded = forwarded("GET / HTTP/1.1");
inline const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
inline const std::string ok_empty = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
inline const std::string chunked_fields = "Transfer-Encoding: chunked\r\n";

}  // namespace baton::engine
