#include "back.h"
#include <stdlib.h>
#include "hypervisor.h"

#define PATH 160

void back_set(const char *folder, const char *name, uint64_t value)
{
    char path[PATH], text[24];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    store_set(path, text);
}

uint64_t back_get(const char *folder, const char *name)
{
    char path[PATH], text[32] = "0";

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    store_get(path, text, sizeof(text));
    return strtoull(text, NULL, 10);
}
