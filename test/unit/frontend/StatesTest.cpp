// States, buffers and `<-`: what is emitted, and every message.
#include "test/unit/frontend/Compiling.h"

#include <gtest/gtest.h>

namespace nnc::frontend::testing {

static bool has(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

TEST(States, AreResultsOfTheFunctionsThatWriteThem) {
  Compilation run(R"nn(module Cache(d: int) {
  state keys: float[B, 8, d]
  fn forward(x: float[B, T, d], pos: i32[]) -> float[B, 8, d] {
    keys[:, pos : pos + T] <- x
    return keys
  }
}
model M() {
  caches = [Cache(4), Cache(4)]
  state pos: i32[] = 0
  fn forward(x: float[B, T, 4]) -> float[B, 8, 4]
  requires B in 1..=4, T in 1..=8, pos + T <= 8: "full" {
    a = caches[0](x, pos)
    b = caches[1](x, pos)
    pos <- pos + T
    return a + b
  }
}
)nn");
  EXPECT_EQ(run.emit().messages(), "");
  std::string text = run.ir();
  // One function for both caches: it gets the state and gives it back after its result.
  EXPECT_TRUE(has(text, "%0:2 = call @Cache.forward(%arg0, %1, %2)") ||
              has(text, ":2 = call @Cache.forward(%arg0, "))
      << text;
  EXPECT_FALSE(has(text, "@Cache.forward_1")) << text;
  EXPECT_TRUE(has(text, "nn.update")) << text;
  for (const char *set : {"nn.set @caches.0.keys", "nn.set @caches.1.keys", "nn.set @pos"})
    EXPECT_TRUE(has(text, set)) << text;
  EXPECT_TRUE(has(text, "nn.dims = [\"B\", \"T\", \"pos\"]")) << text;
  EXPECT_TRUE(has(text, "nn.kinds = [\"dim\", \"dim\", \"scalar\"]")) << text;
  EXPECT_TRUE(has(text, "nn.sources = [{}, {}, {state = @pos}]")) << text;
  EXPECT_TRUE(has(text, "message = \"full\", text = \"pos + T <= 8\"")) << text;
  EXPECT_TRUE(has(text, "text = \"pos >= 0\"")) << text;
}

TEST(States, OfOneScalarEachMakeFunctionsOfTheirOwn) {
  Compilation run(R"nn(module Line(d: int) {
  state at: i32[]
  state line: float[d]
  fn forward(x: float[1]) -> float[d] requires at < d {
    line[at : at + 1] <- x
    at <- at + 1
    return line
  }
}
model M() {
  a = Line(4)
  b = Line(4)
  fn forward(x: float[1]) -> float[4] { return a(x) + b(x) + a(x) }
}
)nn");
  EXPECT_EQ(run.emit().messages(), "");
  std::string text = run.ir();
  for (const char *part : {"@Line.forward(", "@Line.forward_1(", "@Line.forward_2("})
    EXPECT_TRUE(has(text, part)) << text; // the second call of `a` begins at a.at + 1
  EXPECT_TRUE(has(text, "nn.dims = [\"a.at\", \"b.at\"]")) << text;
}

//===- Messages -------------------------------------------------------------------------------===//

TEST(States, ParamsDoNotChange) {
  EXPECT_EQ(compiled(R"nn(model M() {
  param w: float[4]
  fn forward(x: float[B, 4]) -> float[B, 4] requires B in 1..=4 {
    w <- 0
    return x * w
  }
}
)nn"),
            R"(error[E0610]: `<-` changes a buffer or a state
 --> model.nn:4:7
  |
2 |   param w: float[4]
  |         - declared here
4 |     w <- 0
  |     - ^^
  |     |
  |     `w` is a param
)");
}

TEST(States, LocalsAreBoundAgain) {
  EXPECT_EQ(compiled(R"nn(model M() {
  state s: float[4]
  fn forward(x: float[B, 4]) -> float[B, 4] requires B in 1..=4 {
    y = x * s
    y <- x
    return y
  }
}
)nn"),
            R"(error[E0610]: `<-` changes a buffer or a state
 --> model.nn:5:7
  |
5 |     y <- x
  |       ^^ its left side is neither
  |
help: to bind a local, write `y = ...`
)");
}

TEST(States, ElementsAreExact) {
  EXPECT_EQ(compiled(R"nn(model M() {
  state s: f32[4]
  fn forward(x: float[4]) -> float[4] {
    s <- x
    return x
  }
}
)nn"),
            R"(error[E0401]: `<-` stores float in f32
 --> model.nn:4:7
  |
4 |     s <- x
  |     - ^^ - float[4]
  |     |
  |     f32[4]
  |
help: cast to f32
4 |     s <- f32(x)
  |          ++++ +
)");
}

