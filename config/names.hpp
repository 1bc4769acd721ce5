// The names of enum values, in the order in which messages offer them.
#pragma once

#include <algorithm>
#include <iterator>
#include <string_view>

#include "config/config.hpp"

namespace baton::config {

template <class Value>
struct Name {
  std::string_view text;
  Value value;
};

inline constexpr Name<Protocol> protocols[] = {{"http", Protocol::http}, {"tcp", Protocol::tcp}};

inline constexpr Name<TlsMinimum> tls_minimums[] = {{"1.2", TlsMinimum::tls12}, {"1.3", TlsMinimum::tls13}};

inline constexpr Name<ClientAuth> client_auths[] = {
    {"off", ClientAuth::off}, {"optional", ClientAuth::optional}, {"required", ClientAuth::required}};

inline constexpr Name<Survive> survivals[] = {{"all", Survive::all}, {"idle", Survive::idle}, {"off", Survive::off}};

inline constexpr Name<LogLevel> log_levels[] = {
    {"debug", LogLevel::debug}, {"info", LogLevel::info}, {"warn", LogLevel::warning}, {"error", LogLevel::error}};

inline constexpr Name<LogFormat> log_formats[] = {{"text", LogFormat::text}, {"json", LogFormat::json}};

inline constexpr Name<AccessFormat> access_formats[] = {
    {"combined", AccessFormat::combined}, {"json", AccessFormat::json}, {"logfmt", AccessFormat::logfmt}};

inline constexpr Name<Underscores> underscore_rules[] = {{"drop", Underscores::drop}, {"pass", Underscores::pass}};

inline constexpr Name<NameFamily> name_families[] = {
    {"any", NameFamily::any}, {"ipv4", NameFamily::ipv4}, {"ipv6", NameFamily::ipv6}};

inline constexpr Name<ProxyProtocol> proxy_protocols[] = {
    {"off", ProxyProtocol::off}, {"accept", ProxyProtocol::accept}, {"require", ProxyProtocol::require}};

inline constexpr Name<ProxyHeaderSent> proxy_headers_sent[] = {
    {"off", ProxyHeaderSent::off}, {"v1", ProxyHeaderSent::v1}, {"v2", ProxyHeaderSent::v2}};

inline constexpr Name<ServerProtocol> server_protocols[] = {
    {"http1", ServerProtocol::http1}, {"http2", ServerProtocol::http2}, {"auto", ServerProtocol::automatic}};

inline constexpr Name<Tracing> tracings[] = {{"off", Tracing::off}, {"propagate", Tracing::propagate}};

inline constexpr Name<Watch> watches[] = {{"auto", Watch::folders}, {"true", Watch::all}, {"false", Watch::none}};

inline constexpr Name<bool> flags[] = {{"false", false}, {"true", true}};

// `value` must be in the table, as every value of these types is.
template <class Value, std::size_t size>
constexpr std::string_view name_of(Value value, const Name<Value> (&names)[size]) {
  return std::ranges::find(names, value, &Name<Value>::value)->text;
}

}  // namespace baton::config
