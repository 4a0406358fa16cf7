/*
 * A record of roundhouse-install(8), read strictly: what it says of disks comes from whoever wrote to them. No record
 * that is not exactly as that page says is taken.
 */
#ifndef RH_INSTALL_RECORD_H
#define RH_INSTALL_RECORD_H

#include <glib.h>

#define RECORD_BYTES_MAX   16384 /* of a line */
#define RECORD_MEMBERS_MAX 32

struct record;

/* Of one line without its end. NULL: it is none. */
struct record *record_parse(const char *line, gsize length);
void record_free(struct record *record);

/* The value of "record". */
const char *record_kind(const struct record *record);

/* Of members that are not there, or of another type: "", -1, FALSE. Strings may hold any character but zero. */
const char *record_text(const struct record *record, const char *member);
gint64 record_number(const struct record *record, const char *member);
gboolean record_truth(const struct record *record, const char *member);

#endif