TEST(States, SizesAreProved) {
  EXPECT_EQ(compiled(R"nn(model M() {
  state s: float[8, 4]
  fn forward(x: float[B, 4]) -> float[B, 4] requires B in 1..=8 {
    s[0:3] <- x
    return x
  }
}
)nn"),
            R"(error[E0304]: cannot prove that these sizes are equal in `<-`
 --> model.nn:4:12
  |
4 |     s[0:3] <- x
  |     ------ ^^ - float[B, 4]
  |     |
  |     float[3, 4]
  |
  = note: axis 0 of `s[0:3]` is 3, of `x` is B; they differ when B = 1
)");
}

TEST(States, SizesAreEqual) {
  EXPECT_EQ(compiled(R"nn(model M() {
  state s: float[8, 4]
  fn forward(x: float[3, 5]) -> float[3, 5] {
    s[0:3] <- x
    return x
  }
}
)nn"),
            R"(error[E0301]: sizes differ in `<-`
 --> model.nn:4:12
  |
4 |     s[0:3] <- x
  |     ------ ^^ - float[3, 5]
  |     |
  |     float[3, 4]
  |
  = note: axis 1 of `s[0:3]` is 4, of `x` is 5
)");
}

TEST(States, RanksAreEqual) {
  EXPECT_EQ(compiled(R"nn(model M() {
  state s: float[8, 4]
  fn forward(x: float[4]) -> float[4] {
    s[2:3] <- x
    return x
  }
}
)nn"),
            R"(error[E0306]: `<-` stores a tensor of rank 1 in one of rank 2
 --> model.nn:4:12
  |
4 |     s[2:3] <- x
  |     ------ ^^ - float[4]
  |     |
  |     float[1, 4]
)");
}

TEST(States, PlacesAreSlices) {
  EXPECT_EQ(compiled(R"nn(model M() {
  state s: float[8, 4]
  fn forward(x: float[3, 4], ids: i32[3]) -> float[3, 4] {
    s[ids] <- x
    return x
  }
}
)nn"),
            R"(error[E0611]: `<-` writes to a slice or an element
 --> model.nn:4:7
  |
4 |     s[ids] <- x
  |       ^^^ `ids` is a tensor
  |
help: to write to places that a tensor names, use `scatter`
)");
}

TEST(States, PlacesHaveNoNewAxes) {
  EXPECT_EQ(compiled(R"nn(model M() {
  state s: float[4]
  fn forward(x: float[1, 4]) -> float[1, 4] {
    s[none, :] <- x
    return x
  }
}
)nn"),
            R"(error[E0611]: `<-` writes to a slice or an element
 --> model.nn:4:7
  |
4 |     s[none, :] <- x
  |       ^^^^ `none` adds an axis to a value
  |
help: to write to places that a tensor names, use `scatter`
)");
}

TEST(States, RoomIsRequired) {
  EXPECT_EQ(compiled(R"nn(model M() {
  state keys: float[B, 16, 4]
  state pos: i32[]
  fn forward(x: float[B, T, 4]) -> float[B, T, 4] requires B in 1..=8, T in 1..=16 {
    keys[:, pos : pos + T] <- x
    pos <- pos + T
    return x
  }
}
)nn"),
            R"(error[E0304]: cannot prove that slice pos:pos + T is inside axis 1
 --> model.nn:5:13
  |
5 |     keys[:, pos : pos + T] <- x
  |             ^^^^^^^^^^^^^ axis 1 has 16
  |
  = note: it is outside when T = 1, pos = 16
help: require what the network relies on
4 |   fn forward(x: float[B, T, 4]) -> float[B, T, 4] requires B in 1..=8, T in 1..=16, T + pos <= 16 {
  |                                                                                   +++++++++++++++
)");
}

TEST(States, LengthsAreKnown) {
  EXPECT_EQ(compiled(R"nn(model M() {
  state pos: i32[]
  fn forward(x: float[B, 16, 4]) -> float[B, 4] requires B in 1..=8, pos <= 8 {
    return sum(x[:, pos:], axis=1)
  }
}
)nn"),
            R"(error[E0305]: the length of this slice is known only at run time
 --> model.nn:4:21
  |
4 |     return sum(x[:, pos:], axis=1)
  |                     ^^^^ `pos` is a tensor
  |
help: a length is made of build-time ints and dimensions
)");
}

TEST(States, PositionsAreScalars) {
  EXPECT_EQ(compiled(R"nn(model M() {
  fn forward(x: float[B, 16], scores: float[16]) -> float[B, 2] requires B in 1..=8 {
    at = argmax(scores, axis=0)
    return x[:, at : at + 2]
  }
}
)nn"),
            R"(error[E0305]: this position is computed at run time
 --> model.nn:4:17
  |
4 |     return x[:, at : at + 2]
  |                 ^^ `at` is a tensor
  |
  = note: a position is made of sizes, ints, and `i32[]` or `i64[]` inputs and states by `+`, `-` and `*`

error[E0305]: this position is computed at run time
 --> model.nn:4:22
  |
4 |     return x[:, at : at + 2]
  |                      ^^^^^^ `at + 2` is a tensor
  |
  = note: a position is made of sizes, ints, and `i32[]` or `i64[]` inputs and states by `+`, `-` and `*`
)");
}

