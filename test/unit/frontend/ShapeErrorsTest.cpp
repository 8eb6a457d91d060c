// The whole text of errors about shapes and elements, as LANGUAGE's section on diagnostics shows
// them.
#include "test/unit/frontend/Compiling.h"

#include <gtest/gtest.h>

namespace nnc::frontend::testing {

TEST(ShapeErrors, WrongNumberOfFeatures) {
  EXPECT_EQ(checked(R"nn(## LeNet-5 for 28x28 digits.
model LeNet(classes: int = 10) {
  conv1 = Conv2d(1, 6, 5, padding=2)
  conv2 = Conv2d(6, 16, 5)
  fc1 = Linear(16 * 4 * 4, 120)
  fc2 = Linear(120, 84)
  fc3 = Linear(84, classes)

  fn forward(image: float[B, 1, 28, 28]) -> float[B, classes] requires B in 1..=1024 {
    x = image |> conv1 |> tanh |> avg_pool(2) |> conv2 |> tanh |> avg_pool(2)
    x = x |> rearrange("b c h w -> b (c h w)")
    return x |> fc1 |> tanh |> fc2 |> tanh |> fc3
  }
}
)nn",
                    "lenet.nn"),
            R"(error[E0301]: `fc1` takes 256 features, this value has 400
  --> lenet.nn:12:17
   |
 5 |   fc1 = Linear(16 * 4 * 4, 120)
   |                ---------- `d_in` = 256 comes from here
12 |     return x |> fc1 |> tanh |> fc2 |> tanh |> fc3
   |                 ^^^ expected float[..., 256], found float[B, 400]
   |
   = note: 400 = (c h w) of float[B, 16, 5, 5], at lenet.nn:11:14
help: make `d_in` 400
 5 |   fc1 = Linear(400, 120)
   |                ~~~
)");
}

TEST(ShapeErrors, StretchingBothOperands) {
  EXPECT_EQ(checked(R"nn(## House prices.
module Net() {
  fc = Linear(8, 1)
  fn forward(x: float[B, 8]) -> float[B, 1] = fc(x)
}

model Price() {
  net = Net()
  fn loss(x: float[B, 8], y: float[B]) -> f32[] requires B in 1..=64 {
    return f32(mean((net(x) - y) ** 2))
  }
}
)nn",
                    "price.nn"),
            R"(error[E0302]: `-` would stretch both operands
  --> price.nn:10:29
   |
10 |     return f32(mean((net(x) - y) ** 2))
   |                      ------ ^ - float[B]
   |                      |
   |                      float[B, 1]
   |
   = note: NumPy rules would give float[B, B]
help: drop the extra axis
10 |     return f32(mean((net(x)[:, 0] - y) ** 2))
   |                            ++++++
)");
}

TEST(ShapeErrors, UnprovableSizesOfAUNet) {
  EXPECT_EQ(checked(R"nn(fn up2(x: float[B, C, H, W]) -> float[B, C, 2 * H, 2 * W] {
  a = concat([x, x], axis=2)
  return concat([a, a], axis=3)
}

model UNet() {
  fn forward(x: float[B, 3, H, W]) -> float[B, 6, H, W]
  requires B in 1..=16, H in 16..=1024, W in 16..=1024 {
    y = x |> max_pool(2) |> up2
    return concat([x, y], axis=1)
  }
}
)nn",
                    "unet.nn"),
            R"(error[E0304]: cannot prove that these sizes are equal in `concat` along axis 1
  --> unet.nn:10:12
   |
10 |     return concat([x, y], axis=1)
   |            ^^^^^^
   |
   = note: axis 2 of `x` is H, of `y` is 2 * (H // 2); they differ when H = 17
help: require what the network relies on
 8 |   requires B in 1..=16, H in 16..=1024, W in 16..=1024, H % 2 == 0, W % 2 == 0 {
   |                                                       ++++++++++++++++++++++++
)");
}

TEST(ShapeErrors, TheGuardMakesThemEqual) {
  EXPECT_EQ(checked(R"nn(fn up2(x: float[B, C, H, W]) -> float[B, C, 2 * H, 2 * W] {
  a = concat([x, x], axis=2)
  return concat([a, a], axis=3)
}

model UNet() {
  fn forward(x: float[B, 3, H, W]) -> float[B, 6, H, W]
  requires B in 1..=16, H in 16..=1024, W in 16..=1024, H % 2 == 0, W % 2 == 0 {
    y = x |> max_pool(2) |> up2
    return concat([x, y], axis=1)
  }
}
)nn"),
            "");
}

