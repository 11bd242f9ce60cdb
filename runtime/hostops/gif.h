/* Animated images: gif.c, for DecodeGif and for the decoders of any format. */
#ifndef TFOPT_HOSTOPS_GIF_H
#define TFOPT_HOSTOPS_GIF_H
#include "hostops/text.h"

typedef struct {
    int64_t frames, height, width; /* frames: all that the file has */
    uint8_t *pixels;               /* RGB of the decoded ones, in scratch memory */
} TfoptGif;
/* Decodes `most` frames at the most, each drawn over the one before. */
int32_t tfopt_gif_decode(TfoptHostCall *call, TfoptString s, int64_t most, TfoptGif *out);
#endif
