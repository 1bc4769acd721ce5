#include "proxy/routing/passwords.hpp"

#include <crypt.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>
#include <set>

namespace baton::routing {

namespace {

constexpr std::size_t credentials_bytes_max = 1024;
constexpr unsigned bcrypt_cost_max = 14;
constexpr unsigned rounds_max = 1'000'000;
constexpr std::string_view base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

// RFC 4648 §4; padding may lack, as in some clients.
std::optional<std::string> decoded(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  std::string bytes;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const std::size_t value = base64.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 0xff);
  }
  return bytes;
}

// The hash of `password` with the setting at the front of `hash`; empty: libcrypt does not know it.
std::string hash_again(const std::string& password, const std::string& hash) {
  const auto data = std::make_unique<crypt_data>();
  const char* const made = ::crypt_rn(password.c_str(), hash.c_str(), data.get(), sizeof *data);
  std::string result = made != nullptr && *made != '*' ? made : "";
  ::explicit_bzero(data.get(), sizeof *data);
  return result;
}

bool equals_in_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

constexpr std::string_view write_bcrypt = "; write it with `htpasswd -B`";

std::string why_no_bcrypt(std::string_view hash) {
  unsigned cost = 0;
  const char* const digits = hash.data() + 4;
  if (hash.size() != 60 || hash[6] != '$' || std::from_chars(digits, digits + 2, cost).ptr != digits + 2) {
    return fmt::format("is not a whole bcrypt hash{}", write_bcrypt);
  }
  if (cost > bcrypt_cost_max) return fmt::format("has a cost of {}; at most {} is verified", cost, bcrypt_cost_max);
  return {};
}

std::string why_no_sha(std::string_view hash) {
  constexpr std::string_view mark = "rounds=";
  if (!hash.substr(3).starts_with(mark)) return {};
  unsigned rounds = 0;
  const auto read = std::from_chars(hash.data() + 3 + mark.size(), hash.data() + hash.size(), rounds);
  if (read.ec == std::errc() && rounds <= rounds_max) return {};
  return fmt::format("has too many rounds; at most {} are verified", rounds_max);
}

// The parameters that crypt_gensalt writes, up to 64 MiB of memory.
std::string why_no_yescrypt(std::string_view hash) {
  constexpr std::string_view known[] = {"j75", "j85", "j7T", "j8T", "j9T", "jAT", "jBT"};
  const std::string_view parameters = hash.substr(3, hash.substr(3).find('$'));
  if (std::ranges::find(known, parameters) != std::end(known)) return {};
  return "has parameters that cost too much; make it with the usual ones";
}

// Empty: it can be verified.
std::string why_no_hash(std::string_view hash) {
  const auto is = [&](std::string_view begin) { return hash.starts_with(begin); };
  if (is("$2y$") || is("$2b$") || is("$2a$")) return why_no_bcrypt(hash);
  if (is("$5$") || is("$6$")) return why_no_sha(hash);
  if (is("$y$")) return why_no_yescrypt(hash);
  if (is("$apr1$") || is("$1$")) return fmt::format("is MD5, which is guessed too fast{}", write_bcrypt);
  if (is("{SHA}")) return fmt::format("is plain SHA-1, which is guessed too fast{}", write_bcrypt);
  return fmt::format("is not a hash that can be verified (bcrypt, SHA-256 or SHA-512 crypt, yescrypt){}", write_bcrypt);
}

bool is_name(std::string_view user) {
  const auto fits = [](char c) { return c > ' ' && c < 0x7f && c != '"' && c != '\\'; };
  return !user.empty() && std::ranges::all_of(user, fits);
}

}  // namespace

std::optional<std::string> basic_credentials(std::string_view value) {
  constexpr std::string_view scheme = "basic";
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  const bool is_basic = value.size() > scheme.size() && is_blank(value[scheme.size()]) &&
                        std::ranges::equal(value.substr(0, scheme.size()), scheme, {}, lower);
  if (!is_basic) return std::nullopt;
  value.remove_prefix(scheme.size());
  while (!value.empty() && is_blank(value.front())) value.remove_prefix(1);
  if (value.size() > credentials_bytes_max) return std::nullopt;
  auto credentials = decoded(value);
  if (!credentials || credentials->find(':') == std::string::npos) return std::nullopt;
  if (credentials->find('\0') != std::string::npos) return std::nullopt;
  return credentials;
}

std::expected<Passwords, std::string> Passwords::parse(std::string_view text) {
  Passwords passwords;
  std::set<std::string> tried;  // kinds of hashes
  for (unsigned number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    const auto refused = [&](std::string_view why) { return std::unexpected(fmt::format("line {}: {}", number, why)); };
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return refused("expected USER:HASH");
    const std::string user(line.substr(0, colon));
    std::string hash(line.substr(colon + 1));
    hash.resize(std::min(hash.find(':'), hash.size()));  // what follows is a comment
    if (!is_name(user)) return refused("a user's name must be ASCII without blanks, quotes and backslashes");
    if (const std::string why = why_no_hash(hash); !why.empty()) return refused("the hash " + why);
    if (tried.insert(hash.substr(0, 3)).second && hash_again("", hash).empty()) {
      return refused(fmt::format("the libcrypt of this system cannot verify the hash{}", write_bcrypt));
    }
    if (!passwords.hashes_.emplace(user, std::move(hash)).second) return refused("the user appears twice");
  }
  if (passwords.hashes_.empty()) return std::unexpected("names no user; write one with `htpasswd -B`");
  return passwords;
}

bool Passwords::verify(std::string_view credentials) const {
  if (hashes_.empty()) return false;
  const std::string_view user = user_of(credentials);
  const auto found = hashes_.find(user);
  const std::string& hash = found != hashes_.end() ? found->second : hashes_.begin()->second;
  std::string password(credentials.substr(std::min(user.size() + 1, credentials.size())));
  const std::string made = hash_again(password, hash);
  ::explicit_bzero(password.data(), password.size());
  return equals_in_constant_time(made, hash) && found != hashes_.end();
}

Passwords::Digest Passwords::digest_of(std::string_view credentials) const {
  return {runtime::keyed_hash(first_key_, credentials), runtime::keyed_hash(second_key_, credentials)};
}

bool Passwords::remembers(std::string_view credentials) const {
  const Digest digest = digest_of(credentials);
  const Slot& slot = recent_[digest.first % slots];
  return slot.first.load(std::memory_order_relaxed) == digest.first &&
         slot.second.load(std::memory_order_relaxed) == digest.second;
}

void Passwords::remember(std::string_view credentials) const {
  const Digest digest = digest_of(credentials);
  Slot& slot = recent_[digest.first % slots];
  slot.first.store(digest.first, std::memory_order_relaxed);
  slot.second.store(digest.second, std::memory_order_relaxed);
}

}  // namespace baton::routing
