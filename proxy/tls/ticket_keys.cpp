#include "proxy/tls/ticket_keys.hpp"

#include <openssl/rand.h>
#include <strings.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace baton::tls {

namespace {

constexpr std::size_t keys_kept = 2;
constexpr std::size_t key_bytes = sizeof(TicketKey::name) + sizeof(TicketKey::cipher) + sizeof(TicketKey::mac);

TicketKey make_key() {
  TicketKey key;
  if (RAND_bytes(key.name.data(), key.name.size()) != 1 || RAND_priv_bytes(key.cipher.data(), key.cipher.size()) != 1 ||
      RAND_priv_bytes(key.mac.data(), key.mac.size()) != 1) {
    throw std::runtime_error("OpenSSL has no random numbers for session tickets");
  }
  return key;
}

}  // namespace

TicketKey::~TicketKey() { ::explicit_bzero(this, sizeof *this); }

TicketKeys::TicketKeys() {
  auto keys = keys_.lock();
  keys->all.reserve(keys_kept + 1);  // growth would leave copies of keys behind
  keys->all.push_back(make_key());
}

void TicketKeys::rotate_if_due(std::int64_t now_ms) {
  auto keys = keys_.lock();
  if (keys->rotated_at_ms == 0) keys->rotated_at_ms = now_ms;
  if (now_ms - keys->rotated_at_ms < session_lifetime_s * 1000) return;
  keys->rotated_at_ms = now_ms;
  keys->all.insert(keys->all.begin(), make_key());
  if (keys->all.size() > keys_kept) keys->all.pop_back();
}

TicketKey TicketKeys::current() const {
  auto keys = keys_.lock();
  return keys->all.front();
}

std::optional<std::pair<TicketKey, bool>> TicketKeys::find(const unsigned char* name) const {
  auto keys = keys_.lock();
  for (const TicketKey& key : keys->all) {
    if (std::memcmp(key.name.data(), name, key.name.size()) == 0) return std::pair(key, &key == &keys->all.front());
  }
  return std::nullopt;
}

handoff::SecretBytes TicketKeys::save(std::int64_t now_ms) const {
  auto keys = keys_.lock();
  const std::int64_t age_ms = keys->rotated_at_ms == 0 ? 0 : now_ms - keys->rotated_at_ms;
  handoff::SecretBytes saved(sizeof age_ms + keys->all.size() * key_bytes);
  std::memcpy(saved.data(), &age_ms, sizeof age_ms);
  char* at = saved.data() + sizeof age_ms;
  for (const TicketKey& key : keys->all) {
    at = std::copy(key.name.begin(), key.name.end(), at);
    at = std::copy(key.cipher.begin(), key.cipher.end(), at);
    at = std::copy(key.mac.begin(), key.mac.end(), at);
  }
  return saved;
}

bool TicketKeys::restore(std::string_view saved, std::int64_t now_ms) {
  std::int64_t age_ms = 0;
  if (saved.size() < sizeof age_ms) return false;
  std::memcpy(&age_ms, saved.data(), sizeof age_ms);
  saved.remove_prefix(sizeof age_ms);
  if (saved.empty() || saved.size() % key_bytes != 0 || saved.size() / key_bytes > keys_kept || age_ms < 0) return false;
  auto keys = keys_.lock();
  keys->all.clear();
  while (!saved.empty()) {
    TicketKey& key = keys->all.emplace_back();
    const auto take = [&saved](auto& part) {
      std::memcpy(part.data(), saved.data(), part.size());
      saved.remove_prefix(part.size());
    };
    take(key.name);
    take(key.cipher);
    take(key.mac);
  }
  keys->rotated_at_ms = now_ms - age_ms;
  return true;
}

}  // namespace baton::tls
