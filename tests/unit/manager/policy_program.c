/* Policies for the service, and what is asked of it in all of its tests. */
#include "policy_program.h"
#include "polkit_fake.h"

#include <string.h>

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

#define MACHINE                                                                                                        \
    "label untrusted\nallow the laptop to control, run device model of the laptop and any guest\n"                     \
    "allow the laptop to drive hardware\nallow the administrator to change policy\n"

void put_policy(struct fixture *fixture, const char *rules)
{
    g_autofree char *path = g_build_filename(fixture->directory, "test.policy", NULL);
    g_autofree char *text = g_strconcat("policy test\n" MACHINE, rules, NULL);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    compile_policy(path, fixture->policy);
}

void put_shipped_policy(struct fixture *fixture, const char *name)
{
    g_autofree char *path = g_strdup_printf("%s/%s.policy", g_getenv("POLICIES"), name);
    compile_policy(path, fixture->policy);
}

GError *try_start(void)
{
    g_autoptr(GDBusConnection) caller = caller_new();
    return try_to(caller, WORK, GUEST, "Start", NULL);
}

gboolean log_has(struct fixture *fixture, const char *outcome, const char *verb, const char *rule)
{
    g_autoptr(GVariant) entries = NULL;
    g_assert_true(rh_manager1_call_policy_log_sync(fixture->manager, &entries, NULL, NULL));
    for (gsize i = 0; i < g_variant_n_children(entries); i++) {
        g_autoptr(GVariant) entry = g_variant_get_child_value(entries, i);
        const char *o, *v, *r;
        g_assert_true(g_variant_lookup(entry, "outcome", "&s", &o) && g_variant_lookup(entry, "verb", "&s", &v) &&
                      g_variant_lookup(entry, "rule", "&s", &r));
        if (g_str_equal(o, outcome) && g_str_equal(v, verb) && strstr(r, rule))
            return TRUE;
    }
    return FALSE;
}
