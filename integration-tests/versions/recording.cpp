#include "recording.hpp"

#include <charconv>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace baton::versions {

namespace {

constexpr std::string_view digits = "0123456789abcdef";

std::string escaped(std::string_view bytes) {
  std::string text;
  for (const char character : bytes) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\') {
      text += character;
    } else {
      text += {'\\', 'x', digits[byte >> 4], digits[byte & 0xf]};
    }
  }
  return text;
}

std::string unescaped(std::string_view text) {
  std::string bytes;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\') {
      bytes += text[at];
      continue;
    }
    unsigned byte = 0;
    const char* const end = text.data() + std::min(at + 4, text.size());
    if (at + 4 > text.size() || std::from_chars(text.data() + at + 2, end, byte, 16).ptr != end) {
      throw std::runtime_error("a broken escape");
    }
    bytes += static_cast<char>(byte);
    at += 3;
  }
  return bytes;
}

handoff::Kind kind_called(const std::string& name) {
  for (auto kind = handoff::Kind::hello; kind <= handoff::Kind::abort;
       kind = static_cast<handoff::Kind>(static_cast<int>(kind) + 1)) {
    if (name == handoff::kind_name(kind)) return kind;
  }
  throw std::runtime_error("no kind is called " + name);
}

RecordedFrame frame_in(const std::string& line) {
  RecordedFrame frame;
  std::istringstream words(line);
  std::string from, kind;
  if (!(words >> from >> kind >> frame.descriptors) || (from != "P" && from != "S")) {
    throw std::runtime_error("not a frame");
  }
  frame.from = from == "P" ? From::predecessor : From::successor;
  frame.kind = kind_called(kind);
  const std::size_t begin = line.find('"');
  const std::size_t end = line.rfind('"');
  if (begin == std::string::npos || begin == end) throw std::runtime_error("a record without quotes");
  frame.record = unescaped(std::string_view(line).substr(begin + 1, end - begin - 1));
  return frame;
}

}  // namespace

std::string to_line(const RecordedFrame& frame) {
  return std::string(frame.from == From::predecessor ? "P " : "S ") + handoff::kind_name(frame.kind) + " " +
         std::to_string(frame.descriptors) + " \"" + escaped(frame.record) + "\"";
}

std::vector<RecordedFrame> read_recording(const std::string& path) {
  std::vector<RecordedFrame> frames;
  std::ifstream in(path);
  if (!in) throw std::runtime_error("there is no recording " + path);
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.empty() || line.front() == '#') continue;
    try {
      frames.push_back(frame_in(line));
    } catch (const std::runtime_error& error) {
      throw std::runtime_error(path + ":" + std::to_string(number) + ": " + error.what());
    }
  }
  return frames;
}

std::vector<RecordedFrame> frames_of(const std::vector<RecordedFrame>& recording, From from) {
  std::vector<RecordedFrame> frames;
  for (const RecordedFrame& frame : recording) {
    if (frame.from == from) frames.push_back(frame);
  }
  return frames;
}

}  // namespace baton::versions
