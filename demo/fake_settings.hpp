// What the demo's configuration tells the stand-in for baton.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

namespace baton::demo {

// A listener or an upstream.
struct Place {
  std::string name;
  std::uint16_t port = 0;
  std::string upstream;  // of a tcp listener
  bool has_tls = false;
};

struct Settings {
  std::vector<Place> listeners;
  std::vector<Place> upstreams;
  std::string route;
  std::string certificate_path, key_path;
  std::string admin_path, pid_path;
};

[[noreturn]] inline void die(const std::string& why) {
  std::cerr << "fake baton: " << why << '\n';
  std::_Exit(1);
}

// Reads only the lines that the demo writes.
inline Settings read_settings(const std::string& path) {
  Settings settings;
  std::vector<Place>* places = &settings.listeners;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const auto after = [&line](const std::string& key) {
      const auto at = line.find(key);
      return at == std::string::npos ? std::string() : line.substr(at + key.size());
    };
    const auto first_word = [](const std::string& text) { return text.substr(0, text.find_first_of(", ")); };
    const auto port = [](const std::string& text) { return static_cast<std::uint16_t>(std::stoi(text)); };
    if (line == "upstreams:") places = &settings.upstreams;
    if (const auto text = after("  - name: "); !text.empty()) places->push_back({.name = text});
    if (const auto text = after("bind: 127.0.0.1:"); !text.empty()) places->back().port = port(text);
    if (const auto text = after("address: 127.0.0.1:"); !text.empty()) places->back().port = port(text);
    if (const auto text = after("    upstream: "); !text.empty()) places->back().upstream = text;
    if (line.starts_with("    tls:")) places->back().has_tls = true;
    if (const auto text = after("cert: "); !text.empty()) settings.certificate_path = first_word(text);
    if (const auto text = after("key: "); !text.empty()) settings.key_path = first_word(text);
    if (const auto text = after("  - upstream: "); !text.empty()) settings.route = text;
    if (const auto text = after("bind: unix:"); !text.empty()) settings.admin_path = text;
    if (const auto text = after("pid_file: "); !text.empty()) settings.pid_path = text;
  }
  return settings;
}

}  // namespace baton::demo
