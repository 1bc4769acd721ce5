#include "config/provenance.hpp"

#include <gtest/gtest.h>

#include "config/testing/load.hpp"

namespace baton::config {
namespace {

TEST(Provenance, IsTakenFromTheFirstLineOfWhatIsHandedOver) {
  for (const Provenance& one : {Provenance{true, 1'764'478'000'123}, Provenance{false, 1}, Provenance{}}) {
    const std::string printed = print_with_places(config_of(minimal));
    std::string text = provenance_line(one) + printed;
    EXPECT_EQ(provenance_of(text), one);
    EXPECT_EQ(config_of(text), config_of(minimal)) << "a version that knows no such line reads past it";
    EXPECT_EQ(take_provenance(text), one);
    EXPECT_EQ(text, printed);
  }
}

TEST(Provenance, IsUnknownOfAnyOtherText) {
  for (const char* other :
       {"", "version: 1\n", "# applied at \n", "# applied at 1", "# applied at 1x\n", "# applied at -1\n",
        "# read at 99999999999999999999\n", " # read at 1\n", "version: 1\n# read at 1\n"}) {
    std::string text = other;
    EXPECT_EQ(take_provenance(text), std::nullopt) << other;
    EXPECT_EQ(text, other);
  }
}

}  // namespace
}  // namespace baton::config
