/*
 * GRUB's menu: which slot it starts, and how it counts. GRUB's language is near enough to the shell's for the part that
 * chooses: that part runs as it is, but for `set`.
 */
#include "grub_config.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static const struct row {
    const char *order, *a_ok, *a_try, *b_ok, *b_try;
    const char *starts, *a_after, *b_after;
} rows[] = {
    /* a new disk, started again and again without anybody saying that it is good */
    {"A B", "1", "0", "0", "0", "A", "1", "0"},
    {"A B", "1", "1", "0", "0", "A", "2", "0"},
    {"A B", "1", "2", "0", "0", "A", "3", "0"},
    {"A B", "1", "3", "0", "0", "A", "3", "0"},
    /* an update in B that does not come up: three times, and then A */
    {"B A", "1", "0", "1", "0", "B", "0", "1"},
    {"B A", "1", "0", "1", "2", "B", "0", "3"},
    {"B A", "1", "0", "1", "3", "A", "1", "3"},
    /* a slot that is being written is never started */
    {"A B", "1", "3", "0", "0", "A", "3", "0"},
    {"B A", "1", "0", "0", "0", "A", "1", "0"},
    /* counters that nobody has written */
    {"", "", "", "", "", "A", "3", ""},
};

static void chooses(void)
{
    g_autofree char *menu = grub_menu();
    char *end = strstr(menu, "save_env");
    g_assert_nonnull(end);
    *end = '\0';
    g_auto(GStrv) parts = g_strsplit(menu, "set ", -1);
    g_autofree char *script = g_strjoinv("", parts);
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        const struct row *row = &rows[i];
        g_autofree char *all =
            g_strdup_printf("load_env() { ORDER='%s' A_OK='%s' A_TRY='%s' B_OK='%s' B_TRY='%s'; }\n%s"
                            "echo \"$chosen $A_TRY $B_TRY\"\n",
                            row->order, row->a_ok, row->a_try, row->b_ok, row->b_try, script);
        g_autofree char *expected = g_strdup_printf("%s %s %s\n", row->starts, row->a_after, row->b_after),
                        *said = NULL;
        char *words[] = {"sh", "-c", all, NULL};
        g_assert_true(g_spawn_sync(NULL, words, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &said, NULL, NULL, NULL));
        g_assert_cmpstr(said, ==, expected);
    }
}

static void is_grub_script(void)
{
    g_autofree char *menu = grub_menu(), *path = g_strdup("/tmp/roundhouse-grub-XXXXXX");
    gint fd = g_mkstemp(path), status = -1;
    g_assert_cmpint(write(fd, menu, strlen(menu)), ==, (gssize)strlen(menu));
    char *words[] = {"grub-script-check", path, NULL};
    g_assert_true(g_spawn_sync(NULL, words, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status, NULL));
    g_assert_cmpint(status, ==, 0);
    close(fd);
    unlink(path);
}

static void starts(void)
{
    struct source source = {.hypervisor_options = "console=com1", .kernel_options = "quiet"};
    g_autofree char *text = grub_start('B', &source, "slot-id", "state-id");
    g_assert_cmpstr(text, ==,
                    "multiboot2 /b/hypervisor console=com1\n"
                    "module2 /b/kernel root=PARTUUID=slot-id ro roundhouse.slot=B roundhouse.state=PARTUUID=state-id "
                    "console=tty0 console=hvc0 quiet\n"
                    "module2 /b/initrd\n");
}

static void environment(void)
{
    for (char first = 'A'; first <= 'B'; first++) {
        g_autofree char *block = grub_environment(first, TRUE);
        g_assert_cmpint(block[GRUB_ENVIRONMENT_SIZE - 1], ==, '#');
        g_assert_true(g_str_has_prefix(block, "# GRUB Environment Block\n"));
        g_assert_cmpint(grub_first_slot(block, GRUB_ENVIRONMENT_SIZE), ==, first);
        g_assert_nonnull(g_strstr_len(block, GRUB_ENVIRONMENT_SIZE, first == 'A' ? "\nB_OK=1\n" : "\nA_OK=1\n"));
    }
    g_autofree char *alone = grub_environment('A', FALSE);
    g_assert_nonnull(g_strstr_len(alone, GRUB_ENVIRONMENT_SIZE, "\nB_OK=0\n"));
    g_assert_cmpint(grub_first_slot("# GRUB Environment Block\nORDER=C\n", 33), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/grub/chooses", chooses);
    g_test_add_func("/grub/is-grub-script", is_grub_script);
    g_test_add_func("/grub/starts", starts);
    g_test_add_func("/grub/environment", environment);
    return g_test_run();
}
