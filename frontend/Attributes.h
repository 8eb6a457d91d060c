// `@name(...)`: what the attributes that the front end reads say. Which may stand where is in
// AttributePlaces.h.
#pragma once

#include "frontend/Evaluator.h"
#include "frontend/Frontend.h"

namespace nnc::frontend {

/// `@quant("**.weight", i4, group=128, act=i8, zero=true)`.
struct QuantRule {
  std::string glob;
  Element element = Element::I8; ///< i8, i4 or f8e4m3
  int64_t group = 0;             ///< along the input axis; 0: one scale per output channel
  bool zero = false;             ///< asymmetric
  std::optional<Element> act;    ///< i8 or f8e4m3: activations of its products too
  syntax::Span globSpan;
};

/// `@weights` of a model, if it has one. False after an error.
bool readWeights(Evaluator &evaluator, const syntax::ModuleStmt &model,
                 std::optional<DefaultWeights> &weights);
/// Every `@quant` of a model, in order. False after an error.
bool readQuants(Evaluator &evaluator, const syntax::ModuleStmt &model,
                std::vector<QuantRule> &rules);
/// What `@precision` of a declaration makes of the precision around it, evaluated in the current
/// frame; nothing, and no error, where it has none. `ok` is false after an error.
std::optional<Precision> readPrecision(Evaluator &evaluator, const syntax::Stmt &stmt,
                                       const Precision &around, bool &ok);

} // namespace nnc::frontend
