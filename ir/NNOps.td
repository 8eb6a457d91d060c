// The whole dialect in one place, for the generated documentation only.
include "NNElementwise.td"
include "NNShape.td"
include "NNCompute.td"
include "NNTraining.td"
include "NNKernel.td"
