// Package engine runs factorizations: one pass over X an iteration, whatever
// the solver, the kind of X and the number of factor pairs.
//
// Both factors are tall and row-major, W (m x k) and Hᵀ (n x k), so that both
// half-steps are the same row problem (package solver). For every block of
// rows of X a pass forms C = X_b·Hᵀ and updates the rows of W tile by tile,
// and then, while the block is in cache, adds X_bᵀ·W_b to Q and W_bᵀ·W_b to S;
// after the last block Hᵀ is updated from Q and S. This is the textbook order
// (all of W, then all of H) with X read from memory once.
//
// # Factor pairs side by side
//
// Restarts, several ranks k and hold-out folds share the passes: their
// factors stand side by side in the rows of one stack, each at its own offset.
// What a pair becomes does not depend on its neighbours.
//
// # Same bits
//
// Every number is formed by one task, in an order that depends on the shape
// alone: rows of C and W by tiles of rows; rows of Q by columns of X, summed
// over the blocks in order; sums over tiles by parts of a fixed size added in
// order. So there are no accumulators for each worker, no reduction over
// them, and the factors are the same for any number of workers.
package engine
