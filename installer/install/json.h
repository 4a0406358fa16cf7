/*
 * Records: what other programs read of this one, a line of JSON for each. A record is an object without objects or
 * arrays in it; its first member is "record" and says which kind it is. Members are strings, whole numbers, true and
 * false. roundhouse-install(8) lists the kinds and their members. Every string is UTF-8, whatever the disk had.
 */
#ifndef INSTALL_JSON_H
#define INSTALL_JSON_H

#include <glib.h>

void json_begin(GString *text, const char *record);
void json_text(GString *text, const char *member, const char *value);
void json_number(GString *text, const char *member, gint64 value);
void json_truth(GString *text, const char *member, gboolean value);
void json_end(GString *text);

#endif
