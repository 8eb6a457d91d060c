//===- TokenKinds.h - Where tokens of a kind may stand --------------------------------------===//
//
// What decides which line breaks end a statement, and where parsing can go on after an error.
//
//===----------------------------------------------------------------------------------------===//

#ifndef NNC_FRONTEND_SYNTAX_TOKENKINDS_H
#define NNC_FRONTEND_SYNTAX_TOKENKINDS_H

#include "frontend/syntax/Lexer.h"

namespace nnc::syntax {

/// A line break after these does not end a statement: they need an operand.
bool needsOperand(Tok kind);
/// A line that starts with one of these goes on with the statement: none can start one.
bool continuesStatement(Tok kind);
/// An operand may end with these.
bool endsOperand(Tok kind);
/// Words that can only be the first of a statement, wherever they stand.
bool onlyStartsStatement(Tok kind);
/// Words that declarations and their like begin with.
bool startsDeclaration(Tok kind);

} // namespace nnc::syntax

#endif // NNC_FRONTEND_SYNTAX_TOKENKINDS_H
