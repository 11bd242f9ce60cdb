/* canonicalise: the rule functions of the canonicalise_<family>.c files, gathered into one table by canonicalise.c. */
#ifndef TFOPT_PASSES_CANONICALISE_H
#define TFOPT_PASSES_CANONICALISE_H
#include "rewrite.h"

/* canonicalise_scalar.c */
RuleFn rule_constant_right, rule_neutral, rule_subtract_constant, rule_join_constants, rule_power,
    rule_divide_by_constant, rule_double_negation, rule_select_known, rule_double_cast, rule_reciprocal_root,
    rule_negated_operand, rule_drop_broadcast, rule_drop_unit_dims, rule_operand_squeezed, rule_same_operands;
/* Whether no element of v is negative (NaN may be): what relu and its kin end in, squares, and sums and means of such.
 */
bool is_never_negative(const Graph *g, ValueId v, int depth);
/* canonicalise_shape.c */
RuleFn rule_reshape_chain, rule_broadcast_chain, rule_slice_whole, rule_slice_chain, rule_slice_of_concat,
    rule_slice_of_pad, rule_concat_one, rule_concat_flat, rule_concat_slices, rule_pad_nothing, rule_reverse_nothing,
    rule_reduce_units, rule_gather_constant, rule_dynamic_slice_constant, rule_reshape_behind, rule_scatter_everything;
/* canonicalise_transpose.c */
RuleFn rule_transpose_chain, rule_transpose_units, rule_transpose_scalar, rule_transpose_pad, rule_transpose_reduce,
    rule_transpose_concat, rule_transpose_slice, rule_transpose_matmul;
/* canonicalise_spread.c */
RuleFn rule_concat_same, rule_concat_repeated, rule_spread_is_resize, rule_resize_chain;
/* canonicalise_window.c */
RuleFn rule_pad_into_window, rule_batch_to_space_last, rule_batch_to_space_reshape, rule_space_to_batch_reshape,
    rule_dilated_convolution, rule_batch_space_pair, rule_resize_nothing, rule_matmul_flat;
#endif
