/* canonicalise: brings the many ways of writing the same thing into one form, so that later passes need to know only
   that one. Constants stand right of commutative ops, chains of reshapes, transposes and slices become one, transposes
   move toward results until they cancel, padding and dilation move into convolutions.      needs: shapes      keeps:
   shapes, order */
#include "canonicalise.h"

static const Rule rules[] = {
    {"constant to the right", OP_NONE, OP_FLAG_COMMUTES, rule_constant_right},
    {"neutral operand", OP_NONE, OP_FLAG_EWISE, rule_neutral},
    {"subtracting a constant is adding its negative", OP_SUB, 0, rule_subtract_constant},
    {"join constants", OP_NONE, OP_FLAG_COMMUTES, rule_join_constants},
    {"simple power", OP_POW, 0, rule_power},
    {"divide by a constant", OP_DIV, 0, rule_divide_by_constant},
    {"reciprocal of a root", OP_DIV, 0, rule_reciprocal_root},
    {"double negation", OP_NONE, OP_FLAG_EWISE, rule_double_negation},
    {"negated operand", OP_NONE, OP_FLAG_EWISE, rule_negated_operand},
    {"known condition", OP_SELECT, 0, rule_select_known},
    {"double cast", OP_CAST, 0, rule_double_cast},
    {"operand need not be broadcast", OP_NONE, OP_FLAG_EWISE | OP_FLAG_CONTRACTION, rule_drop_broadcast},
    {"constant without unit dims", OP_NONE, OP_FLAG_EWISE, rule_drop_unit_dims},
    {"operand was squeezed", OP_NONE, OP_FLAG_EWISE, rule_operand_squeezed},
    {"same operands", OP_NONE, OP_FLAG_COMMUTES, rule_same_operands},
    {"reshape behind element-wise op", OP_NONE, OP_FLAG_EWISE, rule_reshape_behind},
    {"reshape of reshape", OP_RESHAPE, 0, rule_reshape_chain},
    {"broadcast of broadcast", OP_BROADCAST, 0, rule_broadcast_chain},
    {"slice of everything", OP_SLICE, 0, rule_slice_whole},
    {"slice of slice", OP_SLICE, 0, rule_slice_chain},
    {"slice of concat", OP_SLICE, 0, rule_slice_of_concat},
    {"slice of pad", OP_SLICE, 0, rule_slice_of_pad},
    {"concat of one", OP_CONCAT, 0, rule_concat_one},
    {"concat of concat", OP_CONCAT, 0, rule_concat_flat},
    {"concat of the same is a broadcast", OP_CONCAT, 0, rule_concat_same},
    {"repeated slices are a broadcast", OP_CONCAT, 0, rule_concat_repeated},
    {"concat of neighbouring slices", OP_CONCAT, 0, rule_concat_slices},
    {"pad by nothing", OP_PAD, 0, rule_pad_nothing},
    {"reverse of nothing", OP_REVERSE, 0, rule_reverse_nothing},
    {"reduce of single elements", OP_REDUCE, 0, rule_reduce_units},
    {"gather at constants", OP_GATHER, 0, rule_gather_constant},
    {"scatter of every row", OP_SCATTER_ND, 0, rule_scatter_everything},
    {"slice at constants", OP_DYNAMIC_SLICE, 0, rule_dynamic_slice_constant},
    {"transpose of transpose", OP_TRANSPOSE, 0, rule_transpose_chain},
    {"transpose of unit dims is a reshape", OP_TRANSPOSE, 0, rule_transpose_units},
    {"transpose behind element-wise op", OP_NONE, OP_FLAG_EWISE, rule_transpose_scalar},
    {"transpose behind pad", OP_PAD, 0, rule_transpose_pad},
    {"transpose behind reduce", OP_REDUCE, 0, rule_transpose_reduce},
    {"transpose behind concat", OP_CONCAT, 0, rule_transpose_concat},
    {"transpose behind slice", OP_SLICE, 0, rule_transpose_slice},
    {"transpose into matmul", OP_MATMUL, 0, rule_transpose_matmul},
    {"pad into window", OP_CONV, 0, rule_pad_into_window},
    {"pad into window", OP_POOL, 0, rule_pad_into_window},
    {"batch_to_space before element-wise op", OP_BATCH_TO_SPACE, 0, rule_batch_to_space_last},
    {"batch_to_space before reshape", OP_BATCH_TO_SPACE, 0, rule_batch_to_space_reshape},
    {"space_to_batch behind reshape", OP_RESHAPE, 0, rule_space_to_batch_reshape},
    {"dilated convolution", OP_BATCH_TO_SPACE, 0, rule_dilated_convolution},
    {"space_to_batch and back", OP_BATCH_TO_SPACE, 0, rule_batch_space_pair},
    {"repeated pixels are a resize", OP_RESHAPE, 0, rule_spread_is_resize},
    {"resize of resize", OP_RESIZE, 0, rule_resize_chain},
    {"resize to the same size", OP_RESIZE, 0, rule_resize_nothing},
    {"rows of all batches in one matmul", OP_MATMUL, 0, rule_matmul_flat},
};

bool pass_canonicalise(Unit *u) {
    return rewrite_run(u, "canonicalise", rules, ARRAY_LEN(rules));
}
