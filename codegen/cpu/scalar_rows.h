/* scalar_rows: functions that rows of the table in scalar.c name, by the files that they are in. */
#ifndef TFOPT_CPU_SCALAR_ROWS_H
#define TFOPT_CPU_SCALAR_ROWS_H
#include "codegen/cpu/scalar.h"

typedef EmitValue ScalarFn(Emit *e, ScalarCall *c);
/* scalar_int.c */
ScalarFn int_div, int_floordiv, int_floormod, int_truncmod, int_pow, int_neg, int_abs, uint_sign, sint_sign, int_not,
    int_popcount, int_shl, int_shr;
/* scalar_convert.c */
ScalarFn scalar_cast, scalar_bitcast;
/* x, an f32 in a register, rounded to the values that the short float type t has (others: x). */
EmitValue scalar_round_to(Emit *e, EmitValue x, DType t);
#endif
