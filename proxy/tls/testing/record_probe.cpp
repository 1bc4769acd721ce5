#include "proxy/tls/testing/record_probe.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

namespace baton::tls::probe {

namespace {

constexpr std::size_t tag_size = 16;
using Context = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

const unsigned char* bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

void require(bool holds) {
  if (!holds) throw std::runtime_error{"the probe's encryption failed"};
}

const EVP_CIPHER* cipher(const Suite& suite) {
  switch (suite.aead) {
    case Aead::aes_128_gcm: return EVP_aes_128_gcm();
    case Aead::aes_256_gcm: return EVP_aes_256_gcm();
    default: return EVP_chacha20_poly1305();
  }
}

std::string big_endian(std::uint64_t number, int size) {
  std::string text;
  for (int shift = 8 * (size - 1); shift >= 0; shift -= 8) text += static_cast<char>(number >> shift);
  return text;
}

std::string nonce(const Suite& suite, const state::TlsDirection& direction, std::string_view explicit_part) {
  const std::string iv{reinterpret_cast<const char*>(direction.secrets.iv.data()), direction.secrets.iv.size()};
  if (suite.has_explicit_nonce()) return iv.substr(0, 4).append(explicit_part);
  std::string mixed = std::string(4, '\0') + big_endian(direction.sequence, 8);
  for (std::size_t i = 0; i < mixed.size(); ++i) mixed[i] = static_cast<char>(mixed[i] ^ iv[i]);
  return mixed;
}

std::string additional(const Suite& suite, std::uint64_t sequence, std::uint8_t type, std::size_t plain_bytes) {
  if (suite.version == tls13) return "\x17\x03\x03" + big_endian(plain_bytes + tag_size, 2);
  return big_endian(sequence, 8) + static_cast<char>(type) + "\x03\x03" + big_endian(plain_bytes, 2);
}

Context begin(const Suite& suite, const state::TlsDirection& direction, std::string_view iv, std::string_view aad,
              bool encrypts) {
  Context context{EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free};
  int size = 0;
  require(EVP_CipherInit_ex(context.get(), cipher(suite), nullptr, direction.secrets.key.data(), bytes(iv),
                            encrypts) == 1);
  require(EVP_CipherUpdate(context.get(), nullptr, &size, bytes(aad), static_cast<int>(aad.size())) == 1);
  return context;
}

// In one piece, because a cipher may be fed nothing.
std::string run(EVP_CIPHER_CTX* context, std::string_view text) {
  std::string out(text.size(), '\0');
  int size = 0;
  if (!text.empty()) {
    require(EVP_CipherUpdate(context, reinterpret_cast<unsigned char*>(out.data()), &size, bytes(text),
                             static_cast<int>(text.size())) == 1);
  }
  return out;
}

}  // namespace

state::Leg established_leg(const Suite& suite, bool is_client, unsigned seed) {
  state::Leg leg;
  state::Tls& tls = leg.tls.emplace();
  tls.stage = state::TlsStage::records;
  tls.is_client = is_client;
  tls.version = suite.version;
  tls.suite = suite.id;
  tls.explicit_nonce = 0x1122334455667788;
  unsigned next = seed;
  for (state::TlsDirection* direction : {&tls.read, &tls.write}) {
    const auto fill = [&next](auto first, std::size_t size) {
      std::generate_n(first, size, [&next] { return static_cast<unsigned char>((next = next * 75 + 74) >> 3); });
    };
    if (suite.version == tls13) {
      fill(direction->secrets.traffic.begin(), suite.hash_bytes());
      derive_keys(suite, direction->secrets);
    } else {
      fill(direction->secrets.key.begin(), suite.key_bytes());
      fill(direction->secrets.iv.begin(), suite.has_explicit_nonce() ? 4 : 12);
      direction->sequence = 1;        // Finished was record 0
    }
  }
  return leg;
}

OtherSide::OtherSide(const state::Tls& tls)
    : suite_(*find_suite(tls.version, tls.suite)), sending_(tls.read), receiving_(tls.write) {}

std::string OtherSide::seal(std::uint8_t type, std::string_view content, std::size_t padding) {
  if (suite_.version == tls13) {
    return seal_inner(std::string{content} + static_cast<char>(type) + std::string(padding, '\0'));
  }
  const std::string explicit_part = suite_.has_explicit_nonce() ? big_endian(explicit_nonce_++, 8) : "";
  const auto context = begin(suite_, sending_, nonce(suite_, sending_, explicit_part),
                             additional(suite_, sending_.sequence, type, content.size()), true);
  std::string fragment = explicit_part + run(context.get(), content);
  std::string tag(tag_size, '\0');
  int size = 0;
  require(EVP_CipherFinal_ex(context.get(), reinterpret_cast<unsigned char*>(tag.data()), &size) == 1);
  require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, tag_size, tag.data()) == 1);
  ++sending_.sequence;
  fragment += tag;
  return static_cast<char>(type) + ("\x03\x03" + big_endian(fragment.size(), 2)) + fragment;
}

