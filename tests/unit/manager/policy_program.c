/* Runs roundhouse-policy. */
#include "policy_program.h"

#include <gio/gio.h>

char *run_policy_program(const char *const *arguments)
{
    g_autoptr(GStrvBuilder) words = g_strv_builder_new();
    g_strv_builder_add(words, g_getenv("ROUNDHOUSE_POLICY"));
    g_strv_builder_addv(words, (const char **)(gpointer)arguments);
    g_auto(GStrv) all = g_strv_builder_end(words);
    g_autoptr(GError) error = NULL;
    g_autoptr(GSubprocess) program = g_subprocess_newv(
        (const char *const *)all, G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_SILENCE, &error);
    char *text = NULL;
    g_assert_no_error(error);
    g_assert_true(g_subprocess_communicate_utf8(program, NULL, NULL, &text, NULL, &error));
    if (!g_subprocess_get_successful(program))
        g_clear_pointer(&text, g_free);
    return text;
}

void compile_policy(const char *policy, const char *table)
{
    const char *const arguments[] = {"compile", policy, table, NULL};
    g_autofree char *text = run_policy_program(arguments);
    g_assert_nonnull(text);
}
