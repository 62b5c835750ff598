// The geometry of a group: cut into boxes inside which no array needs a window, axes merged and put
// in order. Called by array_group when a group is prepared.
#pragma once

#include "program/group.hpp"

namespace tapegrad {

// Buffers that are not in a call's table: zeros, and the scratch memory of a call.
inline constexpr BufferId kZeros = 0xffffffffu, kScratch = 0xfffffffeu;

struct Domain {
  Dims shape;
  std::vector<Access> accesses;  // the loads, then the stores, then the reductions
  std::size_t loads = 0, stores = 0;
  // The last axis may consist of pieces of so many elements, in which an access is linear, and
  // `steps` bytes apart. 0: every access is linear on all of it.
  std::int64_t piece = 0;
  std::vector<std::int64_t> steps;

  bool in_order(std::size_t access) const {
    return piece == 0 || steps[access] == piece * accesses[access].strides.back();
  }
};

Domain domain_of(const Group& group);

// The part with index [first, last) on one axis.
Domain part_of(const Domain& domain, std::size_t axis, std::int64_t first, std::int64_t last);

// Boxes that make up the domain, without windows: a load is linear in each, or zero. A wrap makes a
// box for each period of the source on the axis, a roll hence two.
std::vector<Domain> cut_windows(const Domain& domain);

// Leaves out axes of length 1, merges those that every access walks as one, and puts last the axis
// that is cheapest to run along, for code of `ops` ops. A short one is joined with the axis before
// it, in pieces, if all stores and results are in order then, or reductions of the pieces. At least
// one axis is left.
void order_axes(Domain& domain, std::size_t ops);

}  // namespace tapegrad
