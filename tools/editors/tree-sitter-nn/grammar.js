// The grammar of docs/language.md for tree-sitter. Line breaks are white space here: no statement can
// start with a binary operator, so that little is ambiguous without them; an attribute is an `@` that
// starts a line.
const PREC = {
  pipe: 1, choice: 1, or: 2, and: 3, not: 4, compare: 5, range: 6, sum: 7, product: 8, negate: 9, power: 10, postfix: 11,
};

const list = (rule) => optional(seq(rule, repeat(seq(",", rule)), optional(",")));
const some = (rule) => seq(rule, repeat(seq(",", rule)));

module.exports = grammar({
  name: "nn",
  word: ($) => $.identifier,
  extras: ($) => [/\s/, ";", $.comment],
  conflicts: ($) => [
    [$.tuple_target, $.parenthesized],
    [$._target, $._primary],
    [$.tuple, $.tuple_target],
  ],
  rules: {
    file: ($) => repeat($._item),
    comment: () => token(seq("#", /[^\n]*/)),

    _item: ($) => choice($.attribute, $.import, $.module, $.train, $.function, $.binding),
    attribute: ($) => prec.right(seq(choice("@", token(prec(1, /\n\s*@/))), field("name", $.identifier), optional($.arguments))),
    import: ($) => prec.right(seq("import", field("path", choice($.string, $.package)),
      optional(choice(seq("(", some($.identifier), ")"), seq("as", field("alias", $.identifier)))))),
    package: ($) => prec.right(seq($.identifier, repeat(seq(".", $.identifier)))),

    module: ($) => seq(choice("module", "model"), field("name", $.identifier),
      choice(seq(optional($.parameters), optional($.requires), $.body), seq("=", $._expression))),
    train: ($) => seq("train", field("name", $.identifier), "=", $._expression, $.body),
    body: ($) => seq("{", repeat(choice($.attribute, $.slot, $.tie, $.function, $.binding)), "}"),
    slot: ($) => prec.right(seq(field("kind", choice("param", "buffer", "state")), field("name", $.identifier), ":", $._type,
      optional($.key), optional(seq("=", $._expression)), optional(seq("if", $._expression)))),
    tie: ($) => prec.right(seq("tie", $._postfix, "=", $._postfix, optional(seq("if", $._expression)))),
    key: ($) => prec.right(seq("as", $.string, repeat(seq("|", $.string)))),

    function: ($) => seq("fn", field("name", $.identifier), $.parameters, optional(seq("->", $._result)), optional($.requires),
      choice(seq("=", $._expression), $.block)),
    parameters: ($) => seq("(", list($.parameter), ")"),
    parameter: ($) => seq(field("name", $.identifier), ":", $._type, optional($.key), optional(seq("=", $._expression))),
    _result: ($) => choice($._type, seq("(", some($.named_result), ")")),
    named_result: ($) => seq(field("name", $.identifier), ":", $._type),
    requires: ($) => prec.right(seq("requires", some($.guard))),
    guard: ($) => prec.right(seq($._expression, optional(seq(":", $.string)))),

    _type: ($) => choice($.tensor_type, $.scalar_type, $.list_type, $.tuple_type),
    tensor_type: ($) => seq($.element_type, "[", list($._dimension), "]", optional("?")),
    scalar_type: () => choice("int", "float", "bool", "str", "dtype", "fn", "module"),
    list_type: ($) => seq("[", $._type, "]"),
    tuple_type: ($) => seq("(", $._type, repeat1(seq(",", $._type)), ")"),
    element_type: () => choice("float", "f32", "f16", "bf16", "f8e4m3", "f8e5m2", "i4", "i8", "i32", "i64", "bool"),
    _dimension: ($) => choice($.pack, $._expression),
    pack: ($) => prec.right(seq("...", optional($.identifier))),

    block: ($) => seq("{", repeat($._statement), "}"),
    _statement: ($) => choice($.binding, $.update, $.return, $.yield, $.for, $.if, $.scan),
    binding: ($) => prec.right(seq(some($._target), "=", choice($.scan, seq($._expression, optional($.key))))),
    _target: ($) => choice(seq(field("name", $.identifier), optional(seq(":", $._type))), $.tuple_target),
    tuple_target: ($) => seq("(", some($._target), ")"),
    update: ($) => seq($._postfix, "<-", $._expression),
    return: ($) => prec.right(seq("return", some($._expression))),
    yield: ($) => prec.right(seq("yield", some($._expression))),
    for: ($) => seq("for", some($._target), "in", $._expression, $.block),
    if: ($) => prec.right(seq("if", $._expression, $.block, optional(seq("else", choice($.if, $.block))))),
    scan: ($) => seq("scan", some($._target), "in", some($._expression), "axis", optional("-"), $.integer, optional("reverse"), $.block),

    _expression: ($) => choice($.choice, $.pipe, $.binary, $.unary, $._postfix),
    choice: ($) => prec.right(PREC.choice, seq("if", $._expression, "then", $._expression, "else", $._expression)),
    pipe: ($) => prec.left(PREC.pipe, seq($._expression, "|>", $._postfix)),
    binary: ($) => choice(
      prec.left(PREC.or, seq($._expression, "or", $._expression)),
      prec.left(PREC.and, seq($._expression, "and", $._expression)),
      prec.left(PREC.compare, seq($._expression, choice("==", "!=", "<", "<=", ">", ">=", "in"), $._expression)),
      prec.left(PREC.range, seq($._expression, choice("..", "..="), $._expression)),
      prec.left(PREC.sum, seq($._expression, choice("+", "-"), $._expression)),
      prec.left(PREC.product, seq($._expression, choice("*", "/", "//", "%", "@"), $._expression)),
      prec.right(PREC.power, seq($._expression, "**", $._expression))),
    unary: ($) => choice(prec(PREC.not, seq("not", $._expression)), prec(PREC.negate, seq("-", $._expression))),

    _postfix: ($) => choice($.call, $.index, $.member, $._primary),
    call: ($) => prec.left(PREC.postfix, seq(field("callee", choice($._postfix, alias("int", $.identifier))), $.arguments)),
    arguments: ($) => seq("(", list($._argument), ")"),
    _argument: ($) => choice($.named_argument, $._expression),
    named_argument: ($) => prec(1, seq(field("name", $.identifier), "=", $._expression)),
    index: ($) => prec.left(PREC.postfix, seq($._postfix, "[", some($._index_item), "]")),
    _index_item: ($) => choice("...", $.slice, $._expression),
    slice: ($) => prec.right(seq(optional($._expression), ":", optional($._expression), optional(seq(":", optional($._expression))))),
    member: ($) => prec.left(PREC.postfix, seq($._postfix, ".", field("name", $.identifier))),

    _primary: ($) => choice($.integer, $.float, $.string, $.boolean, $.none, $.identifier, $.element_type, $.list, $.parenthesized,
      $.tuple),
    parenthesized: ($) => seq("(", $._expression, ")"),
    tuple: ($) => seq("(", $._expression, ",", list($._expression), ")"),
    list: ($) => seq("[", optional(choice($.comprehension, seq($._element, repeat(seq(",", $._element)), optional(",")))), "]"),
    _element: ($) => prec.right(seq($._expression, optional($.key))),
    comprehension: ($) => seq($._element, "for", some($._target), "in", $._expression, optional(seq("if", $._expression))),

    boolean: () => choice("true", "false"),
    none: () => "none",
    integer: () => /[0-9][0-9_]*/,
    float: () => /[0-9][0-9_]*(\.[0-9][0-9_]*([eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+)/,
    string: () => token(seq('"', repeat(choice(/[^"\\\n]/, /\\./)), '"')),
    identifier: () => /[A-Za-z_][A-Za-z0-9_]*/,
  },
});
