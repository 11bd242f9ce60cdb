/* Non-maximum suppression: the whole NonMaxSuppression family and CombinedNonMaxSuppression, with TensorFlow's order of
   ties (the smaller box index first) and its lazy soft suppression. */
#include "hostops/host.h"
#include <math.h>
#include <float.h>

typedef struct {
    int64_t box;
    float score;
    int64_t begin; /* first selected box not yet weighed against this one */
} Candidate;

/* A max-heap of candidates by score, then by smaller index. */
typedef struct {
    Candidate *items;
    int64_t n;
} Heap;

static bool before(const Candidate *a, const Candidate *b) {
    return a->score > b->score || (a->score == b->score && a->box < b->box);
}

static void heap_push(Heap *h, Candidate c) {
    int64_t i = h->n++;
    while (i > 0 && before(&c, &h->items[(i - 1) / 2])) {
        h->items[i] = h->items[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    h->items[i] = c;
}

static Candidate heap_pop(Heap *h) {
    const Candidate top = h->items[0], last = h->items[--h->n];
    int64_t i = 0;
    for (;;) {
        int64_t child = 2 * i + 1;
        if (child >= h->n) break;
        if (child + 1 < h->n && before(&h->items[child + 1], &h->items[child])) child++;
        if (!before(&h->items[child], &last)) break;
        h->items[i] = h->items[child];
        i = child;
    }
    if (h->n > 0) h->items[i] = last;
    return top;
}

/* Intersection over union of boxes with corners in any order; 0 for empty ones. */
static float overlap(const float *a, const float *b) {
    const float ay0 = fminf(a[0], a[2]), ax0 = fminf(a[1], a[3]), ay1 = fmaxf(a[0], a[2]), ax1 = fmaxf(a[1], a[3]);
    const float by0 = fminf(b[0], b[2]), bx0 = fminf(b[1], b[3]), by1 = fmaxf(b[0], b[2]), bx1 = fmaxf(b[1], b[3]);
    const float area_a = (ay1 - ay0) * (ax1 - ax0), area_b = (by1 - by0) * (bx1 - bx0);
    if (area_a <= 0 || area_b <= 0) return 0;
    const float h = fmaxf(fminf(ay1, by1) - fmaxf(ay0, by0), 0), w = fmaxf(fminf(ax1, bx1) - fmaxf(ax0, bx0), 0);
    return h * w / (area_a + area_b - h * w);
}

typedef struct {
    const float *boxes;    /* [n,4], or NULL: */
    const float *overlaps; /* [n,n] */
    int64_t n, most;
    float similarity, score, sigma;
} Suppression;

/* Fills selected and their final scores; returns how many, -1 without memory. */
static int64_t suppress(TfoptHostCall *call, const Suppression *s, const float *scores, int64_t *selected,
                        float *selected_scores) {
    Heap heap = {tfopt_call_alloc(call, s->n + 1, sizeof(Candidate)), 0};
    if (!heap.items) return -1;
    for (int64_t i = 0; i < s->n; i++) {
        if (scores[i] > s->score) heap_push(&heap, (Candidate){i, scores[i], 0});
    }
    const bool soft = s->sigma > 0;
    const float scale = soft ? -0.5f / s->sigma : 0;
    int64_t count = 0;
    while (count < s->most && heap.n > 0) {
        Candidate next = heap_pop(&heap);
        const float original = next.score;
        bool dropped = false;
        for (int64_t j = count - 1; j >= next.begin; j--) {
            const float similarity = s->boxes ? overlap(s->boxes + 4 * next.box, s->boxes + 4 * selected[j])
                                              : s->overlaps[next.box * s->n + selected[j]];
            next.score *= soft || similarity <= s->similarity ? expf(scale * similarity * similarity) : 0;
            if (!soft && similarity > s->similarity) {
                dropped = true;
                break;
            }
            if (next.score <= s->score) break;
        }
        next.begin = count;
        if (dropped) continue;
        if (next.score == original) {
            selected[count] = next.box;
            selected_scores[count++] = next.score;
        } else if (next.score > s->score) {
            heap_push(&heap, next);
        }
    }
    return count;
}

/* Inputs that a version has after boxes and scores, and what it gives. */
typedef struct {
    bool overlaps, iou_input, score_input, sigma_input, scores_output, valid_output;
} Version;

static int32_t non_max_suppression(TfoptHostCall *call, Version v) {
    const TfoptTensor *boxes = &call->inputs[0], *scores = &call->inputs[1];
    const int64_t n = boxes->dims[0];
    if (boxes->rank != 2 || scores->rank != 1 || scores->dims[0] != n ||
        (v.overlaps ? boxes->dims[1] != n : boxes->dims[1] != 4))
        return tfopt_invalid(call, "boxes must be [n, 4] and scores [n]");
    int32_t next = 3;
    Suppression s = {.n = n,
                     .most = tfopt_int_at(&call->inputs[2], 0),
                     .similarity = (float)tfopt_call_float(call, "iou_threshold", 0.5),
                     .score = -FLT_MAX};
    if (v.iou_input) s.similarity = (float)tfopt_real_at(&call->inputs[next++], 0);
    if (v.score_input) s.score = (float)tfopt_real_at(&call->inputs[next++], 0);
    if (v.sigma_input) s.sigma = (float)tfopt_real_at(&call->inputs[next++], 0);
    if (!v.overlaps && !(s.similarity >= 0 && s.similarity <= 1))
        return tfopt_invalid(call, "iou_threshold must be in [0, 1]");
    if (!(s.sigma >= 0)) return tfopt_invalid(call, "soft_nms_sigma must be >= 0");
    if (s.most < 0) return tfopt_invalid(call, "max_output_size must be non-negative");
    const int64_t limit = s.most;
    if (s.most > n) s.most = n;
    const float *f = tfopt_as_f32(call, boxes), *p = tfopt_as_f32(call, scores);
    int64_t *selected = tfopt_call_alloc(call, n + 1, sizeof *selected);
    float *selected_scores = tfopt_call_alloc(call, n + 1, sizeof *selected_scores);
    if (!f || !p || !selected || !selected_scores) return tfopt_no_memory(call);
    if (v.overlaps)
        s.overlaps = f;
    else
        s.boxes = f;
    const int64_t count = suppress(call, &s, p, selected, selected_scores);
    if (count < 0) return tfopt_no_memory(call);
    const int64_t length = v.valid_output && tfopt_call_int(call, "pad_to_max_output_size", 0) ? limit : count;
    int32_t *indices = tfopt_output_1d(call, 0, length);
    if (!indices) return tfopt_no_memory(call);
    for (int64_t i = 0; i < length; i++) indices[i] = i < count ? (int32_t)selected[i] : 0;
    int32_t result = 1;
    if (v.scores_output) {
        if (!tfopt_output_1d(call, result, length)) return tfopt_no_memory(call);
        for (int64_t i = 0; i < length; i++)
            tfopt_set_real(&call->outputs[result], i, i < count ? (double)selected_scores[i] : 0);
        result++;
    }
    if (v.valid_output) {
        int32_t *valid = tfopt_output_scalar(call, result);
        if (!valid) return tfopt_no_memory(call);
        *valid = (int32_t)count;
    }
    return TFOPT_OK;
}

int32_t tfopt_host_non_max_suppression(TfoptHostCall *call) {
    return non_max_suppression(call, (Version){0});
}
int32_t tfopt_host_non_max_suppression_v2(TfoptHostCall *call) {
    return non_max_suppression(call, (Version){.iou_input = true});
}
int32_t tfopt_host_non_max_suppression_v3(TfoptHostCall *call) {
    return non_max_suppression(call, (Version){.iou_input = true, .score_input = true});
}
int32_t tfopt_host_non_max_suppression_v4(TfoptHostCall *call) {
    return non_max_suppression(call, (Version){.iou_input = true, .score_input = true, .valid_output = true});
}
int32_t tfopt_host_non_max_suppression_v5(TfoptHostCall *call) {
    return non_max_suppression(
        call,
        (Version){
            .iou_input = true, .score_input = true, .sigma_input = true, .scores_output = true, .valid_output = true});
}
int32_t tfopt_host_non_max_suppression_with_overlaps(TfoptHostCall *call) {
    return non_max_suppression(call, (Version){.overlaps = true, .iou_input = true, .score_input = true});
}

/* ---- CombinedNonMaxSuppression */

typedef struct {
    const float *scores;
} ScoreOrder;

static bool higher(const void *context, int64_t a, int64_t b) {
    const float *s = ((const ScoreOrder *)context)->scores;
    return s[a] > s[b];
}

int32_t tfopt_host_combined_non_max_suppression(TfoptHostCall *call) {
    const TfoptTensor *boxes = &call->inputs[0], *scores = &call->inputs[1];
    if (boxes->rank != 4 || scores->rank != 3 || boxes->dims[3] != 4)
        return tfopt_invalid(call, "boxes must be [batch, n, q, 4] and scores [batch, n, classes]");
    const int64_t batch = boxes->dims[0], n = boxes->dims[1], q = boxes->dims[2], classes = scores->dims[2];
    if (scores->dims[0] != batch || scores->dims[1] != n || (q != 1 && q != classes))
        return tfopt_invalid(call, "boxes and scores do not fit");
    const int64_t per_class = tfopt_int_at(&call->inputs[2], 0), total = tfopt_int_at(&call->inputs[3], 0);
    Suppression s = {.n = n,
                     .most = per_class < n ? per_class : n,
                     .similarity = (float)tfopt_real_at(&call->inputs[4], 0),
                     .score = (float)tfopt_real_at(&call->inputs[5], 0)};
    if (per_class <= 0 || total <= 0)
        return tfopt_invalid(call, "max_size_per_class and max_total_size must be positive");
    if (!(s.similarity >= 0 && s.similarity <= 1)) return tfopt_invalid(call, "iou_threshold must be in [0, 1]");
    const bool clip = tfopt_call_int(call, "clip_boxes", 1) != 0;
    int64_t all_classes;
    if (__builtin_mul_overflow(per_class, classes, &all_classes)) all_classes = INT64_MAX;
    const int64_t length = tfopt_call_int(call, "pad_per_class", 0) && all_classes < total ? all_classes : total;
    const int64_t box_dims[3] = {batch, length, 4};
    float *out_boxes = tfopt_host_output(call, 0, 3, box_dims), *out_scores = tfopt_host_output(call, 1, 2, box_dims);
    float *out_classes = tfopt_host_output(call, 2, 2, box_dims);
    int32_t *valid = tfopt_output_1d(call, 3, batch);
    int64_t capacity;
    if (__builtin_mul_overflow(s.most, classes, &capacity)) return tfopt_no_memory(call);
    int64_t *selected = tfopt_call_alloc(call, s.most + 1, sizeof *selected),
            *order = tfopt_call_alloc(call, capacity + 1, sizeof *order);
    int64_t *found = tfopt_call_alloc(call, 2 * (capacity + 1), sizeof *found); /* (box, class) */
    float *class_boxes = tfopt_call_alloc(call, 4 * n + 1, sizeof *class_boxes),
          *class_scores = tfopt_call_alloc(call, n + 1, sizeof *class_scores);
    float *found_scores = tfopt_call_alloc(call, capacity + 1, sizeof *found_scores);
    if (!out_boxes || !out_scores || !out_classes || !valid || !selected || !order || !found || !class_boxes ||
        !class_scores || !found_scores)
        return tfopt_no_memory(call);
    const float *b = boxes->data, *p = scores->data;
    for (int64_t image = 0; image < batch; image++, b += n * q * 4, p += n * classes) {
        int64_t count = 0;
        for (int64_t k = 0; k < classes; k++) {
            for (int64_t i = 0; i < n; i++) {
                for (int64_t e = 0; e < 4; e++) class_boxes[4 * i + e] = b[(i * q + (q > 1 ? k : 0)) * 4 + e];
                class_scores[i] = p[i * classes + k];
            }
            s.boxes = class_boxes;
            const int64_t picked = suppress(call, &s, class_scores, selected, found_scores + count);
            if (picked < 0) return tfopt_no_memory(call);
            for (int64_t i = 0; i < picked; i++, count++) {
                found[2 * count] = selected[i];
                found[2 * count + 1] = k;
            }
        }
        for (int64_t i = 0; i < count; i++) order[i] = i;
        if (!tfopt_sort_indices(call, count, order, higher, &(ScoreOrder){found_scores})) return tfopt_no_memory(call);
        const int64_t kept = count < length ? count : length;
        valid[image] = (int32_t)kept;
        for (int64_t i = 0; i < length; i++) {
            const int64_t at = image * length + i, from = i < kept ? order[i] : 0;
            out_scores[at] = i < kept ? found_scores[from] : 0;
            out_classes[at] = i < kept ? (float)found[2 * from + 1] : 0;
            for (int64_t e = 0; e < 4; e++) {
                float v = 0;
                if (i < kept) v = b[(found[2 * from] * q + (q > 1 ? found[2 * from + 1] : 0)) * 4 + e];
                out_boxes[4 * at + e] = clip ? fmaxf(fminf(v, 1), 0) : v;
            }
        }
    }
    return TFOPT_OK;
}
