// Every limit of the wire format. Later versions may raise them but never lower them: a neighbour of another version
// must be able to read what this one sends. Only those of batches and of what is in flight are the sender's own choice.
#pragma once

#include <cstddef>
#include <cstdint>

namespace baton::handoff::limits {

inline constexpr std::uint32_t magic = 0x4241544e;            // "BATN"
inline constexpr std::uint16_t frame_version = 1;             // of the frame header; never changes
inline constexpr std::uint32_t protocol_min = 1;              // the range of protocol versions we speak
inline constexpr std::uint32_t protocol_max = 1;

inline constexpr std::size_t descriptors_per_frame_max = 250; // the kernel allows 253
inline constexpr std::size_t record_bytes_max = 32u << 20;
inline constexpr std::size_t secret_bytes_max = 1u << 20;
inline constexpr std::size_t parcel_bytes_max = 24u << 20;    // one connection with all of its buffers
inline constexpr std::size_t frames_waiting_max = 1024;       // received but not yet handled

inline constexpr std::size_t batch_connections_max = 32;  // a batch ends at the first limit it reaches
inline constexpr std::size_t batch_descriptors_max = descriptors_per_frame_max;
inline constexpr std::size_t batch_bytes = 256u << 10;        // payloads and secrets; a larger parcel goes alone
inline constexpr std::size_t connections_in_flight_max = 96;  // a connection's pause is the time for so many
inline constexpr std::size_t descriptors_in_flight_max = 512; // but at most half of RLIMIT_NOFILE
inline constexpr std::size_t descriptors_spared = 16;         // kept free if a batch found too few (adopting.cpp)
inline constexpr std::size_t step_bytes = 4u << 20;  // an Offer gets one more step_timeout per this much

inline constexpr std::size_t sockets_inherited_max = 65'536;
inline constexpr std::size_t sockets_inherited_of_old = 4096; // by a version whose Hello names no maximum
inline constexpr std::uint64_t probation_ms_max = 315'360'000'000;  // ten years; a longer one is taken for this
inline constexpr std::size_t text_bytes_max = 4096;           // of a reason, a name, a version
inline constexpr int pause_magnitudes_max = 65;               // of a report: powers of two of a 64-bit number, and 0

// The most a configuration may ask for; a connection with four such buffers still fits into a parcel.
inline constexpr std::size_t buffer_bytes_ceiling = 4u << 20;
inline constexpr std::size_t head_bytes_ceiling = 1u << 20;

}  // namespace baton::handoff::limits
