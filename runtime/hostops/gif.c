/* DecodeGif: every frame of a GIF on the canvas of its largest frame. A frame that leaves pixels open, or has
   transparent ones, shows what the frame before it had there, as TensorFlow does; disposal methods are ignored
   likewise. */
#include "hostops/gif.h"
#include <string.h>

typedef struct {
    const uint8_t *p, *end;
    bool bad;
} Reader;

static uint32_t byte(Reader *r) {
    if (r->p < r->end) return *r->p++;
    r->bad = true;
    return 0;
}

static uint32_t word(Reader *r) {
    const uint32_t low = byte(r);
    return low | byte(r) << 8;
}

static const uint8_t *skip(Reader *r, uint64_t n) {
    const uint8_t *at = r->p;
    if (n > (uint64_t)(r->end - r->p)) {
        r->bad = true;
        return at;
    }
    r->p += n;
    return at;
}

static void skip_blocks(Reader *r) {
    uint32_t n;
    while (!r->bad && (n = byte(r)) > 0) skip(r, n);
}

typedef struct {
    const uint8_t *colors; /* three bytes each */
    int32_t n;
} Palette;

static Palette palette(Reader *r, uint32_t flags, Palette missing) {
    if (!(flags & 0x80)) return missing;
    const int32_t n = 2 << (flags & 7);
    return (Palette){skip(r, 3 * (uint64_t)n), n};
}

typedef struct {
    int64_t left, top, width, height;
    bool interlaced;
    int32_t transparent; /* -1: none */
    Palette palette;
} Frame;

/* Codes of the compressed data, lowest bit first, from its chain of blocks. */
typedef struct {
    Reader *r;
    uint32_t bits, left;
    int n;
    bool over;
} Codes;

static int32_t next_code(Codes *c, int width) {
    while (c->n < width) {
        if (c->left == 0 && !c->over) {
            c->left = byte(c->r);
            c->over = c->left == 0;
        }
        if (c->over || c->r->bad) return -1;
        c->bits |= byte(c->r) << c->n;
        c->n += 8;
        c->left--;
    }
    const int32_t code = (int32_t)(c->bits & ((1u << width) - 1));
    c->bits >>= width;
    c->n -= width;
    return code;
}

/* LZW: fills n pixels; false when the data is short or wrong. */
static bool expand(Reader *r, uint8_t *out, int64_t n) {
    enum { MOST = 4096 };
    uint16_t prefix[MOST];
    uint8_t suffix[MOST], stack[MOST + 1];
    const int root = (int)byte(r);
    if (root < 1 || root > 8) return false;
    const int32_t clear = 1 << root, stop = clear + 1;
    int32_t used = stop + 1, previous = -1;
    int width = root + 1;
    uint8_t first = 0;
    Codes c = {.r = r};
    for (int64_t at = 0; at < n;) {
        int32_t code = next_code(&c, width);
        if (code < 0 || code == stop) return false;
        if (code == clear) {
            used = stop + 1;
            width = root + 1;
            previous = -1;
            continue;
        }
        const int32_t given = code;
        int depth = 0;
        if (previous < 0 && code > stop) return false;
        if (code >= used) {
            if (code > used) return false;
            stack[depth++] = first; /* the entry that is about to be made */
            code = previous;
        }
        while (code > stop) {
            stack[depth++] = suffix[code];
            code = prefix[code];
        }
        if (code >= clear) return false;
        first = (uint8_t)code;
        stack[depth++] = first;
        if (previous >= 0 && used < MOST) {
            prefix[used] = (uint16_t)previous;
            suffix[used++] = first;
            if (used == 1 << width && width < 12) width++;
        }
        previous = given;
        while (depth > 0 && at < n) out[at++] = stack[--depth];
    }
    if (c.over) return !r->bad;
    skip(r, c.left);
    skip_blocks(r);
    return !r->bad;
}

