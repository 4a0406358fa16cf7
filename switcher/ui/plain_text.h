/*
 * Texts from elsewhere, for a label: errors, names and labels that a guest, an image or another client of roundhoused
 * may have had a hand in.
 */
#ifndef RH_PLAIN_TEXT_H
#define RH_PLAIN_TEXT_H

#include <glib.h>

#define PLAIN_LINE_MAX     128 /* characters; a name */
#define PLAIN_SENTENCE_MAX 600 /* a sentence or a few */

/*
 * The text as one line of at most that many characters, the last an ellipsis if there were more. What is no character
 * to see is a space, and what turns the direction of the text around it, which would show one name as another, is left
 * out. The caller frees it. NULL is an empty text.
 */
char *plain_text(const char *text, gsize max);

#endif
