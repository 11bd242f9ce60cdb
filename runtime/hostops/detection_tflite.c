/* TFLite_Detection_PostProcess: the custom op of TensorFlow Lite at the end of single-shot detectors. Boxes are decoded
   from anchors, then suppressed: by the best score of each box (fast), or class by class (regular). What the detections
   do not fill is zero. */
#include "hostops/host.h"
#include <math.h>
#include <string.h>

typedef struct {
    float y0, x0, y1, x1;
} Box;

typedef struct {
    TfoptHostCall *call;
    const Box *boxes;
    const float *scores; /* [n, columns] */
    int64_t n, columns, classes;
    int64_t most, most_classes, most_each_class;
    float score, similarity;
    /* room for suppress() */
    int64_t *kept, *order;
    bool *dropped;
} Detection;

static bool higher(const void *context, int64_t a, int64_t b) {
    const float *s = context;
    return s[a] > s[b];
}

static float overlap(const Box *a, const Box *b) {
    const float area_a = (a->y1 - a->y0) * (a->x1 - a->x0), area_b = (b->y1 - b->y0) * (b->x1 - b->x0);
    if (area_a <= 0 || area_b <= 0) return 0;
    const float y0 = fmaxf(a->y0, b->y0), x0 = fmaxf(a->x0, b->x0), y1 = fminf(a->y1, b->y1), x1 = fminf(a->x1, b->x1);
    const float common = fmaxf(y1 - y0, 0) * fmaxf(x1 - x0, 0);
    return common / (area_a + area_b - common);
}

/* Boxes that stay by these scores, best first, `most` at the most; how many, -1: no memory. */
static int64_t suppress(const Detection *d, const float *scores, int64_t most, int64_t *selected) {
    int64_t n = 0, count = 0;
    for (int64_t i = 0; i < d->n; i++) {
        if (scores[i] >= d->score) d->kept[n++] = i;
    }
    for (int64_t i = 0; i < n; i++) d->order[i] = d->kept[i];
    if (!tfopt_sort_indices(d->call, n, d->order, higher, scores)) return -1;
    memset(d->dropped, 0, (size_t)n * sizeof *d->dropped);
    for (int64_t i = 0; i < n && count < most; i++) {
        if (d->dropped[i]) continue;
        selected[count++] = d->order[i];
        for (int64_t j = i + 1; j < n; j++) {
            if (!d->dropped[j] && overlap(&d->boxes[d->order[i]], &d->boxes[d->order[j]]) > d->similarity)
                d->dropped[j] = true;
        }
    }
    return count;
}

static void put(const TfoptHostCall *call, int64_t at, const Box *box, int64_t class_, float score) {
    ((Box *)call->outputs[0].data)[at] = *box;
    ((float *)call->outputs[1].data)[at] = (float)class_;
    ((float *)call->outputs[2].data)[at] = score;
}

/* The best classes of the boxes that stay by their best score. */
static int64_t detect_fast(const Detection *d) {
    const int64_t each = d->most_classes < d->classes ? d->most_classes : d->classes, skip = d->columns - d->classes;
    int64_t *selected = tfopt_call_alloc(d->call, d->n + 1, sizeof *selected),
            *order = tfopt_call_alloc(d->call, d->classes + 1, sizeof *order);
    float *best = tfopt_call_alloc(d->call, d->n + 1, sizeof *best);
    if (!selected || !order || !best) return -1;
    for (int64_t i = 0; i < d->n; i++) {
        const float *row = d->scores + i * d->columns + skip;
        best[i] = row[0];
        for (int64_t k = 1; k < d->classes; k++) best[i] = row[k] > best[i] ? row[k] : best[i];
    }
    const int64_t count = suppress(d, best, d->most, selected);
    for (int64_t i = 0; i < count; i++) {
        const float *row = d->scores + selected[i] * d->columns + skip;
        for (int64_t k = 0; k < d->classes; k++) order[k] = k;
        if (!tfopt_sort_indices(d->call, d->classes, order, higher, row)) return -1;
        for (int64_t k = 0; k < each; k++)
            put(d->call, i * d->most_classes + k, &d->boxes[selected[i]], order[k], row[order[k]]);
    }
    return count;
}

/* A detection of the regular kind: box and class. */
typedef struct {
    int64_t box, class_;
    float score;
} Found;

static int64_t detect_regular(const Detection *d) {
    const int64_t each = d->most_each_class < d->n ? d->most_each_class : d->n;
    int64_t capacity, count = 0;
    if (__builtin_add_overflow(each, d->most, &capacity)) return -1;
    Found *found = tfopt_call_alloc(d->call, capacity + 1, sizeof *found),
          *sorted = tfopt_call_alloc(d->call, capacity + 1, sizeof *sorted);
    float *scores = tfopt_call_alloc(d->call, d->n + 1, sizeof *scores),
          *found_scores = tfopt_call_alloc(d->call, capacity + 1, sizeof *found_scores);
    int64_t *selected = tfopt_call_alloc(d->call, each + 1, sizeof *selected),
            *order = tfopt_call_alloc(d->call, capacity + 1, sizeof *order);
    if (!found || !sorted || !scores || !found_scores || !selected || !order) return -1;
    for (int64_t k = 0; k < d->classes; k++) {
        for (int64_t i = 0; i < d->n; i++) scores[i] = d->scores[i * d->columns + d->columns - d->classes + k];
        const int64_t n = suppress(d, scores, each, selected);
        if (n < 0) return -1;
        for (int64_t i = 0; i < n; i++) found[count++] = (Found){selected[i], k, scores[selected[i]]};
        for (int64_t i = 0; i < count; i++) {
            order[i] = i;
            found_scores[i] = found[i].score;
        }
        if (!tfopt_sort_indices(d->call, count, order, higher, found_scores)) return -1;
        if (count > d->most) count = d->most;
        for (int64_t i = 0; i < count; i++) sorted[i] = found[order[i]];
        memcpy(found, sorted, (size_t)count * sizeof *found);
    }
    for (int64_t i = 0; i < count; i++) put(d->call, i, &d->boxes[found[i].box], found[i].class_, found[i].score);
    return count;
}

