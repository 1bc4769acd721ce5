#include "neighbour.hpp"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <map>
#include <set>
#include <stdexcept>
#include <vector>

#include "handoff/handoff.pb.h"

namespace baton::versions {

namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

// What rewriting a message requires: which fields are messages, and which may be missing.
struct Shape {
  std::map<int, const Shape*> messages = {};
  std::set<int> optional = {};
};

// ── state.proto ───────────────────────────────────────────────────────────────────────────────────────────────────

const Shape plain;
const Shape framing{.messages = {{1, &plain}, {2, &plain}, {3, &plain}, {4, &plain}}};
const Shape request{.messages = {{1, &framing}}};
const Shape upstream_leg{.messages = {{1, &plain}, {3, &plain}}, .optional = {4}};
const Shape awaiting{.optional = {2}};
const Shape connecting{.messages = {{1, &request}}, .optional = {3, 4}};
const Shape response_awaited{.optional = {1, 2}};
const Shape response_relayed{.messages = {{1, &framing}}};
const Shape relaying{.messages = {{1, &request}, {6, &response_awaited}, {7, &response_relayed}}, .optional = {4}};
const Shape http1{.messages = {{1, &awaiting}, {2, &connecting}, {3, &relaying}, {4, &plain}, {5, &plain}, {7, &plain}},
                  .optional = {6, 7}};
const Shape tunnel{.messages = {{1, &plain}}, .optional = {1, 3}};
const Shape leg{.messages = {{120, &plain}}};
const Shape side{.messages = {{1, &leg}, {2, &http1}, {3, &tunnel}, {4, &upstream_leg}}};
const Shape hpack_table{.messages = {{3, &plain}}};
const Shape frames{.messages = {{1, &hpack_table}}};
const Shape http2{.messages = {{1, &frames}, {2, &side}}};
const Shape connection{
    .messages = {{3, &plain}, {4, &leg}, {5, &upstream_leg}, {6, &http1}, {7, &tunnel}, {120, &http2}}};
const Shape idle_upstream{.messages = {{2, &plain}}};
const Shape moved{.messages = {{1, &connection}, {2, &idle_upstream}}};

// Written last, so that a payload cut anywhere lacks it: a newer version's fields come before it.
constexpr int end_mark = 536870911;

// ── handoff.proto ─────────────────────────────────────────────────────────────────────────────────────────────────

const Shape hello{.optional = {3, 6, 7}};
const Shape inherit{.messages = {{1, &plain}, {2, &plain}}, .optional = {3, 4}};
const Shape parcel{.messages = {{5, &moved}}};
const Shape offer{.messages = {{1, &parcel}}};
const Shape refusal{.optional = {2}};
const Shape adopted{.messages = {{2, &refusal}}};
const Shape report{.messages = {{1, &plain}, {2, &plain}}};
const Shape done{.messages = {{1, &plain}, {2, &report}}, .optional = {1, 2}};
const Shape abort_record{.optional = {1, 2}};

const Shape& shape_of(handoff::Kind kind) {
  using handoff::Kind;
  static const std::map<Kind, const Shape*> shapes{{Kind::hello, &hello}, {Kind::inherit, &inherit},
                                                   {Kind::offer, &offer}, {Kind::adopted, &adopted},
                                                   {Kind::done, &done},   {Kind::abort, &abort_record}};
  const auto found = shapes.find(kind);
  return found == shapes.end() ? plain : *found->second;
}

// ── The wire format ───────────────────────────────────────────────────────────────────────────────────────────────

struct Field {
  int number;
  std::string_view whole;    // including the tag
  std::string_view content;  // of what has a length
};

std::vector<Field> fields_of(std::string_view message) {
  std::vector<Field> fields;
  CodedInputStream in(reinterpret_cast<const std::uint8_t*>(message.data()), static_cast<int>(message.size()));
  for (;;) {
    const auto begin = static_cast<std::size_t>(in.CurrentPosition());
    const std::uint32_t tag = in.ReadTag();
    if (tag == 0) return fields;
    Field field{WireFormatLite::GetTagFieldNumber(tag), {}, {}};
    const bool has_length = WireFormatLite::GetTagWireType(tag) == WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
    std::uint32_t length = 0;
    if (has_length ? !in.ReadVarint32(&length) || !in.Skip(static_cast<int>(length))
                   : !WireFormatLite::SkipField(&in, tag)) {
      throw std::runtime_error("a record that cannot be read");
    }
    const auto end = static_cast<std::size_t>(in.CurrentPosition());
    field.whole = message.substr(begin, end - begin);
    field.content = message.substr(end - length, length);
    fields.push_back(field);
  }
}

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

void put_message(std::string& out, int number, std::string_view content) {
  put_varint(out, WireFormatLite::MakeTag(number, WireFormatLite::WIRETYPE_LENGTH_DELIMITED));
  put_varint(out, content.size());
  out += content;
}

// One field of each wire type of proto3, under numbers that no version will use soon.
std::string unknown_fields() {
  std::string out;
  put_varint(out, WireFormatLite::MakeTag(4001, WireFormatLite::WIRETYPE_VARINT));
  put_varint(out, 77);
  put_varint(out, WireFormatLite::MakeTag(4002, WireFormatLite::WIRETYPE_FIXED64));
  out += "12345678";
  put_message(out, 4003, "what only the future understands");
  put_varint(out, WireFormatLite::MakeTag(4005, WireFormatLite::WIRETYPE_FIXED32));
  out += "1234";
  return out;
}

std::string grown(std::string_view message, const Shape& shape) {
  std::string out, end;
  for (const Field& field : fields_of(message)) {
    const auto nested = shape.messages.find(field.number);
    if (nested != shape.messages.end()) {
      put_message(out, field.number, grown(field.content, *nested->second));
    } else {
      (field.number == end_mark ? end : out) += field.whole;
    }
  }
  return out + unknown_fields() + end;
}

std::string shrunk(std::string_view message, const Shape& shape) {
  std::string out;
  for (const Field& field : fields_of(message)) {
    if (shape.optional.contains(field.number)) continue;
    const auto nested = shape.messages.find(field.number);
    if (nested != shape.messages.end()) {
      put_message(out, field.number, shrunk(field.content, *nested->second));
    } else {
      out += field.whole;
    }
  }
  return out;
}

}  // namespace

std::string as_newer(handoff::Kind kind, std::string_view record) {
  std::string ours(record);
  if (kind == handoff::Kind::hello) {
    handoff::wire::Hello greeting;
    greeting.ParseFromString(ours);
    greeting.set_protocol_max(greeting.protocol_max() + 98);
    greeting.add_features("time travel");
    greeting.add_features("");
    ours = greeting.SerializeAsString();
  }
  return grown(ours, shape_of(kind));
}

std::string as_older(handoff::Kind kind, std::string_view record) {
  return shrunk(record, shape_of(kind));
}

}  // namespace baton::versions
