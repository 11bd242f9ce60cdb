/* lexer: tokens of the IR's text form, shared by parse.c and parse_value.c. */
#ifndef TFOPT_IR_LEXER_H
#define TFOPT_IR_LEXER_H
#include "ir/graph.h"

/* A text being read. After the first mistake `failed` is set, one message was given and every call returns false. */
typedef struct {
    Graph *g;
    const char *p;
    uint32_t line;
    bool failed;
    Diag *d;
} Lexer;

/* Reports a mistake at the current line; returns false. */
bool lex_error(Lexer *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Skips blanks and line ends and returns the next character. */
char lex_peek(Lexer *l);
/* Takes the punctuation c if it comes next. */
bool lex_accept(Lexer *l, char c);
bool lex_expect(Lexer *l, char c);
/* Takes a word of letters, digits, '_', '.' into the arena; NULL when none comes next. */
const char *lex_word(Lexer *l);
/* Takes the word `w` if it comes next. */
bool lex_accept_word(Lexer *l, const char *w);
bool lex_int(Lexer *l, int64_t *out);
/* A quoted string; may hold any bytes. */
bool lex_string(Lexer *l, const char **out, size_t *out_n);

/* parse_value.c: "f32[1,batch]", the data of a constant of that type, and "name=value" (`op` knows the kinds of its
 * lists) */
bool parse_type(Lexer *l, DType *out_dtype, Shape *out_shape);
bool parse_tensor_data(Lexer *l, DType dtype, const Shape *shape, Tensor *out);
bool parse_attr(Lexer *l, OpId op, Attr *out);
#endif
