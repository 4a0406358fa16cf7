/* roundhouse-report(8). */
#include "../install/tool.h"
#include "report.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { GOOD, FAILED, MISUSED };

static int complain(int status, const char *sentence)
{
    fprintf(stderr, "roundhouse-report: %s\n", sentence);
    return status;
}

static gboolean answered_yes(const char *path)
{
    char line[16] = "";
    printf("Save this as %s? It is as it is shown above. [y/N] ", path);
    fflush(stdout);
    return fgets(line, sizeof(line), stdin) && (g_str_equal(line, "y\n") || g_str_equal(line, "yes\n"));
}

static int save(const char *path, const char *text, gboolean asked)
{
    g_autoptr(GError) error = NULL;
    if (!asked && !answered_yes(path))
        return complain(FAILED, "nothing was saved.");
    if (!file_put(path, text, strlen(text), 0600, &error))
        return complain(FAILED, error->message);
    printf("Saved as %s.\n", path);
    return GOOD;
}

int main(int argc, char **argv)
{
    g_autofree char *path = NULL, *root = NULL;
    gboolean yes = FALSE;
    GOptionEntry entries[] = {
        {"save", 's', 0, G_OPTION_ARG_FILENAME, &path, "Show it, ask, and write it there", "FILE"},
        {"yes", 'y', 0, G_OPTION_ARG_NONE, &yes, "With --save: do not ask", NULL},
        {"root", 0, 0, G_OPTION_ARG_FILENAME, &root, "Where etc/ and var/ with the names to be left out are", "FOLDER"},
        {0},
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;
    setlocale(LC_ALL, "");
    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_set_summary(context, "Tells what somebody needs who looks for a fault of this machine. "
                                          "Secrets, names and addresses are left out.");
    if (!g_option_context_parse(context, &argc, &argv, &error))
        return complain(MISUSED, error->message);
    if (argc > 1 || (yes && !path))
        return complain(MISUSED, argc > 1 ? "it takes options alone; --help lists them." : "--yes is for --save.");
    if (path && !yes && !isatty(STDIN_FILENO))
        return complain(MISUSED, "nobody is there to be asked; --yes saves it unasked.");
    g_autofree char *text = report_make(root ? root : "/");
    fputs(text, stdout);
    if (fflush(stdout) || ferror(stdout))
        return complain(FAILED, "the report cannot be shown.");
    return path ? save(path, text, yes) : GOOD;
}
