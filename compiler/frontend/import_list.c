/* import_list: TensorList and TensorArray as ordinary tensors [count, element…]. */
#include "frontend/importer.h"
#include <string.h>

ListInfo *list_find(const Importer *im, ValueId v)
{
    for (uint32_t i = im->lists.len; i > 0; i--)
        if (im->lists.data[i - 1].value == v.i)
            return &im->lists.data[i - 1];
    return NULL;
}

ValueId list_new(Import *c, Dim count, DType dtype, const TfShape *element)
{
    ValueId v = make_zero(c, dtype);
    vec_push(c->im->arena, &c->im->lists, (ListInfo){.value = v.i, .count = count, .dtype = dtype, .element = *element});
    return v;
}