TEST(ShapeErrors, UnprovableSizesOfACall) {
  EXPECT_EQ(checked(R"nn(fn add(x: float[B, N], y: float[B, N]) -> float[B, N] = x + y

model M() {
  fn forward(x: float[B, N]) -> float[B, N] requires B in 1..=4, N in 2..=8 {
    return add(x, concat([x[:, ::2], x[:, ::2]], axis=1))
  }
}
)nn"),
            R"(error[E0304]: cannot prove that these sizes are equal in `add` along axis 1
 --> model.nn:5:19
  |
5 |     return add(x, concat([x[:, ::2], x[:, ::2]], axis=1))
  |                -  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ expected float[B, N], found float[B, 2 * ((N + 1) // 2)]
  |                |
  |                `N` = N comes from here
  |
  = note: N is expected, this value has 2 * ((N + 1) // 2); they differ when N = 3
help: require what the network relies on
4 |   fn forward(x: float[B, N]) -> float[B, N] requires B in 1..=4, N in 2..=8, N % 2 == 0 {
  |                                                                            ++++++++++++
)");
}

TEST(ShapeErrors, ElementsMixInAModuleByItself) {
  EXPECT_EQ(checked(R"nn(module RMSNorm(dim: int, eps: float = 1e-6) {
  param weight: float[dim] = 1

  fn forward(x: float[..., dim]) -> float[..., dim] {
    h = f32(x)
    h = h * rsqrt(mean(h ** 2, axis=-1, keep=true) + eps)
    return h * weight
  }
}
)nn",
                    "norm.nn"),
            R"(error[E0401]: `*` mixes f32 and float
 --> norm.nn:7:14
  |
7 |     return h * weight
  |            - ^ ------ float[dim]
  |            |
  |            f32[..., dim]
  |
  = note: `float` is the working precision; it differs from f32 under `@precision(bf16)`
help: cast back to the working precision
7 |     return float(h) * weight
  |            ++++++ +
)");
}

TEST(ShapeErrors, AnArgumentOfAnotherElement) {
  EXPECT_EQ(compiled(model("  fc = Linear(4, 4)\n", "    return fc(f32(x))\n")),
            R"(error[E0401]: `fc` takes float, this value is f32
 --> model.nn:4:15
  |
4 |     return fc(f32(x))
  |               ^^^^^^ expected float[..., 4], found f32[B, 4]
  |
  = note: `float` is the working precision; it differs from f32 under `@precision(bf16)`
help: cast it with `float(...)`
)");
}

TEST(ShapeErrors, AWrongNumberOfAxes) {
  EXPECT_EQ(compiled(model("  conv = Conv2d(3, 4, 3)\n", "    return x |> conv\n")),
            R"(error[E0306]: `conv` takes 4 axes, this value has 2
 --> model.nn:4:17
  |
4 |     return x |> conv
  |                 ^^^^ expected float[B, 3, H, W], found float[B, 4]
)");
}

TEST(ShapeErrors, AResultThatIsNotAsDeclared) {
  EXPECT_EQ(compiled(model("", "    return x[:, : 2]\n")),
            R"(error[E0301]: `forward` is declared to return 4 along axis 1, this value has 2
 --> model.nn:3:12
  |
2 |   fn forward(x: float[B, 4]) -> float[B, 4] requires B in 1..=4 {
  |                                 ----------- declared here
3 |     return x[:, : 2]
  |            ^^^^^^^^^ expected float[B, 4], found float[B, 2]
)");
}

TEST(ShapeErrors, VariablesOfASignatureAgree) {
  EXPECT_EQ(compiled("fn add(a: float[T], b: float[T]) -> float[T] = a + b\n" +
                     model("", "    y = add(x[0], x[0, :3])\n    return x\n")),
            R"(error[E0301]: `add` takes 4 along axis 0 in `b`, this value has 3
 --> model.nn:4:19
  |
4 |     y = add(x[0], x[0, :3])
  |             ----  ^^^^^^^^ expected float[4], found float[3]
  |             |
  |             `T` = 4 comes from here
)");
}

TEST(ShapeErrors, AnnotationsAreCheckedAndBind) {
  EXPECT_EQ(compiled(model("", "    y: float[B, N] = x\n    z: float[N] = x[0]\n    return x\n")),
            "");
  EXPECT_EQ(compiled(model("", "    y: float[B, 5] = x\n    return x\n")),
            R"(error[E0301]: `y` is declared to be 5 along axis 1, this value has 4
 --> model.nn:3:22
  |
3 |     y: float[B, 5] = x
  |        -----------   ^ expected float[B, 5], found float[B, 4]
  |        |
  |        declared here
)");
}

/// Also where the result's type is read after the body failed, whose values are gone by then.
TEST(ShapeErrors, SizesThatTensorsCompute) {
  EXPECT_EQ(checked(R"nn(fn doubled(x: float[B, C]) -> float[B, x + x] = concat([x, y], axis=1)
fn tripled(x: float[B, C]) -> float[B, x * 3] = x
model Net(d: int = 4) {
  fn forward(x: float[B, d]) -> float[B, d] requires B in 1..=8 {
    y: float[B, mean(x)] = x
    z: float[B, -x] = tripled(x)
    return doubled(x)
  }
}
)nn"),
            R"(error[E0201]: unknown name `y`
 --> model.nn:1:60
  |
1 | fn doubled(x: float[B, C]) -> float[B, x + x] = concat([x, y], axis=1)
  |                                                            ^ not defined here

error[E0403]: a size is an int
 --> model.nn:2:40
  |
2 | fn tripled(x: float[B, C]) -> float[B, x * 3] = x
  |                                        ^^^^^ this computes a tensor when the model runs
  |
  = note: sizes are known before it runs

error[E0403]: a size is an int
 --> model.nn:5:17
  |
5 |     y: float[B, mean(x)] = x
  |                 ^^^^^^^ this computes a tensor when the model runs
  |
  = note: sizes are known before it runs
)");
}

} // namespace nnc::frontend::testing
