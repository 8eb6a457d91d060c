# `cmake --install`: tools, libraries, public headers and the package that find_package(nnc) finds.
