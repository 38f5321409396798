// The definition in mkl_on_amd.cpp only counts where it comes before MKL's own: in the program itself.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <string>

namespace {

TEST(MklOnAmd, TheProgramsOwnDefinitionIsInForce) {
  void* symbol = dlsym(RTLD_DEFAULT, "mkl_serv_intel_cpu_true");
  ASSERT_NE(symbol, nullptr);
  EXPECT_EQ(reinterpret_cast<int (*)()>(symbol)(), 1);
  Dl_info found{}, here{};
  static const int in_this_program = 0;
  ASSERT_NE(dladdr(symbol, &found), 0);
  ASSERT_NE(dladdr(&in_this_program, &here), 0);
  EXPECT_EQ(found.dli_fbase, here.dli_fbase) << "it is " << found.dli_fname;
}

}  // namespace
