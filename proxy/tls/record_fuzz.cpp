// Any records, sealed with the right keys so that the tag is accepted, and any bytes between them. For every input the
// bounds hold, a handover at any byte changes nothing, and everything that we seal can be opened.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/tls/record_layer.hpp"
#include "proxy/tls/testing/record_probe.hpp"

namespace {

using namespace baton;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

// The rest of the input.
struct Script {
  std::string_view bytes;

  bool empty() const { return bytes.empty(); }
  std::uint8_t number() {
    if (bytes.empty()) return 0;
    const auto number = static_cast<std::uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    return number;
  }
  std::string_view text(std::size_t size) {
    const std::string_view text = bytes.substr(0, size);
    bytes.remove_prefix(text.size());
    return text;
  }
};

class Scene {
 public:
  Scene(const tls::Suite& suite, bool is_client)
      : leg_(tls::probe::established_leg(suite, is_client)), other_(*leg_.tls), is_modern_(suite.version == tls::tls13) {}

  // False: the connection is over.
  bool play(Script& script) {
    switch (script.number() % 10) {
      case 0: return hear(other_.data(script.text(script.number())), script);
      case 1: return hear(other_.seal(tls::probe::handshake, script.text(script.number())), script);
      case 2: return hear(other_.seal(tls::probe::alert, script.text(script.number() % 4)), script);
      case 3: {
        const std::uint8_t type = script.number();
        const std::size_t padding = script.number() * 70U;
        return hear(other_.seal(type, script.text(script.number()), padding), script);
      }
      case 4: {
        const std::uint8_t type = script.number();
        const std::string large(script.number() * 70U, 'd');
        return hear(tls::probe::in_order({other_.seal(type, large), other_.seal(type, large)}), script);
      }
      case 5: return hear(is_modern_ ? other_.seal_inner(script.text(script.number())) : other_.data(""), script);
      case 6: return hear(std::string{script.text(script.number())}, script);
      case 7: leg_.unsent.append(std::string(script.number() * 300U, 'u')); return seal(script.number() * 10);
      case 8: open_what_was_sealed(); return seal(0);
      default: leg_.write_ended = true; return seal(0);
    }
  }
  void end() {
    seal(0);
    open_what_was_sealed();
  }

 private:
  bool hear(std::string_view records, Script& script) {
    state::Leg moved = leg_;
    const std::size_t cut = records.empty() ? 0 : script.number() * records.size() / 256;
    const bool goes_on = open(leg_, records);
    open(moved, records.substr(0, cut));
    open(moved, records.substr(cut));
    require(moved == leg_, "a handover changes what is read");
    // The other side's next record uses its next keys.
    if (is_modern_ && leg_.tls->read.secrets != other_.sending().secrets) other_.update_sending_keys();
    leg_.unread.clear();
    return goes_on;
  }

  bool open(state::Leg& leg, std::string_view records) {
    constexpr std::size_t bytes = 1000;
    leg.tls->received.append(records);
    const auto layer = tls::RecordLayer::make(*leg.tls);
    for (;;) {
      const std::size_t before = leg.unread.size();
      const tls::Opened opened = layer->open(leg, bytes);
      require(leg.unread.size() < before + bytes + 16'384, "more was opened than was asked for");
      require(leg.tls->idle_records <= 32, "a flood is not noticed");
      require(leg.tls->message_head_bytes <= 4, "a message's head is too long");
      if (opened == tls::Opened::failed) {
        require(leg.tls->alert != 0 || leg.read_ended, "it failed and does not say so");
        require(leg.tls->received.empty(), "something waits that nobody will look at");
        return false;
      }
      if (opened == tls::Opened::nothing) return true;
    }
  }

  bool seal(std::int64_t since_ms) {
    const bool owes_alert = leg_.tls->alert != 0;
    tls::RecordLayer::make(*leg_.tls)->seal(leg_, since_ms);
    require(leg_.tls->sealed.size() <= state::Buffer::block_bytes + (owes_alert ? 31 : 0), "too much was sealed");
    return leg_.tls->end == state::TlsEnd::open;
  }

  void open_what_was_sealed() {
    std::string_view stream = leg_.tls->sealed.view();
    while (!stream.empty()) {
      const auto record = other_.open(stream);
      require(record.has_value(), "what we sealed cannot be opened");
      require(record->content.size() <= 16'384, "a record is too long");
      if (is_modern_ && record->type == tls::probe::handshake) other_.update_receiving_keys();
    }
    leg_.tls->sealed.clear();
  }

  state::Leg leg_;
  tls::probe::OtherSide other_;
  bool is_modern_;
};

}  // namespace

// The first byte chooses the suite, the second the role, the rest is what happens.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Script script{{reinterpret_cast<const char*>(data), size}};
  const tls::Suite& suite = tls::suites()[script.number() % tls::suites().size()];
  Scene scene{suite, script.number() % 2 == 1};
  while (!script.empty() && scene.play(script)) {
  }
  scene.end();
  return 0;
}
