/*
 * Who is meant in a table: by context, by what a guest's definition says, by what a device says of itself.
 */
#include <stdbool.h>
#include <string.h>

#include "table.h"

static bool equal(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

uint32_t policy_table_by_context(const struct policy_table *table, const char *context)
{
    uint32_t identity = policy_table_by_sid(table, policy_sid(context, strlen(context)));
    return equal(policy_table_context(table, identity), context) ? identity : 0;
}

uint32_t policy_table_guest(const struct policy_table *table, const char *name, enum policy_class_number kind,
                            const char *label)
{
    uint32_t plain = 0;
    for (uint32_t i = 0; i < table->file->identities; i++) {
        const struct policy_file_identity *id = &table->identities[i];
        if (id->category != POLICY_GUEST)
            continue;
        if (table->strings[id->name] && equal(table->strings + id->name, name))
            return i;
        if (!table->strings[id->name] && id->class == kind && equal(table->strings + id->label, label))
            plain = i;
    }
    return plain;
}

static int fits(const struct policy_table *table, const struct policy_file_device *d, enum policy_class_number class,
                uint32_t vendor, uint32_t model, const char *port)
{
    const char *wanted = table->strings + d->port;
    return table->identities[d->identity].class == class && (d->vendor == POLICY_ANY_ID || d->vendor == vendor) &&
           (d->model == POLICY_ANY_ID || d->model == model) && (!*wanted || equal(wanted, port));
}

uint32_t policy_table_device(const struct policy_table *table, enum policy_class_number class, uint32_t vendor,
                             uint32_t model, const char *port)
{
    for (uint32_t i = 0; i < table->file->devices; i++)
        if (fits(table, &table->devices[i], class, vendor, model, port))
            return table->devices[i].identity;
    return 0;
}
