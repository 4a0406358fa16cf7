/*
 * What a report is free of before anybody sees it: secrets, the names of people, guests and their images, and what
 * tells one machine or network from another. Each is replaced by a word that says what stood there; the same name is
 * the same word everywhere, so that a report can still be followed.
 */
#ifndef REPORT_REDACT_H
#define REPORT_REDACT_H

#include <glib.h>

struct redaction;

struct redaction *redaction_new(void);
void redaction_free(struct redaction *redaction);

/* From now on `name` is "KIND-1", the next of its kind "KIND-2". One that is known already, or empty, is left alone. */
void redaction_name(struct redaction *redaction, const char *kind, const char *name);

/* A copy of any bytes as text: no control characters but line ends and tabs, no line beyond REDACT_LINE_MAX bytes, and
 * nothing of what is listed above. */
char *redact(const struct redaction *redaction, const char *text);

#define REDACT_LINE_MAX 1000

#endif
