/* several: more than one model behind one function. */
#ifndef SEVERAL_H
#define SEVERAL_H

/* Decodes a PNG file of 8x8 pixels and says which digit it shows; below 0 when something fails. */
__attribute__((visibility("default"))) int digit_of(const char *png_path);
#endif
