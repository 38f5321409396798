#include "base/sha256.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files.h"
#include "support/temp_dir.h"

namespace rft {
namespace {

// FIPS 180-2, appendix B.1.
constexpr const char* kDigestOfAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

TEST(Sha256, AgreesWithTheStandard) { EXPECT_EQ(sha256("abc"), kDigestOfAbc); }

TEST(Sha256, ReadsFiles) {
  const TempDir dir;
  write_file_atomically(dir / "abc", "abc");
  EXPECT_EQ(sha256_file(dir / "abc"), kDigestOfAbc);
  EXPECT_THROW(sha256_file(dir / "missing"), Error);
}

}  // namespace
}  // namespace rft
