/*
 * The recovery key is on its medium before the disk is marked as finished, and gets its own name after that: a cut
 * leaves no disk whose key is nowhere, and no key's file that stands in the way of the second run.
 */
#include "install.h"
#include "table.h"
#include "tool.h"

#include <glib/gstdio.h>
#include <string.h>

static void plan(struct install *install, GString *text)
{
    (void)install;
    g_string_append(text, "the installation is marked as finished, by the name of the pool");
}

static gboolean perform(struct install *install, GError **error)
{
    const char *path = install->answers->recovery_key_file;
    g_autofree char *unfinished = g_strconcat(path ? path : "", ".unfinished", NULL);
    if (path) {
        g_autofree char *text = g_strdup_printf("%s\n", install->recovery_key);
        gboolean good = file_put(unfinished, text, strlen(text), 0600, error);
        explicit_bzero(text, strlen(text));
        if (!good)
            return FALSE;
    }
    if (!install_step(install, 500, error) || !table_finish(install, error))
        return FALSE;
    if (path && g_rename(unfinished, path) < 0)
        g_printerr("The recovery key is in %s: it cannot be renamed to %s.\n", unfinished, path);
    return TRUE;
}

const struct stage stage_finish = {
    .name = "finish",
    .title = "Mark as finished",
    .plan = plan,
    .perform = perform,
};
