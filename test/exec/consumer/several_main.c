/* Prints the digit that each picture shows. */
#include "several.h"

#include <stdio.h>

int main(int argc, char **argv) {
    int code = 0;
    for (int i = 1; i < argc; i++) {
        int digit = digit_of(argv[i]);
        printf("%d\n", digit);
        if (digit < 0) code = 1;
    }
    return code;
}
