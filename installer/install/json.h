/* A text as a JSON string, with its quotes. */
#ifndef INSTALL_JSON_H
#define INSTALL_JSON_H

#include <glib.h>

void json_append(GString *json, const char *text);

#endif