/* [n, 4] encoded as centre and size relative to the anchors */
static const Box *decode_boxes(TfoptHostCall *call, int64_t n) {
    Box *boxes = tfopt_call_alloc(call, n + 1, sizeof *boxes);
    const float *code = call->inputs[0].data, *anchor = call->inputs[2].data;
    const int64_t step = call->inputs[0].dims[2];
    const double y_scale = tfopt_call_float(call, "y_scale", 1), x_scale = tfopt_call_float(call, "x_scale", 1),
                 h_scale = tfopt_call_float(call, "h_scale", 1), w_scale = tfopt_call_float(call, "w_scale", 1);
    for (int64_t i = 0; boxes && i < n; i++, code += step, anchor += 4) {
        const float y = (float)((double)code[0] / y_scale * (double)anchor[2] + (double)anchor[0]),
                    x = (float)((double)code[1] / x_scale * (double)anchor[3] + (double)anchor[1]),
                    half_h = (float)(0.5 * exp((double)code[2] / h_scale) * (double)anchor[2]),
                    half_w = (float)(0.5 * exp((double)code[3] / w_scale) * (double)anchor[3]);
        boxes[i] = (Box){y - half_h, x - half_w, y + half_h, x + half_w};
    }
    return boxes;
}

/* (box encodings [1, n, 4], class scores [1, n, classes], anchors [n, 4]) -> (boxes [1, m, 4], classes [1, m],
   scores [1, m], number of detections [1]) */
int32_t tfopt_host_tflite_detection(TfoptHostCall *call) {
    const TfoptTensor *code = &call->inputs[0], *scores = &call->inputs[1], *anchors = &call->inputs[2];
    if (code->rank != 3 || scores->rank != 3 || anchors->rank != 2 || code->dims[0] != 1 || scores->dims[0] != 1 ||
        code->dims[2] < 4 || anchors->dims[1] != 4 || scores->dims[1] != code->dims[1] ||
        anchors->dims[0] != code->dims[1])
        return tfopt_invalid(call, "needs boxes [1, n, 4], scores [1, n, classes] and anchors [n, 4]");
    if (code->dtype != TFOPT_F32 || scores->dtype != TFOPT_F32 || anchors->dtype != TFOPT_F32)
        return tfopt_invalid(call, "boxes, scores and anchors must be float32");
    const int64_t n = code->dims[1], columns = scores->dims[2];
    const bool regular = tfopt_call_int(call, "use_regular_nms", 0) != 0;
    Detection d = {.call = call,
                   .n = n,
                   .columns = columns,
                   .classes = tfopt_call_int(call, "num_classes", columns),
                   .scores = scores->data,
                   .most = tfopt_call_int(call, "max_detections", 0),
                   .most_classes = tfopt_call_int(call, "max_classes_per_detection", 1),
                   .most_each_class = tfopt_call_int(call, "detections_per_class", 100),
                   .score = (float)tfopt_call_float(call, "nms_score_threshold", 0),
                   .similarity = (float)tfopt_call_float(call, "nms_iou_threshold", 0)};
    if (!(d.similarity > 0 && d.similarity <= 1)) return tfopt_invalid(call, "nms_iou_threshold must be in (0, 1]");
    if (d.classes < 1 || d.classes > columns || columns - d.classes > 1)
        return tfopt_invalid(call, "num_classes must be the number of scores of a box, or one less (background)");
    int64_t all;
    if (d.most < 0 || d.most_classes < 1 || d.most_each_class < 1 ||
        __builtin_mul_overflow(d.most, d.most_classes, &all))
        return tfopt_invalid(call, "max_detections, max_classes_per_detection or detections_per_class is out of range");
    const int64_t dims[3] = {1, all, 4};
    void *out[3];
    for (int i = 0; i < 3; i++) {
        out[i] = tfopt_host_output(call, i, i ? 2 : 3, dims);
        if (!out[i]) return tfopt_no_memory(call);
        memset(out[i], 0, (size_t)all * (i ? sizeof(float) : sizeof(Box)));
    }
    float *found = tfopt_output_1d(call, 3, 1);
    d.boxes = decode_boxes(call, n);
    d.kept = tfopt_call_alloc(call, n + 1, sizeof *d.kept);
    d.order = tfopt_call_alloc(call, n + 1, sizeof *d.order);
    d.dropped = tfopt_call_alloc(call, n + 1, sizeof *d.dropped);
    if (!found || !d.boxes || !d.kept || !d.order || !d.dropped) return tfopt_no_memory(call);
    const int64_t count = regular ? detect_regular(&d) : detect_fast(&d);
    if (count < 0) return tfopt_no_memory(call);
    *found = (float)count;
    return TFOPT_OK;
}
