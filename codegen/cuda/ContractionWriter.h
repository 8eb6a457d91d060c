// Writes the kernel of a product or convolution on one of the tile templates.
#ifndef NNC_CODEGEN_CUDA_CONTRACTIONWRITER_H
#define NNC_CODEGEN_CUDA_CONTRACTIONWRITER_H

#include "codegen/cuda/Contraction.h"
#include "codegen/cuda/GemmTiles.h"

namespace nnc::codegen {

class ContractionWriter : Contraction {
public:
  ContractionWriter(const KernelBody &body, bool isResident)
      : Contraction(body), isResident(isResident) {}

  Result<Scheduled> write();
  /// The same on pipeline.cuh or direct.cuh, if that suits the product.
  std::optional<Scheduled> writeSpecial();

private:
  /// Whether the part is known to be much smaller than every tile.
  bool isFew(Part part) const {
    std::optional<int64_t> extent = math.constantOf(extentOf(part));
    return extent && *extent < 4;
  }
  bool isTallAndThin() const;
  mlir::Type tensorCoreType();
  std::string key(mlir::Type type);
  template <typename Tile>
  Tile choose(mlir::Type type, const char *name, const std::vector<Tile> &ranked);
  std::string corner() const;
  mlir::AffineExpr tilesOf(unsigned rows, unsigned columns) const;
  template <typename Tile>
  Scheduled writeTiles(const char *name, const Tile &tile, mlir::Type type, TileSteps steps,
                       const std::string &last = "");
  Scheduled writeOnCores();
  Scheduled writeOnTensorCores(mlir::Type type);
  bool suitsFma() const;
  Scheduled writeOnFma();

  void writeTiling(const std::string &tile, unsigned split, const std::string &last = "");
  void writeOperand(const std::string &name, const Factor &factor, const std::string &side,
                    mlir::Type type);
  /// Whether memory may run along an operand's side, which needs tiles that loops have no room for.
  bool mayLieAcross() const { return body.threads == 0; }
  TileSteps stepsOf(mlir::Type type);

  //===- ContractionSpecial.cpp ---------------------------------------------------------------===//
  std::optional<PipelineTile> choosePipeline(mlir::Type type);
  Result<Scheduled> writeResident(mlir::Type type);
  bool canStay(const Evaluator::Address &address) const;
  std::optional<Scheduled> writePipeline(mlir::Type type);
  void writeElsewhere(Scheduled &scheduled, mlir::Type type);
  std::optional<Scheduled> writeDirect(mlir::Type type);

  //===- ContractionStores.cpp ----------------------------------------------------------------===//
  bool storesVectors() const;
  void writeStore(unsigned width);
  void writeStoreOfPieces(mlir::Type type);
  /// Behind a template's other arguments: what sums are.
  std::string sumText() const;
  void writeVectors(mlir::AffineExpr row, unsigned width, Evaluator::AheadLoads *ahead);
  void writeAhead(unsigned width, const Evaluator::AheadLoads &ahead);
  void writeLoads(const std::string &type, const std::string &functor,
                  const std::string &parameters, unsigned width,
                  llvm::ArrayRef<Evaluator::AheadLoad> loads);

  /// Neighbours of a row that a thread stores together.
  static constexpr unsigned StoreWidth = 8;
  /// Which loads the functor that stores leaves to others: all to one, or those that the row does
  /// not decide to a second one.
  enum class Ahead { None, All, ByRows };
  bool isResident;    ///< whether the right factor is to stay in shared memory
  mlir::Type rounded; ///< what sums are rounded to before they come to that functor, if at all
  Ahead aheadLoads = isResident ? Ahead::All : Ahead::None;
};

} // namespace nnc::codegen

#endif // NNC_CODEGEN_CUDA_CONTRACTIONWRITER_H
