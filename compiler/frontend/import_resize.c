/* import_resize: nearest and bilinear resizing. The other kinds are host ops. */
#include "frontend/importer.h"

#include <string.h>

bool import_resize(Import *c) {
    Dim size[2];
    int n = 0;
    if (!load_content(c, c->in[1], 0, size, &n, 2, "the size")) return false;
    if (n != 2 || rank_of(c, c->in[0]) != 4) return bad(c, "needs images of rank 4 and a size of two");
    for (int i = 0; i < 2; i++)
        if (!make_require(c, "at_most", dim_const(1), size[i])) return false;
    Attr attrs[4];
    attrs[0] = attr_string("kind", import_row(c)->text);
    attrs[1] = attr_dims(c->g->arena, "size", 2, size);
    attrs[2] = attr_int("align_corners", attr_i(c, "align_corners", 0) != 0);
    attrs[3] = attr_int("half_pixel", attr_i(c, "half_pixel_centers", 0) != 0);
    return give(c, import_node(c, OP_RESIZE, 1, c->in, 4, attrs));
}
