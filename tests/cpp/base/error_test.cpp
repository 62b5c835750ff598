#include "base/error.hpp"

#include <gtest/gtest.h>

namespace tapegrad {
namespace {

TEST(Require, RaisesTheMessageAsTheUsersFault) {
  EXPECT_NO_THROW(require(true, "fine"));
  try {
    require(false, "shapes differ");
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "shapes differ");
  }
}

TEST(Ensure, RaisesOurOwnFaultApartFromTheUsers) {
  EXPECT_NO_THROW(ensure(true, "fine"));
  EXPECT_THROW(ensure(false, "a broken invariant"), std::logic_error);
  try {
    ensure(false, "a broken invariant");
  } catch (const Error&) {
    FAIL() << "a defect must not look like a user's fault";
  } catch (const std::logic_error& e) {
    EXPECT_NE(std::string(e.what()).find("a broken invariant"), std::string::npos);
  }
}

TEST(Errors, AreAllUserFaults) {
  EXPECT_THROW(throw TypeFault("t"), Error);
  EXPECT_THROW(throw Unsupported("u"), Error);
  EXPECT_THROW(throw SingularMatrix("s"), Error);
}

}  // namespace
}  // namespace tapegrad
