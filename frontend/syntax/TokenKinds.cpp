//===- TokenKinds.cpp - Where tokens of a kind may stand ------------------------------------===//

#include "frontend/syntax/TokenKinds.h"

namespace nnc::syntax {

bool needsOperand(Tok kind) {
  switch (kind) {
  case Tok::LBrace:
  case Tok::Comma:
  case Tok::Colon:
  case Tok::Dot:
  case Tok::DotDot:
  case Tok::DotDotEq:
  case Tok::Bar:
  case Tok::Pipe:
  case Tok::Arrow:
  case Tok::LArrow:
  case Tok::Assign:
  case Tok::Plus:
  case Tok::Minus:
  case Tok::Star:
  case Tok::StarStar:
  case Tok::Slash:
  case Tok::SlashSlash:
  case Tok::Percent:
  case Tok::At:
  case Tok::EqEq:
  case Tok::NotEq:
  case Tok::Less:
  case Tok::LessEq:
  case Tok::Greater:
  case Tok::GreaterEq:
  case Tok::LParen:
  case Tok::LBracket:
  case Tok::KwImport:
  case Tok::KwAs:
  case Tok::KwFn:
  case Tok::KwModule:
  case Tok::KwModel:
  case Tok::KwTrain:
  case Tok::KwParam:
  case Tok::KwBuffer:
  case Tok::KwState:
  case Tok::KwTie:
  case Tok::KwRequires:
  case Tok::KwIf:
  case Tok::KwThen:
  case Tok::KwElse:
  case Tok::KwFor:
  case Tok::KwIn:
  case Tok::KwScan:
  case Tok::KwYield:
  case Tok::KwReturn:
  case Tok::KwAnd:
  case Tok::KwOr:
  case Tok::KwNot:
    return true;
  default:
    return false;
  }
}

bool continuesStatement(Tok kind) {
  switch (kind) {
  case Tok::Pipe:
  case Tok::RParen:
  case Tok::RBracket:
  case Tok::RBrace:
  case Tok::KwThen:
  case Tok::KwElse:
  case Tok::KwRequires:
  case Tok::Arrow:
  case Tok::Plus:
  case Tok::Minus:
  case Tok::Star:
  case Tok::StarStar:
  case Tok::Slash:
  case Tok::SlashSlash:
  case Tok::Percent:
  case Tok::EqEq:
  case Tok::NotEq:
  case Tok::Less:
  case Tok::LessEq:
  case Tok::Greater:
  case Tok::GreaterEq:
  case Tok::DotDot:
  case Tok::DotDotEq:
  case Tok::KwAnd:
  case Tok::KwOr:
  case Tok::KwIn:
    return true;
  default:
    return false;
  }
}

bool endsOperand(Tok kind) {
  switch (kind) {
  case Tok::Name:
  case Tok::Int:
  case Tok::Float:
  case Tok::String:
  case Tok::RParen:
  case Tok::RBracket:
  case Tok::KwTrue:
  case Tok::KwFalse:
  case Tok::KwNone:
  case Tok::Question:
  case Tok::KwInt:
  case Tok::KwStr:
  case Tok::KwDType:
    return true;
  default:
    return isElementType(kind);
  }
}

bool onlyStartsStatement(Tok kind) {
  switch (kind) {
  case Tok::KwModel:
  case Tok::KwTrain:
  case Tok::KwImport:
  case Tok::KwParam:
  case Tok::KwBuffer:
  case Tok::KwState:
  case Tok::KwTie:
  case Tok::KwReturn:
  case Tok::KwYield:
    return true;
  default:
    return false;
  }
}

bool startsDeclaration(Tok kind) {
  switch (kind) {
  case Tok::KwImport:
  case Tok::KwFn:
  case Tok::KwModule:
  case Tok::KwModel:
  case Tok::KwTrain:
  case Tok::KwParam:
  case Tok::KwBuffer:
  case Tok::KwState:
  case Tok::KwTie:
    return true;
  default:
    return false;
  }
}

} // namespace nnc::syntax
