(comment) @comment
((comment) @comment.documentation (#match? @comment.documentation "^##"))
(string) @string
((string) @string.special (#match? @string.special "->"))
[(integer) (float)] @number
(boolean) @boolean
(none) @constant.builtin

["module" "model" "train" "fn" "param" "buffer" "state" "tie"] @keyword
["import" "as"] @keyword.import
["requires" "if" "then" "else" "for" "in" "scan" "axis" "reverse" "yield" "return"] @keyword.control
["and" "or" "not"] @keyword.operator
["|>" "->" "<-" "=" "==" "!=" "<" "<=" ">" ">=" "+" "-" "*" "/" "//" "%" "@" "**" ".." "..=" "..." "?" "|"] @operator
["(" ")" "[" "]" "{" "}"] @punctuation.bracket
["," ":" "."] @punctuation.delimiter

(identifier) @variable
((identifier) @constant.builtin (#match? @constant.builtin "^(inf|pi|training)$"))
(element_type) @type.builtin
(scalar_type) @type.builtin
(tensor_type (identifier) @type (#match? @type "^[A-Z]"))
(pack (identifier) @type)
(attribute name: (identifier) @attribute)
(module name: (identifier) @type)
(train name: (identifier) @type)
(function name: (identifier) @function)
(slot name: (identifier) @variable.member)
(parameter name: (identifier) @variable.parameter)
(named_result name: (identifier) @variable.parameter)
(named_argument name: (identifier) @variable.parameter)
(member name: (identifier) @variable.member)
(call callee: (identifier) @function.call)
(call callee: (member name: (identifier) @function.call))
(pipe (identifier) @function.call)