/* The next frame's head; false at the end of the file or of its bytes. */
static bool next_frame(Reader *r, Palette common, Frame *f) {
    f->transparent = -1;
    while (!r->bad) {
        const uint32_t kind = byte(r);
        if (kind == 0x21 && byte(r) == 0xf9) {
            const uint32_t n = byte(r);
            const uint8_t *control = skip(r, n);
            if (!r->bad && n >= 4) f->transparent = control[0] & 1 ? control[3] : -1;
            skip_blocks(r);
        } else if (kind == 0x21) {
            skip_blocks(r);
        } else if (kind == 0x2c) {
            f->left = (int64_t)word(r);
            f->top = (int64_t)word(r);
            f->width = (int64_t)word(r);
            f->height = (int64_t)word(r);
            const uint32_t flags = byte(r);
            f->interlaced = (flags & 0x40) != 0;
            f->palette = palette(r, flags, common);
            return !r->bad;
        } else {
            if (kind != 0x3b) r->bad = true;
            return false;
        }
    }
    return false;
}

/* Row of the image that row i of interlaced data is. */
static int64_t interlaced_row(int64_t i, int64_t height) {
    static const int64_t start[4] = {0, 4, 2, 1}, step[4] = {8, 8, 4, 2};
    for (int pass = 0; pass < 4; pass++) {
        const int64_t rows = height > start[pass] ? (height - start[pass] + step[pass] - 1) / step[pass] : 0;
        if (i < rows) return start[pass] + i * step[pass];
        i -= rows;
    }
    return 0;
}

/* Draws a frame's pixels over what the canvas has already; false for a color that the palette lacks. */
static bool draw(const Frame *f, const uint8_t *pixels, uint8_t *canvas, int64_t width, int64_t height) {
    for (int64_t i = 0; i < f->height; i++) {
        const int64_t y = f->top + (f->interlaced ? interlaced_row(i, f->height) : i);
        for (int64_t j = 0; j < f->width && y < height; j++) {
            const int32_t color = pixels[i * f->width + j];
            if (f->left + j >= width || color == f->transparent) continue;
            if (color >= f->palette.n) return false;
            memcpy(canvas + (y * width + f->left + j) * 3, f->palette.colors + 3 * color, 3);
        }
    }
    return true;
}

int32_t tfopt_gif_decode(TfoptHostCall *call, TfoptString s, int64_t most, TfoptGif *out) {
    Reader r = {(const uint8_t *)s.data, (const uint8_t *)s.data + s.size, false};
    if (s.size < 13 || (memcmp(s.data, "GIF87a", 6) != 0 && memcmp(s.data, "GIF89a", 6) != 0))
        return tfopt_invalid(call, "contents are no GIF");
    skip(&r, 10);
    const uint32_t flags = byte(&r);
    skip(&r, 2);
    const Palette common = palette(&r, flags, (Palette){NULL, 0});
    /* sizes first, so that nothing is reserved that the frames do not have */
    int64_t frames = 0, width = 0, height = 0;
    Frame f;
    for (Reader heads = r; next_frame(&heads, common, &f); frames++) {
        byte(&heads);
        skip_blocks(&heads);
        /* a byte holds four codes at most, of 4096 pixels each */
        if (heads.bad || (uint64_t)(f.width * f.height) / 16384 > s.size) break;
        if (f.width > width) width = f.width;
        if (f.height > height) height = f.height;
    }
    const int64_t each = width * height * 3;
    if (frames == 0 || each == 0) return tfopt_invalid(call, "Invalid GIF data: no complete frame");
    const int64_t kept = frames < most ? frames : most;
    uint8_t *canvas = tfopt_call_alloc(call, kept, (uint64_t)each), *pixels = tfopt_call_alloc(call, width * height, 1);
    if (!canvas || !pixels) return tfopt_no_memory(call);
    *out = (TfoptGif){frames, height, width, canvas};
    for (int64_t k = 0; k < kept; k++, canvas += each) {
        if (k > 0)
            memcpy(canvas, canvas - each, (size_t)each);
        else
            memset(canvas, 0, (size_t)each);
        if (!next_frame(&r, common, &f) || !expand(&r, pixels, f.width * f.height))
            return tfopt_call_fail(call, TFOPT_INVALID_ARGUMENT, "Invalid GIF data: frame %lld", (long long)k);
        if (!f.palette.colors || !draw(&f, pixels, canvas, width, height))
            return tfopt_call_fail(call, TFOPT_INVALID_ARGUMENT, "missing color map for frame %lld", (long long)k);
    }
    return TFOPT_OK;
}