TEST(States, VariablesHaveAMeaning) {
  EXPECT_EQ(compiled(R"nn(model M() {
  state s: float[N, 4]
  fn forward(x: float[B, 4]) -> float[B, 4] requires B in 1..=8 {
    return x + s
  }
}
)nn"),
            R"(error[E0612]: the size `N` of `s` is not known here
 --> model.nn:4:16
  |
2 |   state s: float[N, 4]
  |            ----------- declared here
4 |     return x + s
  |                ^
  |
  = note: a function that uses it takes a tensor with the dimension `N`, or its entry point does
)");
}

TEST(States, VariablesHaveOneMeaning) {
  EXPECT_EQ(compiled(R"nn(module Keep(d: int) {
  state s: float[N, d]
  fn forward(x: float[N, d]) {
    y = s + x
    s <- x
    return y
  }
}
model M() {
  keep = Keep(4)
  fn forward(x: float[B, 4], z: float[C, 4]) -> float[B, 4] requires B in 1..=8, C in 1..=8 {
    a = keep(z)
    return keep(x)
  }
}
)nn"),
            R"(error[E0612]: `s` has two shapes in one call
 --> model.nn:4:9
  |
2 |   state s: float[N, d]
  |            ----------- declared here
4 |     y = s + x
  |         ^ float[B, 4] here, float[C, 4] elsewhere
  |
  = note: in keep

error[E0612]: `s` has two shapes in one call
 --> model.nn:5:5
  |
2 |   state s: float[N, d]
  |            ----------- declared here
5 |     s <- x
  |     ^ float[B, 4] here, float[C, 4] elsewhere
  |
  = note: in keep
)");
}

TEST(States, TiedSlotsStay) {
  EXPECT_EQ(compiled(R"nn(model M() {
  state a: float[4]
  state b: float[4]
  tie a = b
  fn forward(x: float[4]) -> float[4] {
    a <- x
    return b
  }
}
)nn"),
            R"(error[E0610]: `<-` cannot change a slot that is tied
 --> model.nn:6:7
  |
2 |   state a: float[4]
  |         - declared here
6 |     a <- x
  |       ^^
)");
}

TEST(States, AbsentSlots) {
  EXPECT_EQ(compiled(R"nn(model M(cached: bool = false) {
  state s: float[4] if cached
  fn forward(x: float[4]) -> float[4] {
    s <- x
    return x
  }
}
)nn"),
            R"(error[E0504]: `s` does not exist here
 --> model.nn:4:5
  |
2 |   state s: float[4] if cached
  |                        ------ the condition, false in this instance
4 |     s <- x
  |     ^ used without its condition
)");
}

TEST(States, NumbersFit) {
  EXPECT_EQ(compiled(R"nn(model M() {
  state n: i32[]
  fn forward(x: float[4]) -> float[4] {
    n <- 1.5
    n <- "a"
    n <- n + 1
    return x
  }
}
)nn"),
            R"(error[E0402]: the fraction 1.5 stands beside i32 numbers
 --> model.nn:4:10
  |
4 |     n <- 1.5
  |          ^^^
  |
help: cast the integers, as in `f32(x)`, or use a whole number

error[E0403]: `<-` stores a tensor or a number, found a str
 --> model.nn:5:7
  |
5 |     n <- "a"
  |       ^^
)");
}

TEST(States, InitialValuesThatDoNotFit) {
  EXPECT_EQ(checked(R"nn(model M {
  state a: i8[] = 300
  state b: i64[] = 1e300
  buffer c: i32[2] = -3e9
  buffer d: bool[2] = 2
  buffer e: i32[2] = 2.5
  buffer f: i64[2] = 1e18
  buffer g: bool[] = true
  fn forward(x: float[B, 4]) -> float[B, 4] requires B in 1..=8 = x
}
)nn"),
            R"(error[E0402]: 300 does not fit
 --> model.nn:2:19
  |
2 |   state a: i8[] = 300
  |                   ^^^ the slot holds i8

error[E0402]: 1e+300 does not fit
 --> model.nn:3:20
  |
3 |   state b: i64[] = 1e300
  |                    ^^^^^ the slot holds i64

error[E0402]: -3000000000 does not fit
 --> model.nn:4:22
  |
4 |   buffer c: i32[2] = -3e9
  |                      ^^^^ the slot holds i32

error[E0402]: 2 does not fit
 --> model.nn:5:23
  |
5 |   buffer d: bool[2] = 2
  |                       ^ the slot holds bool

error[E0402]: 2.5 is not an integer
 --> model.nn:6:22
  |
6 |   buffer e: i32[2] = 2.5
  |                      ^^^ the slot holds i32
)");
}

} // namespace nnc::frontend::testing
