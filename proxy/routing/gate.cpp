#include "proxy/routing/gate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace baton::routing {

namespace {

constexpr std::pair<std::string_view, std::string_view> media_types[] = {
    {"css", "text/css; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"gif", "image/gif"},
    {"htm", "text/html; charset=utf-8"},
    {"html", "text/html; charset=utf-8"},
    {"ico", "image/x-icon"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"svg", "image/svg+xml"},
    {"txt", "text/plain; charset=utf-8"},
    {"wasm", "application/wasm"},
    {"webmanifest", "application/manifest+json"},
    {"webp", "image/webp"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"xml", "application/xml"},
};

state::SharedText content_of(const config::File& file, const Files& files) {
  const auto found = files.contents.find(file.path);
  return found != files.contents.end() ? found->second : state::share("");
}

Answer answer_of(const config::Respond& respond, const Files& files) {
  Answer answer{.status = respond.status};
  if (respond.file) {
    answer.body = content_of(*respond.file, files);
    answer.content_type = media_type_of(respond.file->path);
  } else if (respond.body) {
    answer.body = state::share(*respond.body);
    answer.content_type = "text/plain; charset=utf-8";
  }
  if (!respond.content_type.empty()) answer.content_type = respond.content_type;
  return answer;
}

Answer answer_of(const config::Redirect& redirect) {
  return {.status = redirect.status, .fields = fmt::format("Location: {}\r\n", redirect.to)};
}

}  // namespace

std::shared_ptr<const Gate> make_gate(const config::Gate& gate, const Files& files, RateLimits rates) {
  if (gate == config::Gate{} && rates.empty()) return nullptr;
  auto made = std::make_shared<Gate>();
  made->access = Access(gate.access);
  made->rates = std::move(rates);
  if (gate.basic_auth) {
    const auto found = files.passwords.find(gate.basic_auth->file.path);
    made->passwords = found != files.passwords.end() ? found->second : std::make_shared<const Passwords>();
    const std::string& realm = gate.basic_auth->realm;
    made->challenge = {.status = 401,
                       .fields = fmt::format("WWW-Authenticate: Basic realm=\"{}\", charset=\"UTF-8\"\r\n", realm)};
  }
  if (gate.respond) made->answer = answer_of(*gate.respond, files);
  if (gate.redirect) {
    made->answer = answer_of(*gate.redirect);
    auto target = config::Template::parse(gate.redirect->to);
    if (target && !target->is_literal()) made->location = *std::move(target);
  }
  return made;
}

Maintenance make_maintenance(const config::Maintenance& maintenance, const Files& files) {
  Maintenance made{.allow = AddressSet(maintenance.allow), .answer = {.status = maintenance.status}};
  if (const auto seconds = maintenance.retry_after.count() / 1000; seconds != 0) {
    made.answer.fields = fmt::format("Retry-After: {}\r\n", seconds);
  }
  if (maintenance.file) {
    made.answer.content_type = media_type_of(maintenance.file->path);
    made.answer.body = content_of(*maintenance.file, files);
  }
  return made;
}

ErrorPages make_error_pages(const config::Config& config, const Files& files) {
  ErrorPages pages;
  for (const auto& [status, file] : config.error_pages) {
    pages[status] = {
        .status = status, .content_type = std::string(media_type_of(file.path)), .body = content_of(file, files)};
  }
  return pages;
}

std::vector<config::File> files_of_answers(const config::Config& config) {
  std::vector<config::File> files;
  for (const config::Route& route : config.routes) {
    if (route.gate.respond && route.gate.respond->file) files.push_back(*route.gate.respond->file);
  }
  for (const auto& [status, file] : config.error_pages) files.push_back(file);
  if (config.maintenance.file) files.push_back(*config.maintenance.file);
  return files;
}

std::vector<config::File> files_of_passwords(const config::Config& config) {
  std::vector<config::File> files;
  for (const config::Route& route : config.routes) {
    if (route.gate.basic_auth) files.push_back(route.gate.basic_auth->file);
  }
  return files;
}

std::string_view media_type_of(std::string_view path) {
  path = path.substr(path.rfind('/') + 1);
  const std::size_t dot = path.rfind('.');
  std::string extension(dot == std::string_view::npos ? "" : path.substr(dot + 1));
  std::ranges::transform(extension, extension.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  const auto* found = std::ranges::find(media_types, extension, &std::pair<std::string_view, std::string_view>::first);
  return found != std::end(media_types) ? found->second : "application/octet-stream";
}

}  // namespace baton::routing
