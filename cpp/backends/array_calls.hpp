// Loops over runs of elements that the tile machine does not do: ops by their kernels, conversions,
// copies and folds. array_code looks them up, array_group calls them on one block after the other.
#pragma once

#include "ops/kernels.hpp"
#include "program/group.hpp"

namespace tapegrad {

// The loop of an op without kernel: where, cast, real, imag or conjugate.
Loop conversion_loop(const MicroOp& op);
Loop copy_loop(DType dtype);

// Loops over pieces are told two strides more: the bytes from one piece to the next of the argument
// that lies in pieces, and the elements of a piece.
enum PieceStride { kPieceStep = 2, kPieceLength = 3 };
// From an array in pieces to one in order.
Loop copy_pieces_loop(DType dtype);

// A reduction. Along a row it goes on in `lanes`, numbers that are folded side by side; from time
// to time these are folded into one, and what comes out of that is summed pairwise (the cascade),
// so that the error grows with the logarithm of the number of elements.
struct FoldLoops {
  DType result;  // of lanes and output
  std::int64_t cascade_bytes;
  void (*reset)(char* lanes, std::int64_t n);
  void (*reset_cascade)(char* cascade);
  void (*flush)(char* lanes, std::int64_t n, char* cascade);  // and resets the lanes
  void (*finish)(char* cascade, char* out);  // folds into `out`, and resets the cascade
  Loop row;                                  // arguments: x, one lane
  Loop column;  // arguments: x, out: folds each element into that of `out`
  Loop merge;   // the same for x of the result's dtype
  Loop pieces;  // the same for a result of each piece
};
const FoldLoops& fold_loops(Op reduction, DType dtype);

}  // namespace tapegrad