std::string OtherSide::seal_inner(std::string_view inner) {
  const std::string header = additional(suite_, 0, 0, inner.size());
  const auto context = begin(suite_, sending_, nonce(suite_, sending_, {}), header, true);
  const std::string text = run(context.get(), inner);
  std::string tag(tag_size, '\0');
  int size = 0;
  require(EVP_CipherFinal_ex(context.get(), reinterpret_cast<unsigned char*>(tag.data()), &size) == 1);
  require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, tag_size, tag.data()) == 1);
  ++sending_.sequence;
  return header + text + tag;
}

std::optional<Record> OtherSide::open(std::string_view& stream) {
  if (stream.size() < 5) return std::nullopt;
  const std::size_t length = bytes(stream)[3] * 256U + bytes(stream)[4];
  if (stream.size() < 5 + length || stream.substr(1, 2) != "\x03\x03") return std::nullopt;
  std::uint8_t type = bytes(stream)[0];
  const std::size_t explicit_bytes = suite_.has_explicit_nonce() ? 8 : 0;
  if (length < explicit_bytes + tag_size) return std::nullopt;
  const std::string_view explicit_part = stream.substr(5, explicit_bytes);
  const std::string_view text = stream.substr(5 + explicit_bytes, length - explicit_bytes - tag_size);
  std::string tag{stream.substr(5 + length - tag_size, tag_size)};

  const auto context = begin(suite_, receiving_, nonce(suite_, receiving_, explicit_part),
                             additional(suite_, receiving_.sequence, type, text.size()), false);
  std::string content = run(context.get(), text);
  require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, tag_size, tag.data()) == 1);
  int size = 0;
  unsigned char nothing[tag_size];
  if (EVP_CipherFinal_ex(context.get(), nothing, &size) != 1) return std::nullopt;
  ++receiving_.sequence;
  stream.remove_prefix(5 + length);
  if (suite_.version == tls13) {
    if (type != application_data) return std::nullopt;
    content.erase(content.find_last_not_of('\0') + 1);
    if (content.empty()) return std::nullopt;
    type = static_cast<std::uint8_t>(content.back());
    content.pop_back();
  }
  return Record{type, content, 5 + length};
}

void OtherSide::update(state::TlsDirection& direction) {
  update_keys(suite_, direction.secrets);
  direction.sequence = 0;
}

std::string message(std::uint8_t type, std::string_view body) {
  return static_cast<char>(type) + big_endian(body.size(), 3) + std::string{body};
}
std::string key_update(bool requested) { return message(24, std::string(1, requested ? '\1' : '\0')); }
std::string ticket(std::size_t body_bytes) { return message(4, std::string(body_bytes, 't')); }

std::string in_order(std::initializer_list<std::string> records) {
  std::string all;
  for (const std::string& record : records) all += record;
  return all;
}

}  // namespace baton::tls::probe
