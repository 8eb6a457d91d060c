// `@kernel("name")`: functions whose body the compiler has a kernel for. The body is checked and
// emitted like any other and stays the definition; where a kernel exists for the sizes at hand, one
// operation takes its place.
#pragma once

#include "frontend/Evaluator.h"

namespace nnc::frontend {

/// The names that `@kernel` takes.
std::vector<std::string_view> kernelNames();

/// E0212 if `attribute` names no kernel, or one for functions of another signature.
bool checkKernel(Evaluator &evaluator, const syntax::Attribute &attribute,
                 const syntax::FnStmt &fn);

/// After the body of `fn` has been emitted into the function that ends at the builder's place: puts
/// the kernel's operation there instead, if `fn` has a kernel that does these sizes, and makes
/// `result` its value. `arguments` are those of the function, one per formal. False after E0212.
bool useKernel(Evaluator &evaluator, const syntax::FnStmt &fn, std::vector<Value> arguments,
               Value &result);

} // namespace nnc::frontend
