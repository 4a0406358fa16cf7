/* What may be the name of an image, and so of a folder of the pool. */
#include "image_name.h"

#include <string.h>

#define NAME_MAX_LENGTH 63

gboolean image_name_valid(const char *name)
{
    gsize allowed = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return g_ascii_isalnum(name[0]) && !name[allowed] && allowed <= NAME_MAX_LENGTH;
}
