/* classifier: names what is on PNG or JPEG pictures, with any compiled image classifier.
   usage: classifier MODEL.so LABELS.txt [--scale S] [--shift T] IMAGE…
   The model has one float input [batch, height, width, 1 or 3] and one output [batch, classes]; a pixel p (0..255) is
   fed as p*S+T. */
#include "image.h"

#include "tfopt.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LABELS = 100000, SHOWN = 3 };

typedef struct {
    char *text;
    const char *names[MAX_LABELS];
    int n;
} Labels;

static int read_labels(Labels *l, const char *path) {
    FILE *f = fopen(path, "r");
    if (!f) return 0;
    size_t cap = 1 << 16, n = 0;
    l->text = malloc(cap + 1);
    for (size_t got; l->text && (got = fread(l->text + n, 1, cap - n, f)) > 0;) {
        n += got;
        if (n == cap) l->text = realloc(l->text, (cap *= 2) + 1);
    }
    fclose(f);
    if (!l->text) return 0;
    l->text[n] = 0;
    for (char *line = strtok(l->text, "\r\n"); line && l->n < MAX_LABELS; line = strtok(NULL, "\r\n"))
        l->names[l->n++] = line;
    return 1;
}

static void print_best(const char *path, const float *scores, int64_t classes, const Labels *labels) {
    int64_t best[SHOWN] = {-1, -1, -1};
    for (int64_t i = 0; i < classes; i++)
        for (int k = 0; k < SHOWN; k++) {
            if (best[k] >= 0 && scores[i] <= scores[best[k]]) continue;
            memmove(best + k + 1, best + k, sizeof best[0] * (size_t)(SHOWN - 1 - k));
            best[k] = i;
            break;
        }
    const char *slash = strrchr(path, '/');
    printf("%-24s", slash ? slash + 1 : path);
    for (int k = 0; k < SHOWN && best[k] >= 0; k++)
        printf("  %-10s %5.1f %%", best[k] < labels->n ? labels->names[best[k]] : "?", 100 * (double)scores[best[k]]);
    putchar('\n');
}

static int die(const char *what, const char *why) {
    fprintf(stderr, "classifier: %s: %s\n", what, why);
    return 1;
}

int main(int argc, char **argv) {
    static Labels labels;
    float scale = 1, shift = 0;
    if (argc < 4) return die("usage", "classifier MODEL.so LABELS.txt [--scale S] [--shift T] IMAGE…");
    if (!read_labels(&labels, argv[2])) return die(argv[2], "cannot be read");

    TfoptModel *model;
    if (tfopt_open(argv[1], &model) != TFOPT_OK) return die(argv[1], tfopt_open_error());
    const TfoptModelData *info = tfopt_model_info(model);
    const TfoptPort *in = &info->inputs[0], *out = &info->outputs[0];
    if (info->n_inputs != 1 || in->dtype != TFOPT_F32 || in->rank != 4 || in->dims[1] < 0 || in->dims[2] < 0 ||
        (in->dims[3] != 1 && in->dims[3] != 3) || out->dtype != TFOPT_F32)
        return die(argv[1], "is no classifier of pictures: one float input [batch, height, width, 1 or 3]");
    TfoptSession *session;
    TfoptStatus status = tfopt_session_new(model, NULL, &session);
    if (status != TFOPT_OK) return die(argv[1], tfopt_status_text(status));

    int height = (int)in->dims[1], width = (int)in->dims[2], channels = (int)in->dims[3], failed = 0;
    float *pixels =
        aligned_alloc(64, ((size_t)height * (size_t)width * (size_t)channels * sizeof *pixels + 63) / 64 * 64);
    if (!pixels) return die("memory", "none left");
    for (int i = 3; i < argc; i++) {
        if (strcmp(argv[i], "--scale") == 0 && i + 1 < argc) {
            scale = (float)atof(argv[++i]);
            continue;
        }
        if (strcmp(argv[i], "--shift") == 0 && i + 1 < argc) {
            shift = (float)atof(argv[++i]);
            continue;
        }
        Image image;
        const char *problem = image_read(&image, argv[i], channels);
        if (problem) {
            failed = die(argv[i], problem);
            continue;
        }
        image_resize(&image, width, height, scale, shift, pixels);
        free(image.pixels);
        TfoptTensor result;
        status = tfopt_set_input(session, 0, pixels, 4, (const int64_t[]){1, height, width, channels});
        if (status == TFOPT_OK) status = tfopt_run(session);
        if (status == TFOPT_OK) status = tfopt_get_output(session, 0, &result);
        if (status != TFOPT_OK) return die(argv[i], tfopt_error(session));
        print_best(argv[i], result.data, result.dims[result.rank - 1], &labels);
    }
    free(pixels);
    free(labels.text);
    tfopt_session_free(session);
    tfopt_close(model);
    return failed;
}
