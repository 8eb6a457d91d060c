//===- Syntax.h - What this folder offers ---------------------------------------------------===//
//
// One include for users of the front of the front end: from text to tree, tree and tokens as text,
// the formatter, and the explanations of error codes.
//
//===----------------------------------------------------------------------------------------===//

#ifndef NNC_FRONTEND_SYNTAX_SYNTAX_H
#define NNC_FRONTEND_SYNTAX_SYNTAX_H

#include "frontend/syntax/AST.h"
#include "frontend/syntax/Diagnostics.h"
#include "frontend/syntax/Explain.h"
#include "frontend/syntax/Format.h"
#include "frontend/syntax/Lexer.h"
#include "frontend/syntax/NamesAt.h"
#include "frontend/syntax/Parser.h"
#include "frontend/syntax/Pattern.h"
#include "frontend/syntax/Render.h"
#include "frontend/syntax/Signature.h"
#include "frontend/syntax/Source.h"

#endif // NNC_FRONTEND_SYNTAX_SYNTAX_H
