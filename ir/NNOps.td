// The whole dialect in one place, for the generated documentation only.
include "NNElementwise.td"
include "NNShape.td"
include "NNCompute.td"
include "NNKernel.td"
