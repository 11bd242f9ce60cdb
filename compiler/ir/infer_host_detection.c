/* Host ops that pick boxes from detections. How many they keep is known only after they ran, so that size becomes a symbol, bounded by the
   number of boxes and, where it is constant, by the number asked for. */
#include "ir/host.h"
#include "ir/infer_common.h"

InferFn hostinfer_non_max_suppression;

/* (boxes [n,4], scores [n], max_output_size, iou_threshold, score_threshold …) -> s32 [kept], then as many more results as the row has */
bool hostinfer_non_max_suppression(Infer *c) {
    if (c->n->n_inputs < 3) return infer_error(c, "needs boxes, scores and a size");
    if (!infer_classes(c, 0, "F") || !infer_rank(c, 0, 2) || !infer_rank(c, 1, 1) || !infer_rank(c, 2, 0)) return false;
    const Shape *boxes = infer_shape_in(c, 0), *scores = infer_shape_in(c, 1);
    if (!infer_may_equal(c, boxes->dims[1], dim_const(4)) || !infer_may_equal(c, boxes->dims[0], scores->dims[0]))
        return infer_error(c, "boxes %s and scores %s do not fit", infer_text(c, boxes), infer_text(c, scores));
    int64_t n;
    const Dim *most = infer_content(c, 2, &n);
    Dim bound = most ? dim_max(infer_dims(c), most[0], dim_const(0)) : boxes->dims[0];
    if (most) bound = dim_min(infer_dims(c), bound, boxes->dims[0]);
    Dim kept = infer_fresh_dim(c, 0, 0, 0, bound);
    Shape s = {.rank = 1, .dims = {kept}};
    infer_set(c, 0, DTYPE_S32, &s);
    return true;
}
